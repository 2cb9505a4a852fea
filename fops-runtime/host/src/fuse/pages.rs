//! Memory that is mapped: a page costs nothing until it is touched, and all of it goes back to the system.
use fops_runtime::{Errno, Result};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
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

    /// Gives the memory beyond the first `kept` bytes back; zeros are there then.
    pub(super) fn shrink(&mut self, kept: usize) {
        let kept = kept.next_multiple_of(rustix::param::page_size());
        if kept < self.len {
            // SAFETY: The invariant; `&mut self`: nobody refers to it. If it fails, the memory stays.
            let _ = unsafe { madvise(self.at.cast::<u8>().add(kept).cast(), self.len - kept, Advice::LinuxDontNeed) };
        }
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
    fn memory_that_was_given_back_is_zero() {
        let mut pages = Pages::new(3 * 4096 + 1).unwrap();
        assert_eq!(pages.len(), 3 * 4096 + 1);
        pages.fill(7);
        pages.shrink(4096);
        assert!(pages[..4096].iter().all(|&byte| byte == 7) && pages[4096..].iter().all(|&byte| byte == 0));
        assert_eq!(Pages::new(1 << 60).err(), Some(Errno::ENOMEM));
    }
}
