//! The device nodes of a host, by name: devtmpfs.
use super::{BufferMemory, Node};
use crate::{FileOperations, Unplug};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The device nodes there are.
///
/// ```
/// # use fops_runtime::{DeviceLifetime, File, FileOperations, OpenFlags, Result, guarded_fops};
/// # struct Null { lifetime: DeviceLifetime<()> }
/// # #[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
/// # impl FileOperations for Null { type Open = (); fn open(&self, _: &File) -> Result { Ok(()) } }
/// use fops_runtime::{Cause, Errno, Unplug, host::Devices};
/// use std::sync::Arc;
///
/// let (devices, null) = (Devices::new(), Arc::new(Null { lifetime: DeviceLifetime::new(()) }));
/// let node = devices.register("null", null.clone(), None);
/// let file = devices.open("null0", OpenFlags::RDWR)?;
/// null.unplug(Cause::Unbind).unwrap();
/// devices.unregister(&node);
/// assert_eq!(devices.open("null0", OpenFlags::RDWR).err(), Some(Errno::ENODEV)); // a file is still open
/// drop(file);
/// assert_eq!(devices.open("null0", OpenFlags::RDWR).err(), Some(Errno::ENOENT));
/// # Ok::<(), fops_runtime::Errno>(())
/// ```
#[derive(Default)]
pub struct Devices {
    nodes: Mutex<BTreeMap<String, Arc<Node>>>,
}

impl Devices {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Registers a node for `device`, named `prefix` and the lowest number that is free.
    ///
    /// A number stays taken until the last file of its node is released: an old file is never mistaken for
    /// one of a new device.
    pub fn register<D>(self: &Arc<Self>, prefix: &str, device: Arc<D>, memory: Option<Arc<BufferMemory>>) -> Arc<Node>
    where
        D: FileOperations + Unplug,
    {
        let mut nodes = self.lock();
        let name = (0..)
            .map(|number: u32| format!("{prefix}{number}"))
            .find(|name| !nodes.contains_key(name))
            .expect("there are fewer nodes than numbers");
        let node = Arc::new(Node::new(name.clone(), device, memory, Registration::new(self)));
        nodes.insert(name, node.clone());
        node
    }

    /// The node's device is gone: the name goes with its last open file, or now if there is none.
    pub fn unregister(&self, node: &Node) {
        node.registration().lock().registered = false;
        self.sweep();
    }

    /// The node of this name.
    pub fn get(&self, name: &str) -> Option<Arc<Node>> {
        self.lock().get(name).cloned()
    }

    /// All nodes, by name.
    pub fn all(&self) -> Vec<Arc<Node>> {
        self.lock().values().cloned().collect()
    }

    /// Takes out the nodes that are gone.
    fn sweep(&self) {
        let mut gone = Vec::new();
        self.lock().retain(|_, node| {
            let keep = !node.registration().lock().is_gone();
            if !keep {
                gone.push(node.clone());
            }
            keep
        });
        // Dropped here, without the lock: a driver's state may go with its node.
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Node>>> {
        // Nothing panics under it.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

/// What keeps a node among its [`Devices`].
pub(super) struct Registration {
    devices: Weak<Devices>,
    state: Mutex<State>,
}

struct State {
    registered: bool,
    /// How many drivers are being unloaded whose code must not be entered any more: its own, and those it goes with.
    refusing: usize,
    open: usize,
}

impl State {
    const fn is_gone(&self) -> bool {
        !self.registered && self.open == 0
    }
}

impl Registration {
    fn new(devices: &Arc<Devices>) -> Self {
        Self { devices: Arc::downgrade(devices), state: Mutex::new(State { registered: true, refusing: 0, open: 0 }) }
    }

    /// Counts a file that is being opened, unless there must be none.
    pub(super) fn opened(&self) -> bool {
        let mut state = self.lock();
        let accepted = state.refusing == 0;
        state.open += usize::from(accepted);
        accepted
    }

    /// Refuses files from here on. `false`, and without effect, while one is open.
    pub(super) fn refuse_opens(&self) -> bool {
        let mut state = self.lock();
        let refused = state.open == 0;
        state.refusing += usize::from(refused);
        refused
    }

    /// For whom [`refuse_opens`](Self::refuse_opens) said `true`.
    pub(super) fn accept_opens(&self) {
        self.lock().refusing -= 1;
    }

    pub(super) fn closed(&self) {
        let mut state = self.lock();
        state.open -= 1;
        let gone = state.is_gone();
        drop(state);
        if gone && let Some(devices) = self.devices.upgrade() {
            devices.sweep();
        }
    }

    pub(super) fn open_files(&self) -> usize {
        self.lock().open
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
