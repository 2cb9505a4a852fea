//! Names and inodes: what there is in the mounted directory, and by which numbers the kernel knows it.
use super::abi::{fuse_attr, fuse_attr_out, fuse_entry_out};
use super::entry::{Child, Entry};
use super::looked_up::LookedUp;
use super::sysfs;
use crate::bus::bus_type::Bus;
use crate::lock::Lock;
use crate::log::log;
use crate::nodes::node::Node;
use fops_runtime::{Errno, Request, Result};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, MutexGuard, Weak};
use std::time::{Duration, SystemTime};

/// What an inode stands for.
#[derive(Clone)]
enum Object {
    /// What has this path, whatever that is now.
    Path(String),
    /// This very node: a new one of the same name is another.
    Node { path: String, node: Weak<Node>, attr: fuse_attr },
}

struct Inode {
    object: Object,
    /// How many lookups the kernel has not forgotten.
    lookups: u64,
}

#[derive(Default)]
struct Inodes {
    /// By the number that the kernel knows; none is used twice.
    by_id: HashMap<u64, Inode>,
    /// The shared ones, by path and the node's id.
    shared: HashMap<(String, u64), u64>,
    last: u64,
}

/// Whom everything belongs to, and who else gets in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) allow_other: bool,
}

pub(super) struct Tree {
    bus: Arc<Bus>,
    owner: Owner,
    looked_up: LookedUp,
    mounted: Duration,
    inodes: Lock<Inodes>,
}

/// The root's inode.
const ROOT: u64 = 1;

impl Tree {
    pub(super) fn new(bus: Arc<Bus>, owner: Owner) -> Self {
        let root = Inode { object: Object::Path(String::new()), lookups: 1 };
        let inodes = Inodes { by_id: HashMap::from([(ROOT, root)]), shared: HashMap::new(), last: ROOT };
        let mounted = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { bus, owner, looked_up: LookedUp::default(), mounted, inodes: Lock::new(inodes) }
    }

    pub(super) const fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// What is in the directory `path`.
    fn children(&self, path: &str) -> Vec<Child> {
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        match parts.as_slice() {
            [] => vec![Child::new("dev", Entry::Directory), Child::new("sys", Entry::Directory)],
            ["dev"] => {
                let nodes = self.bus.devices().all();
                nodes.into_iter().map(|node| Child::new(node.name(), Entry::Node(node.clone()))).collect()
            }
            ["sys", "dev", "char", "0:0"] => sysfs::uevent_of_files(&self.bus, self.looked_up.by(reader())),
            ["sys", path @ ..] => sysfs::children(&self.bus, path),
            _ => Vec::new(),
        }
    }

    fn child(&self, path: &str, name: &str) -> Result<Entry> {
        let found = self.children(path).into_iter().find(|child| child.name == name);
        found.map(|child| child.entry).ok_or(Errno::ENOENT)
    }

    /// Whether the inode is a node's.
    pub(super) fn is_node(&self, nodeid: u64) -> bool {
        self.lock().by_id.get(&nodeid).is_some_and(|inode| matches!(inode.object, Object::Node { .. }))
    }

    /// What the inode stands for, and its path.
    pub(super) fn get(&self, nodeid: u64) -> Result<(String, Entry)> {
        let object = self.lock().by_id.get(&nodeid).map(|inode| inode.object.clone()).ok_or(Errno::ENOENT)?;
        match object {
            Object::Node { path, node, .. } => Ok((path, Entry::Node(node.upgrade().ok_or(Errno::ENODEV)?))),
            Object::Path(path) => {
                let entry = match path.rsplit_once('/') {
                    None => Entry::Directory,
                    Some((parent, name)) => self.child(parent, name)?,
                };
                Ok((path, entry))
            }
        }
    }

    /// `FUSE_LOOKUP`. The kernel has to forget what it is given.
    pub(super) fn lookup(&self, parent: u64, name: &[u8]) -> Result<fuse_entry_out> {
        let (directory, Entry::Directory) = self.get(parent)? else { return Err(Errno::ENOTDIR) };
        let name = std::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
        let entry = self.child(&directory, name)?;
        self.note(&entry);
        let path = format!("{directory}/{name}");
        let attr = self.attr(&path, &entry);
        // Names and attributes are asked for anew each time: nodes come and go.
        Ok(fuse_entry_out { nodeid: self.remember(path, &entry, attr), attr, ..Default::default() })
    }

    /// The caller asks what the node is, and may look into sysfs for that next.
    fn note(&self, entry: &Entry) {
        if let (Entry::Node(node), Some(reader)) = (entry, reader()) {
            self.looked_up.note(reader, node.name());
        }
    }

    fn remember(&self, path: String, entry: &Entry, attr: fuse_attr) -> u64 {
        let mut inodes = self.lock();
        let id = if let Entry::Node(node) = entry { node.id() } else { 0 };
        let key = (path, id);
        if let Some(&nodeid) = inodes.shared.get(&key)
            && let Some(inode) = inodes.by_id.get_mut(&nodeid)
        {
            inode.lookups += 1;
            return nodeid;
        }
        inodes.last += 1;
        let nodeid = inodes.last;
        if entry.is_shared() {
            inodes.shared.insert(key.clone(), nodeid);
        }
        let object = match entry {
            Entry::Node(node) => Object::Node { attr, path: key.0, node: Arc::downgrade(node) },
            _ => Object::Path(key.0),
        };
        inodes.by_id.insert(nodeid, Inode { object, lookups: 1 });
        nodeid
    }

