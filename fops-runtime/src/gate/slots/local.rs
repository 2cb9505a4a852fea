//! Each thread has its own slots: a section writes to these alone, and reads the flag of its device.
//!
//! A thread finds its blocks of slots through a thread-local pointer. Blocks are never freed, so an unplug may walk all
//! of them at any time. When a thread ends, later threads reuse its blocks, as soon as they hold no open section.
//!
//! # Why it is right
//! A section writes the device's number into a slot, passes the light fence, and looks at the device's flag. Unplug
//! sets the flag, passes the heavy fence, and looks at the slots. With these two fences, at least one look sees the
//! other's write. Either the section sees the flag and is refused, or unplug sees the slot and waits. At exit it is the
//! same for the cleared slot. Either the section sees the flag and wakes the waiter, or unplug sees the slot clear.
//!
//! Two pairs of fences do this. One is `SeqCst` fences on both sides. The other is a compiler's fence in the section
//! and `membarrier(2)` in unplug, which makes every thread of the process pass a full fence at once.
mod fence;

use super::Section;
use super::entry::{Entry, FREE};
use crate::op::Op;
use crate::platform::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::platform::{self, needed};
use core::ptr;

pub(in crate::gate) use fence::{fence_kind, heavy, is_symmetric, light, light_symmetric};

/// Two slots: one for a section, and one for a section inside it.
type Pair = [Entry; 2];

/// Slots of one thread, and two cache lines for no other.
#[repr(align(128))]
struct Block {
    pairs: [Pair; PAIRS],
    /// The thread that owns the block. After that thread has ended, still its number until the last section in it ends.
    thread: AtomicU64,
    /// Whether a thread owns it and may put sections into it.
    taken: AtomicBool,
    /// The next block in the list of all blocks. Fixed once the block is public.
    next: AtomicPtr<Block>,
    /// The next block of this thread, in a ring.
    ring: AtomicPtr<Block>,
}

/// The number of pairs in a block. Models use few.
const PAIRS: usize = if cfg!(loom) { 1 } else { 3 };

