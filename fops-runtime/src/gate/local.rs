//! Slots of each thread's own: a section is two stores and a load, and no other thread's cache line is touched.
//!
//! A thread has blocks of slots, found through a thread-local pointer. Blocks are never freed: when a thread ends,
//! those that hold no open section are handed to threads that come later, so an unplug may walk all of them at any
//! time.
//!
//! # Why it is right
//! A section writes the device's number into a slot, passes the light fence, and looks at the device's flag. Unplug
//! sets the flag, passes the heavy fence, and looks at the slots. The two fences are such that not both looks can miss
//! the other's write: either the section sees the flag and is refused, or unplug sees the slot and waits. At exit it is
//! the same with the slot cleared: either the section sees the flag and wakes the waiter, or unplug sees the slot
//! clear. `SeqCst` fences on both sides are such; so are nothing but a compiler's fence here and a
//! `membarrier(2)` there, which makes every thread of the process pass a full fence at once.
use super::entry::{Entry, FREE};
use super::{Section, fence};
use crate::Op;
use crate::platform;
use crate::platform::atomic::{AtomicPtr, AtomicU64, Ordering};
use core::ptr;

/// Slots of one thread, and a cache line or more for no other.
#[repr(align(128))]
struct Block {
    entries: [Entry; BLOCK_LEN],
    /// Whose it is, or was while sections are left in it.
    thread: AtomicU64,
    /// The next block of all; fixed once the block is public.
    next: Option<&'static Block>,
    /// The next block of this thread, in a ring.
    ring: AtomicPtr<Block>,
}

/// How many slots a block has. Models make do with few.
const BLOCK_LEN: usize = if cfg!(loom) { 2 } else { 14 };

