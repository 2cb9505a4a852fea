//! The bus: every removal is carried out once, whatever else goes on.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::{DEADLINE, eventually};
use fops_host::{Bus, Devices, Driver, Nodes, Probe};
use fops_runtime::op::op;
use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags, Result,
    Unplug as _, WaitQueue, guarded_fops,
};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

const SLEEP: Command = Command::new(Direction::None, b'T', 0, 0);
const REMOVE_ME: Command = Command::new(Direction::None, b'T', 1, 0);
const ECHO_READ: Command = Command::new(Direction::Read, b'T', 2, 4);

struct Device {
    lifetime: DeviceLifetime<&'static str>,
    never: WaitQueue,
    bus: Weak<Bus>,
    name: String,
    panics_in_stop: bool,
    script: Arc<Script>,
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
type Held = Mutex<Option<(Sender<()>, Receiver<()>)>>;

#[derive(Default)]
struct Script {
    /// Probe waits for this, after it has said that it runs.
    hold_probe: Held,
    /// Remove does, too.
    hold_remove: Held,
    /// The device's state does when it is dropped.
    hold_drop: Held,
    fail_probe: AtomicBool,
    panic_in_remove: AtomicBool,
    removed: Mutex<Vec<Cause>>,
    /// The nodes and the device of each probe, for those who register nodes later.
    probed: Mutex<Vec<(Arc<Nodes>, Weak<Device>)>>,
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
fn held(place: &Held) -> (Receiver<()>, Sender<()>) {
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

fn bus(devices: &[&str]) -> (Arc<Bus>, Arc<Script>) {
    let (script, late) = (Arc::new(Script::default()), Arc::new(Mutex::new(Weak::new())));
    let bus = Bus::new("test", Devices::new());
    *late.lock().unwrap() = Arc::downgrade(&bus);
    bus.register_driver(TestDriver { script: script.clone(), bus: late }).unwrap();
    devices.iter().for_each(|device| bus.add_device(device).unwrap());
    (bus, script)
}

#[test]
fn a_second_unbind_waits_for_the_first_and_remove_runs_once() {
    let (bus, script) = bus(&["a"]);
    assert_eq!(bus.name(), "test");
    assert_eq!(bus.drivers(), [("test".to_owned(), vec![])]);
    bus.bind("test", "a").unwrap();
    assert_eq!(bus.drivers(), [("test".to_owned(), vec!["a".to_owned()])]);
    let file = bus.devices().open("node0", OpenFlags::RDWR).unwrap();
    let sleeper = thread::spawn(move || file.ioctl(SLEEP, &mut []));
    let node = bus.devices().get("node0").unwrap();
    eventually("the sleeper", || node.running() == 1);
    assert_eq!(bus.last_unplug("a"), None);
    let first = bus.unbind("test", "a").unwrap();
    // The first may be done by now.
    let second = bus.unbind("test", "a").unwrap_or_else(|_| first.clone());
    for removal in [&first, &second] {
        removal.wait().unwrap();
    }
    let records = first.records();
    assert!(records.starts_with("unbind of device "), "{records}");
    assert!(records.contains(": 1 in flight, 1 woken, 0 cancelled, 0 refused; told after "), "{records}");
    assert_eq!(bus.last_unplug("a"), Some(records));
    assert_eq!(sleeper.join().unwrap(), Err(Errno::ENODEV));
    assert_eq!(*script.removed.lock().unwrap(), [Cause::Unbind]);
    assert_eq!(bus.unbind("test", "a").err(), Some(Errno::ENODEV));
}

#[test]
fn an_operation_may_ask_for_its_own_device_to_go() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let file = bus.devices().open("node0", OpenFlags::RDWR).unwrap();
    assert_eq!(file.ioctl(REMOVE_ME, &mut []), Err(Errno::ENODEV));
    eventually("the removal", || *script.removed.lock().unwrap() == [Cause::Removal]);
    eventually("the bus", || bus.device_names().is_empty());
    drop(file);
    bus.rescan().unwrap();
    assert_eq!(bus.device_names(), [("a".to_owned(), Some("test".to_owned()))]);
}

#[test]
fn a_device_that_is_removed_is_gone_until_it_is_found_again() {
    let (bus, script) = bus(&["a", "b", "c"]);
    bus.bind("test", "a").unwrap();
    bus.bind("test", "b").unwrap();
    for device in ["a", "c"] {
        bus.remove(device, Cause::Removal).unwrap().wait().unwrap();
        assert_eq!(bus.bind("test", device), Err(Errno::ENODEV));
        assert_eq!(bus.remove(device, Cause::Removal).err(), Some(Errno::ENODEV));
        assert_eq!(bus.unbind("test", device).err(), Some(Errno::ENODEV));
    }
    assert_eq!(*script.removed.lock().unwrap(), [Cause::Removal]);
    assert_eq!(bus.device_names(), [("b".to_owned(), Some("test".to_owned()))]);
    // What had no driver gets none; what cannot be bound is on the bus all the same.
    script.fail_probe.store(true, SeqCst);
    assert_eq!(bus.rescan(), Err(Errno::ENXIO));
    let names = bus.device_names();
    assert_eq!(
        names.iter().map(|(name, driver)| (&**name, driver.is_some())).collect::<Vec<_>>(),
        [("a", false), ("b", true), ("c", false)]
    );
    assert_eq!(bus.rescan(), Ok(()));
    // One that comes by itself is bound by whoever wants to.
    bus.remove("b", Cause::Removal).unwrap().wait().unwrap();
    script.fail_probe.store(false, SeqCst);
    bus.add_device("b").unwrap();
    assert_eq!(bus.add_device("b"), Err(Errno::EEXIST));
    assert_eq!(bus.rescan(), Ok(()));
    bus.bind("test", "b").unwrap();
}

#[test]
fn an_unbind_may_turn_into_a_surprise_removal() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let device = script.probed.lock().unwrap()[0].1.upgrade().unwrap();
    // A removal that cannot finish: this thread is inside.
    let access = device.lifetime.enter(op!("test")).unwrap();
    let unbind = bus.unbind("test", "a").unwrap();
    eventually("the flag", || device.lifetime.is_unplugged());
    let surprise = bus.remove("a", Cause::SurpriseRemoval).unwrap();
    drop(access);
    drop(device);
    unbind.wait().unwrap();
    surprise.wait().unwrap();
    assert_eq!(unbind.cause(), Cause::SurpriseRemoval);
    assert_eq!(*script.removed.lock().unwrap(), [Cause::SurpriseRemoval]);
}

#[test]
fn a_device_that_goes_during_probe_is_removed_after_it() {
    let (bus, script) = bus(&["a"]);
    let (is_running, go) = held(&script.hold_probe);
    let binder = {
        let bus = bus.clone();
        thread::spawn(move || bus.bind("test", "a"))
    };
    is_running.recv_timeout(DEADLINE).unwrap();
    assert_eq!(bus.bind("test", "a"), Err(Errno::EBUSY));
    assert_eq!(bus.unbind("test", "a").err(), Some(Errno::ENODEV));
    assert_eq!(bus.unregister_driver("test"), Err(Errno::EBUSY));
    let removal = bus.remove("a", Cause::SurpriseRemoval).unwrap();
    assert_eq!(removal.stragglers(), "the probe of test");
    go.send(()).unwrap();
    assert_eq!(binder.join().unwrap(), Err(Errno::ENODEV));
    removal.wait().unwrap();
    assert_eq!(removal.stragglers(), "");
    assert_eq!(*script.removed.lock().unwrap(), [Cause::SurpriseRemoval]);
    assert!(bus.devices().all().is_empty());
}

/// The device has nothing in flight any more, but its driver is not done.
#[test]
fn a_removal_says_that_it_waits_for_the_drivers_own_code() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let (removes, finish_remove) = held(&script.hold_remove);
    let (drops, finish_drop) = held(&script.hold_drop);
    let removal = bus.unbind("test", "a").unwrap();
    removes.recv_timeout(DEADLINE).unwrap();
    assert_eq!(removal.stragglers(), "the driver's remove");
    finish_remove.send(()).unwrap();
    drops.recv_timeout(DEADLINE).unwrap();
    assert_eq!(removal.stragglers(), "the driver's state, which is dropped");
    finish_drop.send(()).unwrap();
    removal.wait_for(DEADLINE).unwrap().expect("it goes in time");
    assert_eq!(removal.stragglers(), "");
}

