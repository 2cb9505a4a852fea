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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub(super) allow_other: bool,
    pub(super) mmap: Option<Mmap>,
    pub(super) operations_per_user: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { allow_other: false, mmap: None, operations_per_user: 1024 }
    }
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

    /// How many operations of one user may be in flight at a time, most of which sleep: 1024 by default.
    ///
    /// Each takes a thread of the server. A further one gets `EAGAIN`. If the server may have fewer threads
    /// (`TasksMax=` of systemd), an operation gets `ENOMEM` when there are no more; a lower number here leaves some for other
    /// users.
    #[must_use]
    pub fn operations_per_user(mut self, most: usize) -> Self {
        self.operations_per_user = most;
        self
    }
}
