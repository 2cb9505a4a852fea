//! What there is under a name.
use super::attribute::Attribute;
use crate::nodes::node::Node;
use std::sync::Arc;

/// Something that has a name in a directory.
pub(super) struct Child {
    pub(super) name: String,
    pub(super) entry: Entry,
}

impl Child {
    pub(super) fn new(name: &str, entry: Entry) -> Self {
        Self { name: name.into(), entry }
    }

    pub(super) fn link(name: &str, target: String) -> Self {
        Self::new(name, Entry::Link(target))
    }
}

/// What there is under a name.
pub(super) enum Entry {
    Directory,
    Link(String),
    Text(String),
    Attribute(Attribute),
    Node(Arc<Node>),
}

impl Entry {
    /// The file type, as in `st_mode`.
    pub(super) const fn kind(&self) -> u32 {
        match self {
            Self::Directory => 0o040_000,
            Self::Link(_) => 0o120_000,
            Self::Text(_) | Self::Attribute(_) | Self::Node(_) => 0o100_000,
        }
    }

    /// Whether each lookup gets an inode of its own.
    ///
    /// The kernel holds the inode's lock while a write waits for the driver, and not interruptibly; so the
    /// inode is not shared, but where a mapping of the memory must be.
    pub(super) fn is_shared(&self) -> bool {
        match self {
            Self::Attribute(_) => false,
            Self::Node(node) => node.memory().is_some(),
            _ => true,
        }
    }
}