#[test]
fn a_failed_probe_leaves_the_device_free() {
    let (bus, script) = bus(&["a"]);
    script.fail_probe.store(true, SeqCst);
    assert_eq!(bus.bind("test", "a"), Err(Errno::ENXIO));
    assert!(bus.devices().all().is_empty());
    script.fail_probe.store(false, SeqCst);
    bus.bind("test", "a").unwrap();
}

#[test]
fn a_driver_that_panics_loses_no_removal() {
    let (bus, script) = bus(&["a"]);
    script.panic_in_remove.store(true, SeqCst);
    bus.bind("test", "a").unwrap();
    assert_eq!(bus.unbind("test", "a").unwrap().wait(), Err(Errno::EIO));
    assert_eq!(script.removed.lock().unwrap().len(), 1);
    assert!(bus.devices().all().is_empty());
    script.panic_in_remove.store(false, SeqCst);
    bus.bind("test", "a").unwrap();
    bus.unbind("test", "a").unwrap().wait().unwrap();
}

#[test]
fn a_driver_is_not_unloaded_while_a_file_is_open() {
    let (bus, _script) = bus(&["a", "b"]);
    bus.bind("test", "a").unwrap();
    bus.bind("test", "b").unwrap();
    let file = bus.devices().open("node1", OpenFlags::RDWR).unwrap();
    assert_eq!(bus.unregister_driver("test"), Err(Errno::EBUSY));
    // Refused as a whole: everything is as it was.
    drop(bus.devices().open("node0", OpenFlags::RDWR).unwrap());
    drop(file);
    bus.unregister_driver("test").unwrap();
    assert_eq!((bus.drivers().len(), bus.devices().all().len()), (0, 0));
    assert_eq!(bus.bind("test", "a"), Err(Errno::ENODEV));
}

