//! The buffer memory of a node: what `mmap(2)` maps. It outlives unplug, as mapped memory does.
use crate::lock::{Lock, SharedLock};
use fops_runtime::{Errno, Result};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Weak};

/// Told that the device has filled a part of the memory, for hosts whose clients see a copy.
pub trait Published: Send + Sync {
    /// Bytes `range` hold new data. Runs on the thread of [`BufferMemory::publish`] and may sleep there.
    fn published(&self, range: Range<u64>);
}

/// Memory that a driver fills and that user space maps.
///
/// ```
/// use fops_host::BufferMemory;
///
/// let memory = BufferMemory::new(4096)?;
/// memory.write_at(0, b"frame")?;
/// memory.publish(0..5); // before the buffer is handed to user space
/// let mut seen = [0; 5];
/// memory.read_at(0, &mut seen)?;
/// assert_eq!(&seen, b"frame");
/// # Ok::<(), fops_runtime::Errno>(())
/// ```
pub struct BufferMemory {
    len: u64,
    backing: Backing,
    watchers: Lock<Vec<Weak<dyn Published>>>,
}

enum Backing {
    Heap(SharedLock<Vec<u8>>),
    /// A memory file, which another process can map.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    File(std::fs::File),
}

impl BufferMemory {
    /// Zeroed memory of `len` bytes; a memory file where the system has them.
    ///
    /// # Errors
    /// `ENOMEM` and what else `memfd_create(2)` says.
    pub fn new(len: usize) -> Result<Arc<Self>> {
        #[cfg(feature = "testkit")]
        crate::nodes::faults::allocation()?;
        let backing = Self::backing(len)?;
        Ok(Arc::new(Self { len: len as u64, backing, watchers: Lock::new(Vec::new()) }))
    }

    fn backing(len: usize) -> Result<Backing> {
        #[cfg(all(feature = "fuse", target_os = "linux"))]
        match rustix::fs::memfd_create("fops-buffers", rustix::fs::MemfdFlags::CLOEXEC) {
            Ok(file) => {
                let file = std::fs::File::from(file);
                file.set_len(len as u64)?;
                return Ok(Backing::File(file));
            }
            // A kernel or a sandbox without memory files: others are then given copies.
            Err(rustix::io::Errno::NOSYS) => {}
            Err(error) => return Err(Errno::from_raw(error.raw_os_error())),
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(len, 0);
        Ok(Backing::Heap(SharedLock::new(bytes)))
    }

    /// Its size, in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The memory file, for hosts that let others map it.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    pub const fn file(&self) -> Option<&std::fs::File> {
        match &self.backing {
            Backing::File(file) => Some(file),
            Backing::Heap(_) => None,
        }
    }

    /// Copies `data` to `offset`.
    ///
    /// # Errors
    /// `EFAULT` when it does not fit; nothing is copied then.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result {
        let range = self.range(offset, data.len())?;
        match &self.backing {
            Backing::Heap(bytes) => {
                bytes.write()[range].copy_from_slice(data);
            }
            #[cfg(all(feature = "fuse", target_os = "linux"))]
            Backing::File(file) => std::os::unix::fs::FileExt::write_all_at(file, data, offset)?,
        }
        Ok(())
    }

    /// Copies from `offset`.
    ///
    /// # Errors
    /// `EFAULT` when that is beyond the end.
    pub fn read_at(&self, offset: u64, data: &mut [u8]) -> Result {
        let range = self.range(offset, data.len())?;
        match &self.backing {
            Backing::Heap(bytes) => data.copy_from_slice(&bytes.read()[range]),
            #[cfg(all(feature = "fuse", target_os = "linux"))]
            Backing::File(file) => std::os::unix::fs::FileExt::read_exact_at(file, data, offset)?,
        }
        Ok(())
    }

    fn range(&self, offset: u64, len: usize) -> Result<Range<usize>> {
        let end = offset.checked_add(len as u64).filter(|&end| end <= self.len).ok_or(Errno::EFAULT)?;
        Ok(offset as usize..end as usize)
    }

    /// The device has filled `range`: from now on clients see it. `dma_sync_single_for_cpu()`.
    ///
    /// A host may sleep here until a client's page fault is served: call it without locks.
    pub fn publish(&self, range: Range<u64>) {
        let watchers: Vec<_> = self.watchers().iter().filter_map(Weak::upgrade).collect();
        for watcher in watchers {
            watcher.published(range.clone());
        }
    }

    /// Tells `watcher` of every [`publish`](Self::publish), for hosts.
    pub fn watch(&self, watcher: &Arc<dyn Published>) {
        let mut watchers = self.watchers();
        watchers.retain(|other| other.strong_count() > 0);
        let watcher = Arc::downgrade(watcher);
        if !watchers.iter().any(|other| other.ptr_eq(&watcher)) {
            watchers.push(watcher);
        }
    }

    fn watchers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<dyn Published>>> {
        self.watchers.lock()
    }
}

impl fmt::Debug for BufferMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferMemory").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_is_bounded() {
        let memory = BufferMemory::new(8).unwrap();
        assert_eq!(memory.write_at(4, &[1; 4]), Ok(()));
        assert_eq!(memory.write_at(5, &[1; 4]), Err(Errno::EFAULT));
        assert_eq!(memory.write_at(u64::MAX, &[1]), Err(Errno::EFAULT));
        let mut out = [9; 8];
        assert_eq!(memory.read_at(0, &mut out), Ok(()));
        assert_eq!(out, [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(memory.read_at(1, &mut out), Err(Errno::EFAULT));
    }

    #[test]
    fn memory_has_the_size_that_was_asked_for() {
        let (some, none) = (BufferMemory::new(8).unwrap(), BufferMemory::new(0).unwrap());
        assert_eq!((some.len(), some.is_empty()), (8, false));
        assert_eq!((none.len(), none.is_empty()), (0, true));
        assert!(format!("{some:?}").contains("len: 8"));
        #[cfg(all(feature = "fuse", target_os = "linux"))]
        assert_eq!(some.file().map(|file| file.metadata().unwrap().len()), Some(8));
    }

    #[test]
    fn each_watcher_is_told_once_and_forgotten_when_it_is_gone() {
        #[derive(Default)]
        struct Told(Lock<Vec<Range<u64>>>);
        impl Published for Told {
            fn published(&self, range: Range<u64>) {
                self.0.lock().push(range);
            }
        }
        let memory = BufferMemory::new(8).unwrap();
        let told = [(); 3].map(|()| Arc::new(Told::default()));
        for watcher in told.iter().chain(&told) {
            let watcher: Arc<dyn Published> = watcher.clone();
            memory.watch(&watcher);
        }
        memory.publish(2..4);
        assert!(told.iter().all(|watcher| watcher.0.lock().iter().eq([&(2..4)])));
        drop(told);
        let last: Arc<dyn Published> = Arc::new(Told::default());
        memory.watch(&last);
        assert_eq!(memory.watchers().len(), 1);
    }
}
