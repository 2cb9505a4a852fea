//! Memory that is mapped: a page costs nothing until it is touched, and all of it goes back to the system.
use fops_runtime::{Errno, Result};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use std::ffi::c_void;
use std::ops::{Deref, DerefMut};
use std::ptr;

/// How much memory must be left after what an operation takes, in bytes: readers and removals need some, and Rust ends a
/// process whose small allocations fail.
const HEADROOM: usize = 8 << 20;

/// Mapped memory, zeros at first.
///
/// # Invariants
/// `at` is a private mapping of `len` bytes that this alone uses and unmaps.
pub(super) struct Pages {
    at: *mut c_void,
    len: usize,
}

// SAFETY: A mapping belongs to the process, not to a thread.
unsafe impl Send for Pages {}

impl Pages {
    /// # Errors
    /// `ENOMEM` if too little memory would be left.
    pub(super) fn new(len: usize) -> Result<Self> {
        let all = len + HEADROOM;
        // SAFETY: A new mapping, where the kernel likes it.
        let at = unsafe { mmap_anonymous(ptr::null_mut(), all, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) };
        let at = at.map_err(|_| Errno::ENOMEM)?;
        let rest = len.next_multiple_of(rustix::param::page_size());
        // SAFETY: The rest of the new mapping, which nothing refers to.
        let _ = unsafe { munmap(at.cast::<u8>().add(rest).cast(), all - rest) };
        // INVARIANT: A new mapping.
        Ok(Self { at, len })
    }

    /// Whether there is enough memory for `len` bytes more.
    pub(super) fn are_there(len: usize) -> bool {
        Self::new(len).is_ok()
    }

    /// Memory that the kernel can fill at any time.
    ///
    /// A thread of this process may hold the lock of its memory and wait for an answer of ours, if it maps a node that it
    /// serves itself. A page that is there needs no lock.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(super) fn present(len: usize) -> Result<Self> {
        let mut pages = Self::new(len)?;
        pages.iter_mut().step_by(rustix::param::page_size()).for_each(|byte| *byte = 1);
        Ok(pages)
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: The invariant.
        unsafe { std::slice::from_raw_parts(self.at.cast(), self.len) }
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: The invariant.
        unsafe { std::slice::from_raw_parts_mut(self.at.cast(), self.len) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: The invariant. If it fails, the memory is lost.
        let _ = unsafe { munmap(self.at, self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_there_or_is_not() {
        let mut pages = Pages::present(3 * 4096 + 1).unwrap();
        assert_eq!(pages.len(), 3 * 4096 + 1);
        pages.fill(7);
        assert_eq!(Pages::new(1 << 60).err(), Some(Errno::ENOMEM));
    }
}
