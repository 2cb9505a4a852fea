//! The nodes of one device on the bus.
use crate::lock::Lock;
use crate::log::log;
use crate::nodes::buffer::BufferMemory;
use crate::nodes::devices::Devices;
use crate::nodes::node::Node;
use crate::nodes::registration::Registration;
use fops_runtime::{Device, FileOperations};
use std::sync::{Arc, MutexGuard, Weak};

/// The nodes of a device on the bus: its driver registers them, during probe or whenever else the device is bound, and
/// the bus takes them away with it.
///
/// A driver whose nodes have to wait for another device (`v4l2_async_notifier` in media/v4l2-async.h) keeps this, and
/// registers them when that has come.
pub struct Nodes {
    devices: Arc<Devices>,
    state: Lock<State>,
}

struct State {
    phase: Phase,
    /// While its driver is being unloaded: those that refuse files for its sake.
    refusing: Option<Vec<Arc<Registration>>>,
    /// Of the devices that go when this one goes.
    dependents: Vec<Weak<Nodes>>,
    /// Those that have been taken away, as long as files of theirs are open.
    old: Vec<Weak<Registration>>,
}

enum Phase {
    /// What is registered appears when probe has succeeded.
    Probing(Vec<NewNode>),
    Bound(Vec<Arc<Node>>),
    /// The device is not bound any more.
    Gone,
}

/// Makes a node, unless its device has been unplugged by then.
type NewNode = Box<dyn FnOnce(&Arc<Devices>) -> Option<Arc<Node>> + Send>;

impl Nodes {
    pub(super) fn new(devices: &Arc<Devices>) -> Arc<Self> {
        let state =
            State { phase: Phase::Probing(Vec::new()), refusing: None, dependents: Vec::new(), old: Vec::new() };
        Arc::new(Self { devices: devices.clone(), state: Lock::new(state) })
    }

    /// Registers a node `prefix` and a number for `device`, with the memory that its files map.
    ///
    /// It appears at once, or when probe has succeeded. Without effect once the device is not bound any more.
    pub fn register<D>(&self, prefix: &str, device: &Arc<D>, memory: Option<Arc<BufferMemory>>)
    where
        D: FileOperations + Device,
    {
        #[cfg(feature = "testkit")]
        crate::nodes::faults::registration(prefix);
        let State { phase, refusing, .. } = &mut *self.lock();
        match phase {
            Phase::Probing(new) => {
                let (prefix, device) = (prefix.to_owned(), device.clone());
                new.push(Box::new(move |devices| {
                    (!device.lifetime().is_unplugged()).then(|| devices.register(&prefix, device, memory))
                }));
            }
            Phase::Bound(nodes) => {
                let node = self.devices.register(prefix, device.clone(), memory);
                log!(info, "{}: registered", node.name());
                // Nobody has seen it yet, so no file of it is open.
                if let Some(refusing) = refusing
                    && node.registration().refuse_opens()
                {
                    refusing.push(node.registration().clone());
                }
                nodes.push(node);
            }
            Phase::Gone => {}
        }
    }

    /// Takes away the nodes whose devices are unplugged, while this one stays bound.
    pub fn unregister_unplugged(&self) {
        let gone = match &mut self.lock().phase {
            Phase::Bound(nodes) => nodes.extract_if(.., |node| node.is_unplugged()).collect(),
            Phase::Probing(_) | Phase::Gone => Vec::new(),
        };
        self.unregister(&gone);
    }

