//! How a directory is to be served.
use super::mapping::Mmap;

/// How a directory is to be served: for the server's user alone, with the best mapping that there is, unless
/// said otherwise.
///
/// ```
/// use fops_host::fuse::{Mmap, Options};
///
/// let options = Options::new().allow_other(true).mmap(Mmap::PageCache);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub(super) allow_other: bool,
    pub(super) mmap: Option<Mmap>,
}

impl Options {
    /// As the defaults are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets other users use the nodes, with mode 0666. `bind` and `unbind` remain the owner's alone.
    ///
    /// Who is not root needs `user_allow_other` in `/etc/fuse.conf` for that.
    #[must_use]
    pub fn allow_other(mut self, allow: bool) -> Self {
        self.allow_other = allow;
        self
    }

    /// Maps buffers in this way, where it can be had, else not at all.
    #[must_use]
    pub fn mmap(mut self, mmap: Mmap) -> Self {
        self.mmap = Some(mmap);
        self
    }
}
