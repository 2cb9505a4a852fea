//! Binding: which nodes appear with a device, and what is left of a bind that fails.
use crate::driver::{Device, ECHO_READ, bus};
use fops_host::{Driver, Probe};
use fops_runtime::{Cause, DeviceLifetime, Errno, OpenFlags, Result, Unplug as _, WaitQueue};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};
use std::thread;

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
fn no_device_is_bound_without_a_thread_to_remove_it() {
    const CHILD: &str = "FOPS_BUS_WITHOUT_THREADS";
    if std::env::var_os(CHILD).is_none() {
        // A process that no thread can be started in: no stack is that large.
        let mut program = std::process::Command::new(std::env::current_exe().unwrap());
        program.args(["binding::no_device_is_bound_without_a_thread_to_remove_it", "--exact", "--test-threads=1"]);
        let output = program.env(CHILD, "1").env("RUST_MIN_STACK", (1_u64 << 60).to_string()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    assert!(thread::Builder::new().spawn(|| ()).is_err(), "there are threads");
    let (bus, script) = bus(&["a"]);
    assert_eq!(bus.bind("test", "a"), Err(Errno::EAGAIN));
    assert!(script.probed.lock().unwrap().is_empty());
}

#[test]
fn what_there_is_can_be_printed() {
    struct Named;
    impl Driver for Named {
        type Device = Device;

        fn name(&self) -> &str {
            "named"
        }

        fn probe(&self, probe: &mut Probe) -> Result<Arc<Device>> {
            assert_eq!((probe.device(), probe.bus_device().name()), ("a", "a"));
            let printed = format!("{:?}", probe.bus_device());
            assert!(printed.contains("\"a\""), "{printed}");
            Err(Errno::ENODEV)
        }
    }
    let (bus, script) = bus(&["a"]);
    bus.register_driver(Named).unwrap();
    assert_eq!(bus.bind("named", "a"), Err(Errno::ENODEV));
    bus.bind("test", "a").unwrap();
    let nodes = script.probed.lock().unwrap()[0].0.clone();
    assert_eq!((format!("{nodes:?}"), format!("{:?}", bus.devices())), ("[\"node0\"]".into(), "{\"node0\"}".into()));
    assert!(format!("{bus:?}").starts_with("Bus { name: \"test\", devices: [(\"a\", Some(\"test\"))]"), "{bus:?}");
    let removal = bus.remove("a", Cause::Removal).unwrap();
    assert_eq!(format!("{removal:?}"), "Removal { device: \"a\", cause: Removal, .. }");
    removal.wait().unwrap();
}
