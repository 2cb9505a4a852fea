//! Nodes: what they refuse before the driver is asked, and how they go.
#[path = "../../tests/common/mod.rs"]
mod common;

use fops_host::{BufferMemory, Devices, NodeKind};
use fops_runtime::{
    Cause, DeviceLifetime, Errno, File, FileOperations, OpenFlags, Result, Unplug, VmArea, guarded_fops,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Weak};

struct Device {
    lifetime: DeviceLifetime<()>,
    devices: Weak<Devices>,
    maps: AtomicUsize,
    seen: Arc<AtomicUsize>,
}

impl Device {
    fn new(devices: &Arc<Devices>) -> Self {
        let (devices, maps, seen) = (Arc::downgrade(devices), AtomicUsize::new(0), Arc::default());
        Self { lifetime: DeviceLifetime::new(()), devices, maps, seen }
    }
}

#[guarded_fops(lifetime = lifetime, resources = (), unplug())]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }
    fn mmap(&self, _: &File, _: &VmArea) -> Result {
        self.maps.fetch_add(1, SeqCst);
        Ok(())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // The state of a driver may look at the table when it goes.
        let left = self.devices.upgrade().map_or(0, |devices| devices.all().len());
        self.seen.store(left + 1, SeqCst);
    }
}

#[test]
fn a_mapping_beyond_the_memory_is_refused_before_the_driver_is_asked() {
    let devices = Devices::new();
    let device = Arc::new(Device::new(&devices));
    devices.register("node", device.clone(), Some(BufferMemory::new(8192).unwrap()));
    let file = devices.open("node0", OpenFlags::RDWR).unwrap();
    for (offset, len) in [(4096, 8192), (8192, 4096), (u64::MAX - 4095, 4096), (u64::MAX, u64::MAX)] {
        assert_eq!(file.file().mmap(&VmArea::new(offset, len).shared()), Err(Errno::EINVAL), "{offset} {len}");
    }
    assert_eq!(device.maps.load(SeqCst), 0);
    assert_eq!(file.file().mmap(&VmArea::new(4096, 4096).shared()), Ok(()));
    assert_eq!(device.maps.load(SeqCst), 1);
}

#[test]
fn a_node_that_goes_is_dropped_without_the_lock_of_the_table() {
    let _watchdog = common::watchdog("a node that goes");
    let devices = Devices::new();
    let device = Arc::new(Device::new(&devices));
    let seen = device.seen.clone();
    let node = Arc::downgrade(&devices.register("node", device.clone(), None));
    let file = devices.open("node0", OpenFlags::RDWR).unwrap();
    device.unplug(Cause::Unbind).unwrap();
    devices.unregister(&node.upgrade().unwrap());
    drop(device);
    // By the last close, and by the unregistration where nothing is open.
    drop(file);
    assert_eq!((seen.load(SeqCst), node.strong_count()), (1, 0));

    let device = Arc::new(Device::new(&devices));
    let seen = device.seen.clone();
    let node = Arc::downgrade(&devices.register("node", device, None));
    let registered = node.upgrade().unwrap();
    std::thread::scope(|s| {
        // The last reference is the table's.
        s.spawn(move || devices.unregister(&registered)).join().unwrap();
    });
    assert_eq!((seen.load(SeqCst), node.strong_count()), (1, 0));
}

#[test]
fn a_node_has_a_number_if_its_kind_is_known_and_a_file_one_of_its_own() {
    let devices = Devices::new();
    devices.add_kind(NodeKind::class("known", "class", 81, 128));
    let device = Arc::new(Device::new(&devices));
    let node = |prefix| devices.register(prefix, device.clone(), None);
    let nodes = ["known", "known", "other"].map(node);
    assert_eq!(nodes.each_ref().map(|node| node.device_number()), [Some((81, 128)), Some((81, 129)), None]);
    let files = ["known0", "known0"].map(|name| devices.open(name, OpenFlags::RDWR).unwrap());
    assert_ne!(files[0].file().id(), files[1].file().id());
    for (printed, name) in [(format!("{:?}", nodes[1]), "known1"), (format!("{:?}", files[0].file()), "known0")] {
        assert!(printed.contains(&format!("{name:?}")), "{printed}");
    }
}
