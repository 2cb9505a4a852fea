//! The device nodes of a host, by name: devtmpfs.
use crate::lock::Lock;
use crate::nodes::buffer::BufferMemory;
use crate::nodes::kind::NodeKind;
use crate::nodes::node::Node;
use crate::nodes::registration::{Registration, Table};
use fops_runtime::{Device, FileOperations};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, MutexGuard};

/// The device nodes there are.
///
/// ```
/// # use fops_runtime::{DeviceLifetime, File, FileOperations, OpenFlags, Result, guarded_fops};
/// # struct Null { lifetime: DeviceLifetime<()> }
/// # #[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
/// # impl FileOperations for Null { type Open = (); fn open(&self, _: &File) -> Result { Ok(()) } }
/// use fops_host::Devices;
/// use fops_runtime::{Cause, Errno, Unplug};
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
    nodes: Lock<BTreeMap<String, Arc<Node>>>,
    kinds: Lock<Vec<Arc<NodeKind>>>,
}

impl Devices {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Says what sysfs calls the nodes of one prefix: those that are registered from now on have a device number.
    pub fn add_kind(&self, kind: NodeKind) {
        self.kinds.lock().push(Arc::new(kind));
    }

    /// All kinds that have been added.
    pub(crate) fn kinds(&self) -> Vec<Arc<NodeKind>> {
        self.kinds.lock().clone()
    }

    /// Registers a node for `device`, named `prefix` and the lowest number that is free.
    ///
    /// A number stays taken until the last file of its node is released: an old file is never mistaken for
    /// one of a new device.
    pub fn register<D>(self: &Arc<Self>, prefix: &str, device: Arc<D>, memory: Option<Arc<BufferMemory>>) -> Arc<Node>
    where
        D: FileOperations + Device,
    {
        let kind = self.kinds().into_iter().find(|kind| kind.prefix == prefix);
        let mut nodes = self.lock();
        let (number, name) = (0..)
            .map(|number: u32| (number, format!("{prefix}{number}")))
            .find(|(_, name)| !nodes.contains_key(name))
            .expect("there are fewer nodes than numbers");
        let registration = Registration::new(Arc::<Self>::downgrade(self));
        let kind = kind.map(|kind| (kind, number));
        let node = Arc::new(Node::new(name.clone(), kind, device, memory, registration));
        nodes.insert(name, node.clone());
        node
    }

    /// The node's device is gone: the name goes with its last open file, or now if there is none.
    pub fn unregister(&self, node: &Node) {
        node.registration().unregister();
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

    /// Whether a node whose device is gone keeps its name, since a file of it is open.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    pub(crate) fn keeps_old_names(&self) -> bool {
        self.lock().values().any(|node| node.registration().is_leaving())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Node>>> {
        // Nothing panics under it.
        self.nodes.lock()
    }
}

impl Table for Devices {
    fn sweep(&self) {
        let mut gone = Vec::new();
        self.lock().retain(|_, node| {
            let keep = !node.registration().is_gone();
            if !keep {
                gone.push(node.clone());
            }
            keep
        });
        // Dropped here, without the lock: a driver's state may go with its node.
        drop(gone);
    }
}

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}