impl Block {
    fn new() -> Self {
        Self {
            entries: core::array::from_fn(|_| Entry::new()),
            thread: AtomicU64::new(0),
            next: None,
            ring: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

platform::shared_static! {
    /// All blocks, the newest first.
    static BLOCKS: AtomicPtr<Block> = AtomicPtr::new(ptr::null_mut());
}
platform::shared_static! {
    /// Blocks whose thread has ended.
    static RETIRED: platform::Lock<Vec<&'static Block>> = platform::Lock::new(Vec::new());
}

extern crate std;
use std::boxed::Box;
use std::vec::Vec;

/// All blocks of all threads.
fn blocks() -> impl Iterator<Item = &'static Block> {
    // Acquire pairs with the release in `publish`: a block is seen as it was made.
    // SAFETY: blocks are leaked before they are put here.
    let first = unsafe { BLOCKS.load(Ordering::Acquire).as_ref() };
    core::iter::successors(first, |block| block.next)
}

/// A free slot in the block that the thread used last, to be used with the asymmetric fence. `None` in threads that
/// are new or about to end, where that block is full, and in all threads where light fences are real ones.
#[inline]
pub(super) fn fast() -> Option<&'static Entry> {
    let block = platform::fast_block().cast::<Block>();
    // SAFETY: null, or a block that this thread owns. Blocks are never freed.
    let block: &'static Block = unsafe { block.as_ref()? };
    let first = &block.entries[0];
    // Acquire: see `Block::free`.
    if first.device.load(Ordering::Acquire) == FREE { Some(first) } else { nested(block) }
}

#[inline(never)]
fn nested(block: &'static Block) -> Option<&'static Entry> {
    block.free()
}

/// Takes a free slot of this thread; there always is one, if need be in a new block.
#[cold]
#[inline(never)]
pub(super) fn claim(tag: u64, op: &'static Op) -> Option<&'static Entry> {
    let current = platform::own_block().cast::<Block>();
    // SAFETY: null, or a block that this thread owns. Blocks are never freed.
    let Some(current) = (unsafe { current.as_ref() }) else { return adopt(tag, op) };
    if let Some(entry) = current.claim(tag, op) {
        return Some(entry);
    }
    // The ring of this thread's blocks, from the current one on: what was filled last is likely to be full.
    let mut last = current;
    loop {
        // SAFETY: a ring of blocks that this thread owns.
        let block = unsafe { &*last.ring.load(Ordering::Relaxed) };
        if ptr::eq(block, current) {
            break;
        }
        if let Some(entry) = block.claim(tag, op) {
            make_current(block);
            return Some(entry);
        }
        last = block;
    }
    let block = obtain();
    // Into the ring, behind the current one.
    block.ring.store(current.ring.load(Ordering::Relaxed), Ordering::Relaxed);
    current.ring.store(ptr::from_ref(block).cast_mut(), Ordering::Relaxed);
    make_current(block);
    block.claim(tag, op)
}

/// Gives a new thread its first block, and takes a slot of it.
fn adopt(tag: u64, op: &'static Op) -> Option<&'static Entry> {
    let block = obtain();
    let entry = block.claim(tag, op);
    block.ring.store(ptr::from_ref(block).cast_mut(), Ordering::Relaxed);
    if platform::at_thread_exit(retire) {
        make_current(block);
    } else {
        // The last moments of a thread: the block is left at once, and is for others when this section has ended.
        RETIRED.lock().push(block);
    }
    entry
}

fn make_current(block: &'static Block) {
    platform::set_blocks(ptr::from_ref(block).cast(), fence::is_asymmetric());
}

/// A block for this thread: one that another has left, or a new one.
fn obtain() -> &'static Block {
    let left = {
        let mut retired = RETIRED.lock();
        // One with an open section keeps its thread's name until that has ended.
        let clear = retired.iter().position(|block| block.is_clear());
        clear.map(|at| retired.swap_remove(at))
    };
    let block = left.unwrap_or_else(publish);
    block.thread.store(platform::thread_id(), Ordering::Relaxed);
    block
}

fn publish() -> &'static Block {
    #[cfg(not(loom))]
    platform::at_fork_in_child(forget_other_threads);
    let block = Box::leak(Box::new(Block::new()));
    let mut first = BLOCKS.load(Ordering::Acquire);
    loop {
        // SAFETY: null, or a block that was leaked before it was put there.
        block.next = unsafe { first.as_ref() };
        // Release: who sees the block sees its fields. Acquire: what it points to is seen too.
        match BLOCKS.compare_exchange(first, block, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return block,
            Err(newer) => first = newer,
        }
    }
}

/// The thread ends: its blocks are for others, as soon as their sections have ended.
fn retire() {
    let first = platform::own_block().cast::<Block>();
    platform::set_blocks(ptr::null(), false);
    // SAFETY: null, or a block that this thread owns.
    let Some(first) = (unsafe { first.as_ref() }) else { return };
    let mut retired = RETIRED.lock();
    let mut block = first;
    loop {
        retired.push(block);
        // SAFETY: a ring of blocks that this thread owns.
        block = unsafe { &*block.ring.load(Ordering::Relaxed) };
        if ptr::eq(block, first) {
            return;
        }
    }
}

impl Block {
    /// A free slot of the block, which belongs to the current thread.
    fn free(&'static self) -> Option<&'static Entry> {
        // Acquire: where another thread ended the section, what that did comes before what happens here, and so
        // before what unplug reads of this slot next.
        self.entries.iter().find(|entry| entry.device.load(Ordering::Acquire) == FREE)
    }

    fn claim(&'static self, tag: u64, op: &'static Op) -> Option<&'static Entry> {
        let entry = self.free()?;
        entry.open(tag, op);
        Some(entry)
    }

    fn is_clear(&self) -> bool {
        self.entries.iter().all(|entry| entry.device.load(Ordering::Acquire) == FREE)
    }
}

/// All slots of all threads.
pub(super) fn entries() -> impl Iterator<Item = &'static Entry> {
    blocks().flat_map(|block| &block.entries)
}

/// The sections of `device`, in one walk.
pub(super) fn sections(device: u64) -> impl Iterator<Item = Section> {
    blocks().flat_map(|block| block.entries.iter().map(move |entry| (block, entry))).filter_map(
        move |(block, entry)| {
            let (op, owned) = entry.section_of(device)?;
            Some(Section { op, thread: block.thread.load(Ordering::Relaxed), owned })
        },
    )
}

/// After `fork(2)`, in the child: the sections of the threads that it does not have are not its own.
#[cfg(not(loom))]
fn forget_other_threads() {
    let own = platform::own_block().cast::<Block>();
    // SAFETY: null, or a block that this thread owns.
    let here = unsafe { own.as_ref() }.map(|own| own.thread.load(Ordering::Relaxed));
    // Nothing but loads and stores: other threads may have been in the middle of anything.
    for block in blocks().filter(|block| Some(block.thread.load(Ordering::Relaxed)) != here) {
        block.entries.iter().for_each(Entry::clear);
    }
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Block>() <= 256, "a thread costs at most 256 bytes");