    /// `FUSE_FORGET`.
    pub(super) fn forget(&self, nodeid: u64, lookups: u64) {
        let mut inodes = self.lock();
        let Some(inode) = inodes.by_id.get_mut(&nodeid) else {
            log!(warn, "fuse: the kernel forgets inode {nodeid}, which it was not given");
            return;
        };
        inode.lookups = inode.lookups.saturating_sub(lookups);
        if inode.lookups == 0 && nodeid != ROOT {
            inodes.by_id.remove(&nodeid);
            inodes.shared.retain(|_, shared| *shared != nodeid);
        }
    }

    /// `FUSE_GETATTR`.
    pub(super) fn getattr(&self, nodeid: u64) -> Result<fuse_attr_out> {
        // A node that is gone is what it was, without a name: a descriptor with O_PATH may be left.
        if let Some(Inode { object: Object::Node { node, attr, .. }, .. }) = self.lock().by_id.get(&nodeid)
            && node.strong_count() == 0
        {
            return Ok(fuse_attr_out { attr: fuse_attr { nlink: 0, ..*attr }, ..Default::default() });
        }
        let (path, entry) = self.get(nodeid)?;
        self.note(&entry);
        Ok(fuse_attr_out { attr: self.attr(&path, &entry), ..Default::default() })
    }

    fn attr(&self, path: &str, entry: &Entry) -> fuse_attr {
        let Owner { uid, gid, allow_other } = self.owner;
        let (permissions, size) = match entry {
            Entry::Directory => (0o755, 0),
            Entry::Link(target) => (0o777, target.len() as u64),
            // As in sysfs: a page, whatever is in it.
            Entry::Text(_) => (0o444, 4096),
            // The owner's alone, whoever else gets in.
            Entry::Attribute(_) => (0o200, 4096),
            Entry::Node(node) => {
                (if allow_other { 0o666 } else { 0o600 }, node.memory().map_or(0, |memory| memory.len()))
            }
        };
        let (time, nsec) = (self.mounted.as_secs(), self.mounted.subsec_nanos());
        fuse_attr {
            ino: ino(path, entry),
            size,
            blocks: 0,
            atime: time,
            mtime: time,
            ctime: time,
            atimensec: nsec,
            mtimensec: nsec,
            ctimensec: nsec,
            mode: entry.kind() | permissions,
            nlink: if matches!(entry, Entry::Directory) { 2 } else { 1 },
            uid,
            gid,
            rdev: 0,
            blksize: 4096,
            padding: 0,
        }
    }

    /// What `readdir(3)` of the directory lists: number, type and name.
    pub(super) fn list(&self, nodeid: u64) -> Result<Vec<(u64, u32, String)>> {
        let (path, entry @ Entry::Directory) = self.get(nodeid)? else { return Err(Errno::ENOTDIR) };
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        let mut list = vec![
            (ino(&path, &entry), entry.kind(), ".".into()),
            (ino(parent, &Entry::Directory), entry.kind(), "..".into()),
        ];
        for Child { name, entry } in self.children(&path) {
            list.push((ino(&format!("{path}/{name}"), &entry), entry.kind(), name));
        }
        Ok(list)
    }

    fn lock(&self) -> MutexGuard<'_, Inodes> {
        // Nothing panics under it.
        self.inodes.lock()
    }
}

/// The thread that asks.
fn reader() -> Option<u32> {
    // None: it is in a pid namespace that this process cannot see.
    Request::current().client().map(|client| client.pid)
}

/// A number for a path.
fn number(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(path.as_bytes());
    hasher.finish()
}

/// The number that clients see: the same for all inodes of one thing.
fn ino(path: &str, entry: &Entry) -> u64 {
    match entry {
        Entry::Node(node) => number(path).wrapping_add(node.id()),
        _ if path.is_empty() => ROOT,
        _ => number(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::devices::Devices;

    #[test]
    fn what_is_forgotten_is_gone() {
        let owner = Owner { uid: 0, gid: 0, allow_other: false };
        let tree = Tree::new(Bus::new("bus", Devices::new()), owner);
        let nodeid = |name: &[u8]| tree.lookup(ROOT, name).map(|entry| entry.nodeid);
        let (dev, sys) = (nodeid(b"dev").unwrap(), nodeid(b"sys").unwrap());
        assert_eq!(nodeid(b"dev"), Ok(dev));
        assert_eq!(nodeid(b"none"), Err(Errno::ENOENT));
        tree.forget(dev, 1);
        assert!(tree.getattr(dev).is_ok());
        tree.forget(dev, 1);
        assert_eq!(tree.getattr(dev).err(), Some(Errno::ENOENT));
        tree.forget(sys, u64::MAX);
        tree.forget(ROOT, 9);
        tree.forget(4711, 1);
        let inodes = tree.lock();
        assert_eq!((inodes.by_id.len(), inodes.shared.len()), (1, 0));
    }
}