impl Block {
    fn new() -> Self {
        Self {
            pairs: platform::repeat!([Entry::new(), Entry::new()]; PAIRS),
            thread: AtomicU64::new(0),
            taken: AtomicBool::new(true),
            next: AtomicPtr::new(ptr::null_mut()),
            ring: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

platform::shared_static! {
    /// All blocks, the newest first.
    static BLOCKS: AtomicPtr<Block> = AtomicPtr::new(ptr::null_mut());
}
platform::shared_static! {
    /// About how many blocks no thread owns. This is mostly 0, and then a new thread need not search for one.
    static RETIRED: AtomicUsize = AtomicUsize::new(0);
}

extern crate std;
use std::boxed::Box;

/// All blocks of all threads.
fn blocks() -> impl Iterator<Item = &'static Block> {
    // Acquire pairs with the release in `publish`: we see the block as it was made, and all blocks behind it.
    let first = BLOCKS.load(needed("acquire of the blocks", Ordering::Acquire));
    // SAFETY: null, or leaked before it was put there.
    let block = |at: *mut Block| unsafe { at.as_ref() };
    core::iter::successors(block(first), move |seen: &&Block| block(seen.next.load(Ordering::Relaxed)))
}

/// Nothing: each section has a slot.
pub(in crate::gate) struct Tally;

impl Tally {
    pub(in crate::gate) const fn new() -> Self {
        Self
    }

    pub(in crate::gate) const fn unnamed(&self) -> usize {
        0
    }
}

/// The slot of one section.
#[must_use = "the section stays open until the slot is cleared"]
pub(crate) struct Slot(&'static Entry);

#[cfg(feature = "tracing")]
impl Slot {
    /// A number that no other open section has. Here every section has one.
    #[inline(always)]
    pub(crate) fn key(&self) -> Option<usize> {
        Some(ptr::from_ref(self.0).addr())
    }
}

impl Entry {
    /// Whether the thread that owns the slot may put a section here.
    #[inline(always)]
    fn is_free(&self) -> bool {
        // Acquire: another thread may have ended the last section. All that the section did comes before the next write
        // to this slot, and so before an unplug that reads that write.
        self.device.load(needed("acquire of a free slot", Ordering::Acquire)) == FREE
    }
}

/// Puts a section into a free slot of this thread.
///
/// The thread keeps a pointer to a pair of slots of its own. One of the two is free unless sections nest deeper.
#[inline(always)]
pub(in crate::gate) fn open(_: &Tally, tag: u64, op: &'static Op) -> Slot {
    let spot = platform::spot().cast::<Pair>();
    // SAFETY: null, or of a block that this thread owns. Blocks are never freed.
    let Some([first, second]) = (unsafe { spot.as_ref() }) else { return claim(tag, op) };
    let mut entry = first;
    if !entry.is_free() {
        nested();
        entry = second;
        if !entry.is_free() {
            return claim(tag, op);
        }
    }
    entry.open(tag, op);
    Slot(entry)
}

/// Ends the section.
#[inline(always)]
pub(in crate::gate) fn clear(_: &Tally, slot: Slot) {
    slot.0.clear();
}

/// Tells the compiler which branch to lay out straight: nested sections jump.
#[cold]
#[inline(always)]
fn nested() {}

/// Puts a section into a free slot of this thread. If no slot is free, the thread gets a new block.
#[cold]
#[inline(never)]
fn claim(tag: u64, op: &'static Op) -> Slot {
    let current = platform::own_block().cast::<Block>();
    // SAFETY: null, or a block that this thread owns. Blocks are never freed.
    let Some(current) = (unsafe { current.as_ref() }) else { return adopt(tag, op) };
    // The ring of this thread's blocks, from the current one on.
    let mut block = current;
    loop {
        if let Some(free) = block.free() {
            use_from_now_on(block, free);
            break;
        }
        // SAFETY: a ring of blocks that this thread owns.
        block = unsafe { &*block.ring.load(Ordering::Relaxed) };
        if ptr::eq(block, current) {
            block = obtain();
            // Into the ring, behind the current one.
            block.ring.store(current.ring.load(Ordering::Relaxed), Ordering::Relaxed);
            current.ring.store(ptr::from_ref(block).cast_mut(), Ordering::Relaxed);
            use_from_now_on(block, &block.pairs[0]);
            break;
        }
    }
    // It finds a free slot now.
    open(&Tally, tag, op)
}

/// Gives a new thread its first block, and puts the section there.
fn adopt(tag: u64, op: &'static Op) -> Slot {
    let block = obtain();
    block.ring.store(ptr::from_ref(block).cast_mut(), Ordering::Relaxed);
    let entry = &block.pairs[0][0];
    entry.open(tag, op);
    if platform::at_thread_exit(retire) {
        use_from_now_on(block, &block.pairs[0]);
    } else {
        // The thread is ending. Give the block up at once: other threads may take it when this section has ended.
        block.retire();
    }
    Slot(entry)
}

fn use_from_now_on(block: &'static Block, pair: &'static Pair) {
    platform::set_slots(ptr::from_ref(block).cast(), ptr::from_ref(pair).cast());
}

/// The thread ends. Other threads may take its blocks as soon as the sections in them have ended.
fn retire() {
    let first = platform::own_block().cast::<Block>();
    platform::set_slots(ptr::null(), ptr::null());
    // SAFETY: null, or a block that this thread owns.
    let Some(first) = (unsafe { first.as_ref() }) else { return };
    let mut block = first;
    loop {
        // Read it first: the next owner puts the block into its own ring.
        let next = block.ring.load(Ordering::Relaxed);
        block.retire();
        if ptr::eq(next, first) {
            return;
        }
        // SAFETY: a ring of blocks that this thread owns.
        block = unsafe { &*next };
    }
}

/// A block for this thread: one that another thread has left, or a new one.
///
/// It takes no lock. Another thread may be in here during a fork, and the child would never see its lock released.
fn obtain() -> &'static Block {
    // Relaxed: a hint. If we see too few, we make one block more.
    let left = if RETIRED.load(Ordering::Relaxed) == 0 { None } else { blocks().find(|block| block.take()) };
    let block = left.unwrap_or_else(publish);
    // Relaxed: a thread that sees a section in the block sees this too, because the section's store is a release.
    block.thread.store(platform::thread_id(), Ordering::Relaxed);
    block
}

fn publish() -> &'static Block {
    static AT_FORK: platform::AtFork = platform::AtFork::new(|| Box::new(()), forget_other_threads);
    AT_FORK.register();
    let block: &'static Block = Box::leak(Box::new(Block::new()));
    // Relaxed: we read nothing of the first block. A thread that sees our block still sees the first block as it was
    // made: every write to the word is this exchange, so all writes are one release sequence.
    let mut first = BLOCKS.load(Ordering::Relaxed);
    loop {
        block.next.store(first, Ordering::Relaxed);
        let new = ptr::from_ref(block).cast_mut();
        // Release: a thread that sees the block sees its fields.
        match BLOCKS.compare_exchange(first, new, needed("release of a block", Ordering::Release), Ordering::Relaxed) {
            Ok(_) => return block,
            Err(newer) => first = newer,
        }
    }
}

impl Block {
    fn entries(&self) -> &[Entry] {
        self.pairs.as_flattened()
    }