#[test]
fn nodes_may_come_later_and_go_with_the_device() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let names = || bus.devices().all().iter().map(|node| node.name().to_owned()).collect::<Vec<_>>();
    let (nodes, device) = script.probed.lock().unwrap()[0].clone();
    nodes.register("late", &device.upgrade().unwrap(), None);
    assert_eq!(names(), ["late0", "node0"]);
    assert_eq!(bus.nodes("a").len(), 2);
    let file = bus.devices().open("late0", OpenFlags::RDWR).unwrap();
    assert_eq!(bus.unregister_driver("test"), Err(Errno::EBUSY), "a late node counts");
    bus.unbind("test", "a").unwrap().wait().unwrap();
    assert_eq!(names(), ["late0"], "a file is open");
    // Too late: the device is not bound any more.
    nodes.register("never", &device.upgrade().unwrap(), None);
    assert_eq!(names(), ["late0"]);
    drop(file);
    assert!(names().is_empty());
    script.fail_probe.store(true, SeqCst);
    assert_eq!(bus.bind("test", "a"), Err(Errno::ENXIO));
    assert!(names().is_empty());
}

#[test]
fn a_driver_is_not_unloaded_while_a_file_is_open_that_its_device_takes_along() {
    let (bus, script) = bus(&["a"]);
    let (others, other) = self::bus(&["b"]);
    bus.bind("test", "a").unwrap();
    others.bind("test", "b").unwrap();
    let dependent = other.probed.lock().unwrap()[0].0.clone();
    script.probed.lock().unwrap()[0].0.take_along(&dependent);
    let file = others.devices().open("node0", OpenFlags::RDWR).unwrap();
    assert_eq!(bus.unregister_driver("test"), Err(Errno::EBUSY));
    drop(file);
    // Refused as a whole: files can be opened again.
    drop(others.devices().open("node0", OpenFlags::RDWR).unwrap());
    bus.unregister_driver("test").unwrap();
}

