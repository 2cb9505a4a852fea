//! What there is to be held against: nothing, and what no gate can do without.
use crate::contenders::{Contender, no_local, refused};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, compiler_fence};

/// Nothing: the loop alone.
pub(crate) struct Nothing;

impl Contender for Nothing {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        op();
    }
}

/// What no gate with a name for the operation can do without: two stores of the thread's own and a look at a flag.
#[derive(Default)]
pub(crate) struct Floor(AtomicBool);

/// Side by side, where processors put two stores into the cache at once.
#[repr(align(16))]
struct Both(AtomicU64, AtomicU64);

thread_local!(static BOTH: Both = const { Both(AtomicU64::new(0), AtomicU64::new(0)) });

impl Contender for Floor {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        BOTH.with(|both| {
            both.0.store(1, Relaxed);
            both.1.store(1, Relaxed);
        });
        if self.0.load(Relaxed) {
            return refused();
        }
        op();
    }
}

/// The protocol of ours alone: one slot that the thread has at a fixed place, never looked for, and that nothing else
/// stands in. So it neither nests nor outlives its thread.
pub(crate) struct Protocol {
    number: AtomicU64,
    closed: AtomicBool,
}

impl Default for Protocol {
    fn default() -> Self {
        Self { number: AtomicU64::new(1), closed: AtomicBool::new(false) }
    }
}

impl Contender for Protocol {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let look = || {
            compiler_fence(std::sync::atomic::Ordering::SeqCst);
            if self.closed.load(Relaxed) {
                refused();
            }
        };
        BOTH.with(|both| {
            both.0.store(2, Relaxed);
            both.1.store(self.number.load(Relaxed), Release);
        });
        look();
        op();
        BOTH.with(|both| both.1.store(0, Release));
        look();
    }
}