    /// A pair with a free slot, in a block that belongs to the current thread.
    fn free(&self) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.iter().any(Entry::is_free))
    }

    /// Its thread has ended.
    fn retire(&self) {
        RETIRED.fetch_add(1, Ordering::Relaxed);
        // Release: all that this thread did with its slots comes before all that the next owner does.
        self.taken.store(false, needed("release of a retired block", Ordering::Release));
    }

    /// Makes it the current thread's, if no thread owns it and no section is left in it. A block with an open section
    /// keeps its thread's number until the section has ended.
    fn take(&self) -> bool {
        // Relaxed: the exchange looks again. Acquire pairs with the release in `retire`.
        let order = needed("acquire of a retired block", Ordering::Acquire);
        if self.taken.load(Ordering::Relaxed)
            || self.taken.compare_exchange(false, true, order, Ordering::Relaxed).is_err()
        {
            return false;
        }
        let clear = self.entries().iter().all(Entry::is_free);
        if clear {
            RETIRED.fetch_sub(1, Ordering::Relaxed);
        } else {
            // We did nothing with it. Release: all that its last thread did still comes before all that the next does.
            self.taken.store(false, Ordering::Release);
        }
        clear
    }
}

/// All slots of all threads.
pub(in crate::gate) fn entries() -> impl Iterator<Item = &'static Entry> {
    blocks().flat_map(Block::entries)
}

/// The sections of the devices that are meant, in one walk.
pub(in crate::gate) fn sections(is_meant: impl Fn(u64) -> bool) -> impl Iterator<Item = Section> {
    blocks()
        .flat_map(|block| block.entries().iter().map(move |entry| (block, entry)))
        .filter_map(move |(block, entry)| entry.section_of(&is_meant, || block.thread.load(Ordering::Relaxed)))
}

/// Whether this thread is inside a section of a device that is meant, other than an owned one. It looks at its own blocks
/// alone.
pub(in crate::gate) fn is_inside(is_meant: impl Fn(u64) -> bool) -> bool {
    let is_one = |entry: &Entry| entry.is_bound(&is_meant);
    if platform::own_block().is_null() {
        // It has opened no section, or is ending and keeps no block.
        let here = platform::thread_id();
        let is_own = |block: &&Block| block.thread.load(Ordering::Relaxed) == here;
        return platform::is_thread_ending() && blocks().filter(is_own).flat_map(Block::entries).any(is_one);
    }
    own_entries().any(is_one)
}

/// Says of all sections of this thread, other than owned ones, that it sleeps until a pause is over, or that it goes on. A
/// thread that is ending keeps no block: a pause waits for its sections.
pub(in crate::gate) fn set_parked(parked: bool) {
    own_entries().for_each(|entry| entry.set_parked(parked));
}

/// The slots in this thread's blocks.
fn own_entries() -> impl Iterator<Item = &'static Entry> {
    // SAFETY: null, or a block that this thread owns.
    let first = unsafe { platform::own_block().cast::<Block>().as_ref() };
    // SAFETY: a ring of blocks that this thread owns.
    let next = |block: &&'static Block| unsafe { &*block.ring.load(Ordering::Relaxed) };
    core::iter::successors(first, move |block| {
        Some(next(block)).filter(|next| !first.is_some_and(|first| ptr::eq(*next, first)))
    })
    .flat_map(Block::entries)
}

/// Runs in the child after `fork(2)`. The child has only one thread, so it forgets the sections of all others.
///
/// An owned section stays: its access may live on in the child, whichever thread opened it. If nobody has that access,
/// an unplug in the child waits for ever and names it. To hand the resources back under a live access would be worse.
fn forget_other_threads() {
    let own = platform::own_block().cast::<Block>();
    // SAFETY: null, or a block that this thread owns.
    let here = unsafe { own.as_ref() }.map(|own| own.thread.load(Ordering::Relaxed));
    // Write single words alone: at the fork, other threads may have been in the middle of anything.
    for block in blocks().filter(|block| Some(block.thread.load(Ordering::Relaxed)) != here) {
        block.entries().iter().filter(|entry| !entry.is_owned()).for_each(Entry::clear);
        // Its thread is gone. The block is used again once its owned sections have ended.
        if block.taken.load(Ordering::Relaxed) {
            block.retire();
        }
    }
}

// A model's atomics are larger.
const _: () = assert!(cfg!(loom) || size_of::<Block>() == 128, "no more than what its neighbours must not touch");
