//! Unloading a driver: refused as a whole while one of its files is open.
use crate::common::eventually;
use crate::driver::bus;
use fops_runtime::op::op;
use fops_runtime::{Errno, OpenFlags};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::thread;

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
fn a_driver_is_not_unloaded_while_a_file_is_open_that_its_device_takes_along() {
    let (bus, script) = bus(&["a"]);
    let (others, other) = crate::driver::bus(&["b"]);
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
            let _access = lifetime.enter(op!("busy")).unwrap();
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