    /// The nodes of `others` go when this device goes: while a file of theirs is open, its driver is not unloaded either.
    pub fn take_along(&self, others: &Arc<Nodes>) {
        let dependents = &mut self.lock().dependents;
        dependents.retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(others)));
        dependents.push(Arc::downgrade(others));
    }

    /// Probe has succeeded: the nodes appear.
    pub(super) fn bound(&self) {
        let mut state = self.lock();
        if let Phase::Probing(new) = &mut state.phase {
            let nodes = std::mem::take(new).into_iter().filter_map(|node| node(&self.devices)).collect();
            state.phase = Phase::Bound(nodes);
        }
    }

    /// The device is not bound any more: its nodes go.
    pub(super) fn unbound(&self) {
        let before = std::mem::replace(&mut self.lock().phase, Phase::Gone);
        if let Phase::Bound(nodes) = before {
            self.unregister(&nodes);
        }
    }

    /// Those there are now.
    pub fn list(&self) -> Vec<Arc<Node>> {
        match &self.lock().phase {
            Phase::Bound(nodes) => nodes.clone(),
            Phase::Probing(_) | Phase::Gone => Vec::new(),
        }
    }

    /// Those that go with the device, its own and those of its dependents.
    pub(super) fn all(&self) -> Vec<Arc<Node>> {
        let dependents: Vec<_> = self.lock().dependents.iter().filter_map(Weak::upgrade).collect();
        let mut nodes = self.list();
        nodes.extend(dependents.iter().flat_map(|nodes| nodes.list()));
        nodes
    }

    /// Refuses files from here on. `false`, and without effect, while one is open.
    pub(super) fn refuse_opens(&self) -> bool {
        self.lock().refusing = Some(Vec::new());
        let refused = !self.are_held()
            && self.all().iter().all(|node| {
                let refuses = node.registration().refuse_opens();
                if refuses && let Some(refusing) = &mut self.lock().refusing {
                    refusing.push(node.registration().clone());
                }
                refuses
            });
        if !refused {
            self.accept_opens();
        }
        refused
    }

    /// Accepts files again, where nobody else's unloading is in the way.
    pub(super) fn accept_opens(&self) {
        let refusing = self.lock().refusing.take();
        refusing.into_iter().flatten().for_each(|registration| registration.accept_opens());
    }

    /// Whether a file is open of a node that has been taken away: the driver's release is still to come.
    pub(super) fn are_held(&self) -> bool {
        let old = &mut self.lock().old;
        retain_held(old);
        !old.is_empty()
    }

    fn unregister(&self, nodes: &[Arc<Node>]) {
        {
            let old = &mut self.lock().old;
            retain_held(old);
            old.extend(nodes.iter().map(|node| Arc::downgrade(node.registration())));
        }
        for node in nodes {
            self.devices.unregister(node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under it.
        self.state.lock()
    }
}

fn retain_held(nodes: &mut Vec<Weak<Registration>>) {
    nodes.retain(|node| node.upgrade().is_some_and(|node| node.open_files() > 0));
}

/// The names of the nodes there are.
impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list().iter().map(|node| node.name().to_owned())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fops_runtime::{Cause, DeviceLifetime, Errno, File, OpenFlags, Result, Unplug, guarded_fops};

    struct Null {
        lifetime: DeviceLifetime<()>,
    }

    #[guarded_fops(lifetime = lifetime, resources = (), unplug(), crate = fops_runtime)]
    impl FileOperations for Null {
        type Open = ();

        fn open(&self, _file: &File) -> Result {
            Ok(())
        }
    }

    fn bound(devices: &Arc<Devices>) -> (Arc<Nodes>, Arc<Null>) {
        let (nodes, device) = (Nodes::new(devices), Arc::new(Null { lifetime: DeviceLifetime::new(()) }));
        nodes.register("null", &device, None);
        nodes.bound();
        (nodes, device)
    }

    #[test]
    fn who_accepts_files_again_does_so_for_itself() {
        let devices = Devices::new();
        let [(parent, _), (child, _)] = [(); 2].map(|()| bound(&devices));
        parent.take_along(&child);
        let held = devices.open("null0", OpenFlags::RDWR).unwrap();
        assert!(child.refuse_opens());
        assert!(!parent.refuse_opens(), "a file is open");
        assert_eq!(devices.open("null1", OpenFlags::RDWR).err(), Some(Errno::ENODEV), "its own driver is unloaded");
        child.accept_opens();
        drop(devices.open("null1", OpenFlags::RDWR).unwrap());
        drop(held);
        assert!(parent.refuse_opens());
        assert_eq!(devices.open("null1", OpenFlags::RDWR).err(), Some(Errno::ENODEV), "it goes along");
        parent.accept_opens();
        drop(devices.open("null1", OpenFlags::RDWR).unwrap());
    }

    #[test]
    fn what_has_been_taken_away_is_forgotten_with_its_last_file() {
        let devices = Devices::new();
        let (nodes, first) = bound(&devices);
        let held = devices.open("null0", OpenFlags::RDWR).unwrap();
        first.unplug(Cause::Unbind).unwrap();
        nodes.unregister_unplugged();
        for _ in 0..10 {
            let device = Arc::new(Null { lifetime: DeviceLifetime::new(()) });
            nodes.register("null", &device, None);
            device.unplug(Cause::Unbind).unwrap();
            nodes.unregister_unplugged();
        }
        assert!(nodes.are_held());
        #[cfg(all(feature = "fuse", target_os = "linux"))]
        assert!(devices.keeps_old_names());
        assert!(nodes.lock().old.len() <= 2, "{}", nodes.lock().old.len());
        drop(held);
        assert!(!nodes.are_held());
        #[cfg(all(feature = "fuse", target_os = "linux"))]
        assert!(!devices.keeps_old_names());
    }

    #[test]
    fn what_goes_along_is_counted_once() {
        let devices = Devices::new();
        let (parent, child) = (Nodes::new(&devices), Nodes::new(&devices));
        for _ in 0..10 {
            parent.take_along(&child);
        }
        assert_eq!(parent.lock().dependents.len(), 1);
        let other = Nodes::new(&devices);
        parent.take_along(&other);
        assert_eq!(parent.lock().dependents.len(), 2);
        drop((child, other));
        parent.take_along(&Nodes::new(&devices));
        assert_eq!(parent.lock().dependents.len(), 1);
    }
}
