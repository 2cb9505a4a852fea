//! Each step of unplug, by what goes wrong without it. `tests/controls` runs these in a build that leaves one out, where
//! they have to fail.
use fops_host::{Bus, Descriptor, Driver, Probe};
use fops_runtime::{
    Access, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags, Result,
    UserSliceWriter, WaitQueue, guarded_fops,
};
use rcar_vin::board::{Board, IoPtr, Mmio, Vin};
use rcar_vin::regs::{VNFC_REG, VNMS_REG};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use system_tests::{DEADLINE, Sleeper, bus_with, eventually, torn_down};

/// The resources: registers, which note whoever uses them when they are unmapped.
struct Hw {
    mmio: Mmio,
}

struct Camera {
    lifetime: DeviceLifetime<Hw>,
    never: WaitQueue,
    inside: Mutex<Sender<()>>,
    leave: Mutex<Receiver<()>>,
    /// What the registers are made of lives as long as this: a control build uses them too late, and is to be caught by
    /// the simulation, not by the allocator.
    _kept: IoPtr,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Hw)]
impl FileOperations for Camera {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    /// Looks at the hardware when it is told to.
    fn ioctl(&self, #[access] hw: &Access<'_, Hw>, _: &File, _: Command, _: IoctlArg<'_>) -> Result<i32> {
        self.inside.lock().unwrap().send(()).map_err(|_| Errno::EIO)?;
        self.leave.lock().unwrap().recv_timeout(DEADLINE).map_err(|_| Errno::EIO)?;
        hw.mmio.read(VNMS_REG);
        Ok(0)
    }

    /// Sleeps for what never comes.
    fn read(&self, #[access] hw: &Access<'_, Hw>, _: &File, _: UserSliceWriter<'_>) -> Result<usize> {
        Ok(hw.wait_event(&self.never, || None)?)
    }

    /// Stops the hardware, if it is there.
    fn release(&self, #[access] hw: Option<&Access<'_, Hw>>, _: File) {
        if let Some(hw) = hw {
            hw.mmio.write(VNFC_REG, 0);
        }
    }
}

struct CameraDriver {
    vin: Vin,
    /// The ends that the operation has.
    ends: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

impl Driver for CameraDriver {
    type Device = Camera;

    fn name(&self) -> &str {
        "camera"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Camera>> {
        let mmio = self.vin.ioremap().map_err(|_| Errno::EBUSY)?;
        let (inside, leave) = self.ends.lock().unwrap().take().ok_or(Errno::EBUSY)?;
        let device = Arc::new(Camera {
            _kept: mmio.as_ptr(),
            lifetime: DeviceLifetime::new(Hw { mmio }),
            never: WaitQueue::new(),
            inside: Mutex::new(inside),
            leave: Mutex::new(leave),
        });
        probe.register_node("camera", &device, None);
        Ok(device)
    }
}

struct Setup {
    bus: Arc<Bus>,
    vin: Vin,
    file: Descriptor,
    is_inside: Receiver<()>,
    leave: Sender<()>,
    _board: Board,
}

const LOOK: Command = Command::new(Direction::None, b'T', 1, 0);

fn setup() -> Setup {
    let board = Board::new();
    let vin = board.vin(rcar_vin::board::VIN_NAME).unwrap().clone();
    let ((inside, is_inside), (leave, may_leave)) = (channel(), channel());
    let bus = bus_with(CameraDriver { vin: vin.clone(), ends: Mutex::new(Some((inside, may_leave))) }, "camera.0");
    bus.bind("camera", "camera.0").unwrap();
    let file = bus.devices().open("camera0", OpenFlags::RDWR).unwrap();
    Setup { bus, vin, file, is_inside, leave, _board: board }
}

impl Setup {
    fn unplug(&self) {
        torn_down(&self.bus.unbind("camera", "camera.0").unwrap());
        assert!(self.vin.ioremap().is_ok(), "registers are mapped");
    }
}

#[test]
fn flag() {
    let setup = setup();
    setup.leave.send(()).unwrap();
    assert_eq!(setup.file.ioctl(LOOK, &mut []), Ok(0));
    setup.unplug();
    setup.leave.send(()).ok();
    assert_eq!((setup.file.ioctl(LOOK, &mut []), setup.vin.late_accesses()), (Err(Errno::ENODEV), 0));
}

#[test]
fn cancel() {
    let setup = setup();
    let reader = setup.file.clone();
    let sleeper = Sleeper::start("the sleeper", move || reader.read(&mut [0]));
    let removal = setup.bus.unbind("camera", "camera.0").unwrap();
    assert_eq!(sleeper.join(), Err(Errno::ENODEV));
    torn_down(&removal);
}

#[test]
fn drain() {
    let setup = setup();
    let file = setup.file.clone();
    let caller = Sleeper::awake("the caller", move || file.ioctl(LOOK, &mut []));
    setup.is_inside.recv_timeout(DEADLINE).unwrap();
    let removal = setup.bus.unbind("camera", "camera.0").unwrap();
    let node = setup.bus.devices().get("camera0").unwrap();
    eventually("unplug begins", || node.is_unplugged());
    // Long enough for a remover that waits for nobody.
    assert_eq!(removal.wait_for(Duration::from_millis(200)), Ok(None), "it is torn down while an operation is inside");
    assert!(setup.vin.ioremap().is_err(), "registers are unmapped while an operation is inside");
    setup.leave.send(()).unwrap();
    assert_eq!((caller.join(), setup.vin.late_accesses()), (Ok(0), 0));
    torn_down(&removal);
}

#[test]
fn release_access() {
    let setup = setup();
    drop(setup.bus.devices().open("camera0", OpenFlags::RDWR).unwrap());
    setup.unplug();
    let Setup { file, vin, _board, .. } = setup;
    drop(file);
    assert_eq!(vin.late_accesses(), 0, "release used registers that were unmapped");
}
