//! Our own trait: each policy, the answers after unplug, and the table of ops.
use std::sync::Mutex;

use fops_runtime::{
    Access, Cause, DeviceLifetime, Errno, File, FileOperations, Guarded, OpTable, Policy, PollEvents, PollTable,
    Result, SeekFrom, Unplug, UserSliceWriter, guarded_fops,
};

struct VinHw {
    status: u8,
}

struct RcarVin {
    lifetime: DeviceLifetime<VinHw>,
    stopped: Mutex<Option<(u8, Cause)>>,
    released: Mutex<Vec<(bool, u32)>>,
}

const READ_IS_AT: u32 = line!() + 11;

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick))]
impl FileOperations for RcarVin {
    type Open = u32;

    fn open(&self, _file: &File) -> Result<u32> {
        Ok(1)
    }

    /// Reads one frame.
    fn read(&self, #[access] hw: &Access<'_, VinHw>, _file: &File<u32>, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&[hw.status])
    }

    fn poll(&self, _file: &File<u32>, _table: &PollTable<'_>) -> PollEvents {
        PollEvents::IN
    }

    fn release(&self, #[access] hw: Option<&Access<'_, VinHw>>, file: File<u32>) {
        self.released.lock().unwrap().push((hw.is_some(), file.into_state()));
    }

    #[fop(unguarded, reason = "moves the file position, touches no device")]
    fn llseek(&self, _file: &File<u32>, _to: SeekFrom) -> Result<u64> {
        Ok(7)
    }
}

impl RcarVin {
    fn quiesce(&self, hw: &VinHw, cause: Cause) {
        *self.stopped.lock().unwrap() = Some((hw.status, cause));
    }

    fn kick(&self, _hw: &VinHw) {}
}

fn read(vin: &RcarVin, file: &File<u32>) -> Result<(usize, u8)> {
    let (mut byte, mut written) = ([0], 0);
    let read = vin.read(file, UserSliceWriter::new(&mut byte, &mut written, 0))?;
    Ok((read, byte[0]))
}

fn main() {
    let vin = RcarVin {
        lifetime: DeviceLifetime::new(VinHw { status: 3 }),
        stopped: Mutex::default(),
        released: Mutex::default(),
    };
    let new = File::default();
    let state = vin.open(&new).unwrap();
    let file = new.with_state(state);
    let table = PollTable::none(PollEvents::IN);
    assert_eq!(read(&vin, &file), Ok((1, 3)));
    assert_eq!(vin.poll(&file, &table), PollEvents::IN);
    vin.release(File::<()>::default().with_state(2));

    let hw = vin.unplug(Cause::Removal).unwrap();
    assert_eq!(hw.status, 3);
    assert_eq!(*vin.stopped.lock().unwrap(), Some((3, Cause::Removal)));
    assert_eq!(read(&vin, &file), Err(Errno::ENODEV));
    assert_eq!(vin.poll(&file, &table), PollEvents::ERR | PollEvents::HUP | PollEvents::PRI);
    assert_eq!(vin.open(&File::<()>::default()), Err(Errno::ENODEV));
    assert_eq!(vin.llseek(&file, SeekFrom::Start(0)), Ok(7));
    vin.release(file);
    assert_eq!(*vin.released.lock().unwrap(), [(true, 2), (false, 1)]);

    let ops = <RcarVin as Guarded<{ OpTable::key("FileOperations") }>>::OPS;
    let names: Vec<_> = ops.iter().map(|op| (op.type_name(), op.name())).collect();
    assert_eq!(names, ["open", "read", "poll", "release", "llseek"].map(|name| ("RcarVin", name)));
    assert_eq!(ops[1].policy(), Policy::Guarded);
    assert_eq!(ops[3].policy(), Policy::Always);
    assert_eq!(ops[4].policy(), Policy::Unguarded { reason: "moves the file position, touches no device" });
    assert_eq!(ops[1].location().line(), READ_IS_AT);
    assert!(ops[1].location().file().ends_with("file_operations.rs"));
}
