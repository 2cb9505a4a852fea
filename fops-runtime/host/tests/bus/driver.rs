//! A driver that a test holds, fails or has panic at each of its steps.
use crate::common::DEADLINE;
use fops_host::{Bus, Devices, Driver, Nodes, Probe};
use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, Result, WaitQueue,
    guarded_fops,
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Weak};

pub(crate) const SLEEP: Command = Command::new(Direction::None, b'T', 0, 0);
pub(crate) const REMOVE_ME: Command = Command::new(Direction::None, b'T', 1, 0);
pub(crate) const ECHO_READ: Command = Command::new(Direction::Read, b'T', 2, 4);

pub(crate) struct Device {
    pub(crate) lifetime: DeviceLifetime<&'static str>,
    pub(crate) never: WaitQueue,
    pub(crate) bus: Weak<Bus>,
    pub(crate) name: String,
    pub(crate) panics_in_stop: bool,
    pub(crate) script: Arc<Script>,
}

impl Drop for Device {
    fn drop(&mut self) {
        hold(&self.script.hold_drop);
    }
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn ioctl(
        &self,
        #[access] hw: &Access<'_, &'static str>,
        _: &File,
        cmd: Command,
        mut arg: IoctlArg<'_>,
    ) -> Result<i32> {
        match cmd {
            SLEEP => Ok(hw.wait_event(&self.never, || None)?),
            // Its own device, and waits for it: refused in time, and the removal goes on.
            REMOVE_ME => {
                let bus = self.bus.upgrade().ok_or(Errno::ENXIO)?;
                bus.remove(&self.name, Cause::Removal)?.wait().map(|_| 0)
            }
            ECHO_READ => {
                let seen = arg.read::<4>()?;
                arg.write(&[1, 2, 3, 4])?;
                if seen == [0; 4] { Ok(0) } else { Err(Errno::EPROTO) }
            }
            _ => Err(Errno::ENOTTY),
        }
    }
}

impl Device {
    fn quiesce(&self, _hw: &&'static str, _cause: Cause) {
        assert!(!self.panics_in_stop, "in stop, on purpose");
    }
}

/// What says that a place is reached, and what it waits for there.
pub(crate) type Held = Mutex<Option<(Sender<()>, Receiver<()>)>>;

#[derive(Default)]
pub(crate) struct Script {
    /// Probe waits for this, after it has said that it runs.
    pub(crate) hold_probe: Held,
    /// Remove does, too.
    pub(crate) hold_remove: Held,
    /// The device's state does when it is dropped.
    pub(crate) hold_drop: Held,
    pub(crate) fail_probe: AtomicBool,
    pub(crate) panic_in_remove: AtomicBool,
    pub(crate) removed: Mutex<Vec<Cause>>,
    /// The nodes and the device of each probe, for those who register nodes later.
    pub(crate) probed: Mutex<Vec<(Arc<Nodes>, Weak<Device>)>>,
}

/// Says that it runs, and waits, if the test wants that.
fn hold(by: &Held) {
    let by = by.lock().unwrap().take();
    if let Some((running, go)) = by {
        running.send(()).unwrap();
        go.recv_timeout(DEADLINE).unwrap();
    }
}

/// Has the place held. Returns what says that it is reached, and what lets it go on.
pub(crate) fn held(place: &Held) -> (Receiver<()>, Sender<()>) {
    let ((running, is_running), (go, wait_go)) = (channel(), channel());
    *place.lock().unwrap() = Some((running, wait_go));
    (is_running, go)
}

struct TestDriver {
    script: Arc<Script>,
    bus: Arc<Mutex<Weak<Bus>>>,
}

impl Driver for TestDriver {
    type Device = Device;

    fn name(&self) -> &str {
        "test"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Device>> {
        hold(&self.script.hold_probe);
        if self.script.fail_probe.load(SeqCst) {
            return Err(Errno::ENXIO);
        }
        let device = Arc::new(Device {
            lifetime: DeviceLifetime::new("registers"),
            never: WaitQueue::new(),
            bus: self.bus.lock().unwrap().clone(),
            name: probe.device().into(),
            panics_in_stop: self.script.panic_in_remove.load(SeqCst),
            script: self.script.clone(),
        });
        probe.register_node("node", &device, None);
        self.script.probed.lock().unwrap().push((probe.nodes().clone(), Arc::downgrade(&device)));
        Ok(device)
    }

    fn remove(&self, _: &Arc<Device>, resources: &'static str, cause: Cause) {
        assert_eq!(resources, "registers");
        hold(&self.script.hold_remove);
        self.script.removed.lock().unwrap().push(cause);
        assert!(!self.script.panic_in_remove.load(SeqCst), "in remove, on purpose");
    }
}

pub(crate) fn bus(devices: &[&str]) -> (Arc<Bus>, Arc<Script>) {
    let (script, late) = (Arc::new(Script::default()), Arc::new(Mutex::new(Weak::new())));
    let bus = Bus::new("test", Devices::new());
    *late.lock().unwrap() = Arc::downgrade(&bus);
    bus.register_driver(TestDriver { script: script.clone(), bus: late }).unwrap();
    devices.iter().for_each(|device| bus.add_device(device).unwrap());
    (bus, script)
}
