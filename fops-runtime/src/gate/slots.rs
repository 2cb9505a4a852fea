//! Where sections stand while they are open: slots shared by all devices, each with the operation's name.
use crate::Op;
use crate::platform;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering::SeqCst};

const FREE: u64 = 0;
/// Claimed, but not yet by a device that a walk should wait for.
const CLAIMED: u64 = u64::MAX;

/// # Invariants
/// While `device` is neither [`FREE`] nor [`CLAIMED`], `op` is null or comes from an `&'static Op`.
struct Entry {
    device: AtomicU64,
    op: AtomicPtr<Op>,
    thread: AtomicU64,
}

impl Entry {
    const fn new() -> Self {
        Self { device: AtomicU64::new(FREE), op: AtomicPtr::new(ptr::null_mut()), thread: AtomicU64::new(0) }
    }
}

const PER_BLOCK: usize = 64;

struct Block {
    entries: [Entry; PER_BLOCK],
    /// The block after this one. Blocks are never freed.
    next: AtomicPtr<Block>,
}

impl Block {
    const fn new() -> Self {
        Self { entries: [const { Entry::new() }; PER_BLOCK], next: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl Block {
    fn next(&self) -> Option<&'static Block> {
        let next = self.next.load(SeqCst);
        // SAFETY: `next` is null, or a block that was leaked before it was put there.
        unsafe { next.as_ref() }
    }
}

static FIRST: Block = Block::new();

fn blocks() -> impl Iterator<Item = &'static Block> {
    core::iter::successors(Some(&FIRST), |block| block.next())
}

/// The place of one open section.
#[must_use = "the section stays open until the slot is cleared"]
pub(crate) struct Slot(Option<&'static Entry>);

impl Slot {
    /// There was no room: the gate has to count the section itself.
    pub(crate) const fn is_unnamed(&self) -> bool {
        self.0.is_none()
    }

    /// Frees the slot.
    pub(crate) fn clear(self) {
        if let Some(entry) = self.0 {
            entry.device.store(FREE, SeqCst);
        }
    }
}

/// Takes a free slot for a section of `device`.
pub(crate) fn claim(device: u64, op: &'static Op) -> Slot {
    let thread = platform::thread_id();
    // Threads start at different places, so that they do not all try the same slot first.
    let start = thread as usize % PER_BLOCK;
    let mut block = &FIRST;
    loop {
        for i in 0..PER_BLOCK {
            let entry = &block.entries[(start + i) % PER_BLOCK];
            if entry.device.compare_exchange(FREE, CLAIMED, SeqCst, SeqCst).is_ok() {
                entry.op.store(ptr::from_ref(op).cast_mut(), SeqCst);
                entry.thread.store(thread, SeqCst);
                // INVARIANT: the operation is there before the device is.
                entry.device.store(device, SeqCst);
                return Slot(Some(entry));
            }
        }
        #[cfg(feature = "std")]
        grow(block);
        match block.next() {
            Some(next) => block = next,
            None => return Slot(None),
        }
    }
}

/// Puts a new block after the last one, `block`, unless somebody else did.
#[cfg(feature = "std")]
fn grow(block: &'static Block) {
    if !block.next.load(SeqCst).is_null() {
        return;
    }
    let new = std::boxed::Box::into_raw(std::boxed::Box::new(Block::new()));
    if block.next.compare_exchange(ptr::null_mut(), new, SeqCst, SeqCst).is_err() {
        // SAFETY: `new` came from a box just now, and nobody else has seen it.
        drop(unsafe { std::boxed::Box::from_raw(new) });
    }
}

/// A section in flight.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    pub(crate) op: &'static Op,
    pub(crate) thread: u64,
}

/// The sections of `device`, in one walk.
pub(crate) fn sections(device: u64) -> impl Iterator<Item = Section> {
    blocks().flat_map(|block| &block.entries).filter_map(move |entry| {
        if entry.device.load(SeqCst) != device {
            return None;
        }
        let (op, thread) = (entry.op.load(SeqCst), entry.thread.load(SeqCst));
        // SAFETY: null, or from an `&'static Op`, by the invariant of `Entry`.
        let op = unsafe { op.as_ref() }?;
        // Still the same device. In between the entry may have been another's: then the report names that one's
        // operation once. A thread never takes another's section for its own: it writes its number itself.
        (entry.device.load(SeqCst) == device).then_some(Section { op, thread })
    })
}

/// Whether the thread is inside a section of one of `devices`.
#[cfg(feature = "std")]
pub(crate) fn is_inside(thread: u64, devices: &[u64]) -> bool {
    let mut entries = blocks().flat_map(|block| &block.entries);
    entries.any(|entry| entry.thread.load(SeqCst) == thread && devices.contains(&entry.device.load(SeqCst)))
}
