//! A device and its subdevs: unplugged as one, each subdev's release op once, when the last reference is gone.
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};

use fops_host::Devices;
use fops_runtime::{
    Access, Cause, DeviceLifetime, Errno, File, FileOperations, OpenFlags, Result, Subdev, SubdevOperations, Unplug,
    guarded_fops,
};

/// What the stop hooks and release ops add to.
#[derive(Clone, Default)]
struct Counts(Arc<[AtomicU8; 2]>);

impl Counts {
    fn stops(&self) -> u8 {
        self.0[0].load(SeqCst)
    }

    fn releases(&self) -> u8 {
        self.0[1].load(SeqCst)
    }
}

struct Csi2 {
    lifetime: DeviceLifetime<&'static str>,
    counts: Counts,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
impl SubdevOperations for Csi2 {
    fn s_stream(&self, #[access] hw: &Access<'_, &'static str>, enable: bool) -> Result {
        if hw.is_empty() || !enable { Err(Errno::EINVAL) } else { Ok(()) }
    }

    fn release(self) {
        assert!(self.lifetime.is_unplugged());
        self.counts.0[1].fetch_add(1, SeqCst);
    }
}

impl Csi2 {
    fn new(name: &'static str, counts: &Counts) -> Subdev<Self> {
        Subdev::new(Self { lifetime: DeviceLifetime::new(name), counts: counts.clone() })
    }

    fn quiesce(&self, _hw: &&str, cause: Cause) {
        assert_eq!(cause, Cause::Removal);
        self.counts.0[0].fetch_add(1, SeqCst);
    }
}

/// Its node.
#[guarded_fops(lifetime = lifetime, subdev)]
impl FileOperations for Csi2 {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn llseek(&self, _file: &File, _to: fops_runtime::SeekFrom) -> Result<u64> {
        Ok(7)
    }
}

struct Vin {
    lifetime: DeviceLifetime<u32>,
    first: Subdev<Csi2>,
    second: Subdev<Csi2>,
}

#[guarded_fops(lifetime = lifetime, unplug(subdevs(first = Csi2, second = Csi2)), default = guarded)]
impl Vin {
    fn start(&self, #[access] hw: &Access<'_, u32>) -> Result<u32> {
        self.first.s_stream(true)?;
        self.second.s_stream(true)?;
        Ok(**hw)
    }
}

fn main() {
    let counts = Counts::default();
    let (first, second) = (Csi2::new("first", &counts), Csi2::new("second", &counts));
    let vin = Vin { lifetime: DeviceLifetime::new(5), first: first.clone(), second };
    let devices = Devices::new();
    let node = devices.register("v4l-subdev", Arc::new(first), None);
    let file = devices.open("v4l-subdev0", OpenFlags::RDWR).unwrap();
    assert_eq!(vin.start(), Ok(5));
    assert_eq!(file.llseek(fops_runtime::SeekFrom::Start(0)), Ok(7));

    assert_eq!(vin.unplug(Cause::Removal), Ok((5, (Some("first"), Some("second")))));
    assert_eq!((counts.stops(), counts.releases()), (2, 0));
    assert_eq!(vin.start(), Err(Errno::ENODEV));
    assert_eq!(vin.first.s_stream(true), Err(Errno::ENODEV));
    assert!(devices.open("v4l-subdev0", OpenFlags::RDWR).is_err());
    assert_eq!(file.llseek(fops_runtime::SeekFrom::Start(0)), Err(Errno::ENODEV));

    // References go in any order: the driver's, the registration's, the open file's.
    drop(vin);
    assert_eq!(counts.releases(), 1);
    drop((node, devices));
    assert_eq!(counts.releases(), 1);
    drop(file);
    assert_eq!(counts.releases(), 2);
}
