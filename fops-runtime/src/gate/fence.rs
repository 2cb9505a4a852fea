//! The light fence of sections and the heavy fence of unplug.
use crate::platform::{self, Edge};
#[cfg(not(loom))]
use core::sync::atomic::{AtomicU8, Ordering};

/// Which pair of fences this process uses. Chosen once, before the first section opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FenceKind {
    /// Sections pass a compiler's fence, unplug makes all threads pass a real one: Linux's `membarrier(2)`.
    Asymmetric,
    /// Both pass a sequentially consistent fence.
    Symmetric,
}

#[cfg(not(loom))]
const UNDECIDED: u8 = 0;
#[cfg(not(loom))]
const ASYMMETRIC: u8 = 1;
#[cfg(not(loom))]
const SYMMETRIC: u8 = 2;

#[cfg(not(loom))]
static KIND: AtomicU8 = AtomicU8::new(UNDECIDED);

/// The pair that is in use, chosen now if it was not yet.
///
/// `membarrier(2)` where the kernel grants it, unless the environment says `FOPS_FENCE=symmetric`.
#[cfg(not(loom))]
pub fn kind() -> FenceKind {
    // Acquire pairs with the release below: the process was registered before. No model sees that: it is the system's.
    let mut kind = KIND.load(Ordering::Acquire);
    if kind == UNDECIDED {
        let wish = if platform::register_heavy_fence() { ASYMMETRIC } else { SYMMETRIC };
        // Whoever is first decides for all.
        kind = match KIND.compare_exchange(UNDECIDED, wish, Ordering::Release, Ordering::Acquire) {
            Ok(_) => wish,
            Err(decided) => decided,
        };
    }
    if kind == ASYMMETRIC { FenceKind::Asymmetric } else { FenceKind::Symmetric }
}

/// Each model has the pair that it asks for.
#[cfg(loom)]
pub fn kind() -> FenceKind {
    if platform::register_heavy_fence() { FenceKind::Asymmetric } else { FenceKind::Symmetric }
}

pub(super) fn is_symmetric() -> bool {
    kind() == FenceKind::Symmetric
}

/// Where the pair is asymmetric, this is all there is to the light fence: between the write to a slot and the look at
/// a flag, and between the clearing of a slot and the look at a flag.
#[inline(always)]
pub(super) fn light(edge: Edge) {
    platform::edge_fence(edge);
}

/// The light fence where the pair is symmetric.
pub(super) fn light_symmetric(edge: Edge) {
    platform::needed_fence(match edge {
        Edge::Enter => "symmetric fence at enter",
        Edge::Exit => "symmetric fence at exit",
    });
}

/// Between the write to a flag and the look at the slots. `false` when the system refuses it: then nothing is known
/// of the slots.
#[must_use = "without the fence, nothing may be freed"]
pub(super) fn heavy() -> bool {
    match kind() {
        FenceKind::Asymmetric => platform::heavy_fence(),
        FenceKind::Symmetric => {
            platform::needed_fence("symmetric fence of unplug");
            true
        }
    }
}