#[test]
fn a_number_is_not_reused_while_an_old_file_is_open() {
    let (bus, _script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let old = bus.devices().open("node0", OpenFlags::RDWR).unwrap();
    bus.unbind("test", "a").unwrap().wait().unwrap();
    assert_eq!(bus.devices().open("node0", OpenFlags::RDWR).err(), Some(Errno::ENODEV));
    bus.bind("test", "a").unwrap();
    let new = bus.devices().open("node1", OpenFlags::RDWR).unwrap();
    assert_eq!(old.ioctl(ECHO_READ, &mut [0; 4]), Err(Errno::ENODEV));
    assert_eq!(new.ioctl(ECHO_READ, &mut [0; 4]), Ok(0));
    drop(old);
    assert_eq!(bus.devices().open("node0", OpenFlags::RDWR).err(), Some(Errno::ENOENT));
}

#[test]
fn an_argument_goes_the_way_that_the_command_says() {
    let (bus, _script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let file = bus.devices().open("node0", OpenFlags::RDONLY).unwrap();
    let mut data = [9; 6];
    // The driver sees zeros, not what user space has there; beyond the size nothing is touched.
    assert_eq!(file.ioctl(ECHO_READ, &mut data), Ok(0));
    assert_eq!(data, [1, 2, 3, 4, 9, 9]);
    assert_eq!(file.ioctl(ECHO_READ, &mut data[..3]), Err(Errno::EFAULT));
    assert_eq!(file.write(&[0]), Err(Errno::EBADF));
}

#[test]
fn a_node_whose_device_goes_before_probe_is_done_never_appears() {
    struct Hasty;
    impl Driver for Hasty {
        type Device = Device;

        fn name(&self) -> &str {
            "hasty"
        }

        fn probe(&self, probe: &mut Probe) -> Result<Arc<Device>> {
            let new = || {
                Arc::new(Device {
                    lifetime: DeviceLifetime::new("registers"),
                    never: WaitQueue::new(),
                    bus: Weak::new(),
                    name: probe.device().into(),
                    panics_in_stop: false,
                    script: Arc::default(),
                })
            };
            let (gone, stays) = (new(), new());
            probe.nodes().register("gone", &gone, None);
            probe.nodes().register("stays", &stays, None);
            // What it depends on has gone meanwhile.
            gone.unplug(Cause::Unbind).unwrap();
            probe.nodes().unregister_unplugged();
            Ok(stays)
        }
    }
    let (bus, _script) = bus(&["a"]);
    bus.register_driver(Hasty).unwrap();
    bus.bind("hasty", "a").unwrap();
    assert_eq!(bus.devices().all().iter().map(|node| node.name().to_owned()).collect::<Vec<_>>(), ["stays0"]);
}

#[test]
fn nothing_is_bound_to_a_driver_that_is_being_unloaded() {
    let (bus, script) = bus(&["a", "b"]);
    bus.bind("test", "a").unwrap();
    let device = script.probed.lock().unwrap()[0].1.upgrade().unwrap();
    thread::scope(|s| {
        let (inside, is_inside) = channel();
        let (leave, may_leave) = channel::<()>();
        let lifetime = &device.lifetime;
        // The unload waits for the removal, and that for this section.
        s.spawn(move || {
            let _access = lifetime.enter(fops_runtime::op::op!("busy")).unwrap();
            inside.send(()).unwrap();
            may_leave.recv().unwrap();
        });
        is_inside.recv().unwrap();
        let unload = s.spawn(|| bus.unregister_driver("test"));
        eventually("it is being unloaded", || device.lifetime.is_unplugged());
        assert_eq!(bus.bind("test", "b"), Err(Errno::EBUSY));
        assert_eq!(bus.unregister_driver("test"), Err(Errno::EBUSY));
        leave.send(()).unwrap();
        assert_eq!(unload.join().unwrap(), Ok(()));
    });
    assert_eq!(bus.bind("test", "b"), Err(Errno::ENODEV));
}

#[test]
fn a_driver_whose_remove_panicked_can_be_unloaded() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    script.panic_in_remove.store(true, SeqCst);
    assert_eq!(bus.unregister_driver("test"), Ok(()));
    assert_eq!(bus.bind("test", "a"), Err(Errno::ENODEV));
}

/// Its node is still referred to, but nobody has a file of it open: no code of the driver's runs any more.
#[test]
fn a_node_that_was_taken_away_holds_its_driver_only_while_a_file_is_open() {
    let (bus, _) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let (node, file) = (bus.nodes("a").remove(0), bus.devices().open("node0", OpenFlags::RDWR).unwrap());
    bus.unbind("test", "a").unwrap().wait().unwrap();
    assert_eq!(bus.unregister_driver("test"), Err(Errno::EBUSY));
    drop(file);
    assert_eq!(bus.unregister_driver("test"), Ok(()));
    assert_eq!(node.open_files(), 0);
}

/// A device that is bound can be unbound: its removal's thread is there before.
#[test]
fn no_device_is_bound_without_a_thread_to_remove_it() {
    const CHILD: &str = "FOPS_BUS_WITHOUT_THREADS";
    if std::env::var_os(CHILD).is_none() {
        // A process that no thread can be started in: no stack is that large.
        let mut program = std::process::Command::new(std::env::current_exe().unwrap());
        program.args(["no_device_is_bound_without_a_thread_to_remove_it", "--exact", "--test-threads=1"]);
        let output = program.env(CHILD, "1").env("RUST_MIN_STACK", (1_u64 << 60).to_string()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    assert!(thread::Builder::new().spawn(|| ()).is_err(), "there are threads");
    let (bus, script) = bus(&["a"]);
    assert_eq!(bus.bind("test", "a"), Err(Errno::EAGAIN));
    assert!(script.probed.lock().unwrap().is_empty());
}
