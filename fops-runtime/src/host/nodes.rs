//! The nodes of one device on the bus.
use super::devices::{Devices, Registration};
use super::{BufferMemory, Node};
use crate::{FileOperations, Unplug};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The nodes of a device on the bus: its driver registers them, during probe or whenever else the device is bound, and
/// the bus takes them away with it.
///
/// A driver whose nodes have to wait for another device (`v4l2_async_notifier` in media/v4l2-async.h) keeps this, and
/// registers them when that has come.
pub struct Nodes {
    devices: Arc<Devices>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Its driver is being unloaded.
    refusing: bool,
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

type NewNode = Box<dyn FnOnce(&Arc<Devices>) -> Arc<Node> + Send>;

impl Nodes {
    pub(super) fn new(devices: &Arc<Devices>) -> Arc<Self> {
        let state =
            State { phase: Phase::Probing(Vec::new()), refusing: false, dependents: Vec::new(), old: Vec::new() };
        Arc::new(Self { devices: devices.clone(), state: Mutex::new(state) })
    }

    /// Registers a node `prefix` and a number for `device`, with the memory that its files map.
    ///
    /// It appears at once, or when probe has succeeded. Without effect once the device is not bound any more.
    pub fn register<D>(&self, prefix: &str, device: &Arc<D>, memory: Option<Arc<BufferMemory>>)
    where
        D: FileOperations + Unplug,
    {
        let State { phase, refusing, .. } = &mut *self.lock();
        match phase {
            Phase::Probing(new) => {
                let (prefix, device) = (prefix.to_owned(), device.clone());
                new.push(Box::new(move |devices| devices.register(&prefix, device, memory)));
            }
            Phase::Bound(nodes) => {
                let node = self.devices.register(prefix, device.clone(), memory);
                tracing::info!("{}: registered", node.name());
                if *refusing {
                    // Nobody has seen it yet.
                    node.registration().refuse_opens();
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
            let nodes = std::mem::take(new).into_iter().map(|node| node(&self.devices)).collect();
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
    pub(super) fn list(&self) -> Vec<Arc<Node>> {
        match &self.lock().phase {
            Phase::Bound(nodes) => nodes.clone(),
            Phase::Probing(_) | Phase::Gone => Vec::new(),
        }
    }

    /// Those that go with the device, its own and those of its dependents.
    fn all(&self) -> Vec<Arc<Node>> {
        let dependents: Vec<_> = self.lock().dependents.iter().filter_map(Weak::upgrade).collect();
        let mut nodes = self.list();
        nodes.extend(dependents.iter().flat_map(|nodes| nodes.list()));
        nodes
    }

    /// Refuses files from here on. `false`, and without effect, while one is open.
    pub(super) fn refuse_opens(&self) -> bool {
        self.lock().refusing = true;
        let refused = !self.are_held() && self.all().iter().all(|node| node.registration().refuse_opens());
        if !refused {
            self.accept_opens();
        }
        refused
    }

    pub(super) fn accept_opens(&self) {
        self.lock().refusing = false;
        self.all().iter().for_each(|node| node.registration().accept_opens());
    }

    /// Whether a file is open of a node that has been taken away: the driver's release is still to come.
    pub(super) fn are_held(&self) -> bool {
        let old = &mut self.lock().old;
        old.retain(|node| node.upgrade().is_some_and(|node| node.open_files() > 0));
        !old.is_empty()
    }

    fn unregister(&self, nodes: &[Arc<Node>]) {
        self.lock().old.extend(nodes.iter().map(|node| Arc::downgrade(node.registration())));
        for node in nodes {
            self.devices.unregister(node);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names of the nodes there are.
impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list().iter().map(|node| node.name().to_owned())).finish()
    }
}
