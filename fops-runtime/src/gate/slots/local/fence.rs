//! The light fence of sections and the heavy fence of unplug.
use super::super::FenceKind;
use crate::platform::{self, Edge};

/// `membarrier(2)` where the kernel grants it.
pub(in crate::gate) fn fence_kind() -> FenceKind {
    if platform::has_heavy_fence() { FenceKind::Asymmetric } else { FenceKind::Symmetric }
}

/// Whether [`light`] is not enough, so that a section passes [`light_symmetric`] too.
pub(in crate::gate) fn is_symmetric() -> bool {
    fence_kind() == FenceKind::Symmetric
}

/// The light fence of the asymmetric pair. It is between the write to a slot and the look at a flag, and between the
/// clearing of a slot and the look at a flag.
#[inline(always)]
pub(in crate::gate) fn light(edge: Edge) {
    platform::edge_fence(edge);
}

/// The light fence of the symmetric pair.
pub(in crate::gate) fn light_symmetric(edge: Edge) {
    platform::needed_fence(match edge {
        Edge::Enter => "symmetric fence at enter",
        Edge::Exit => "symmetric fence at exit",
    });
}

/// The fence between the write to a flag and the look at the slots. If the system refuses it, this returns `false`, and
/// the slots show nothing.
#[must_use = "without the fence, nothing may be freed"]
pub(in crate::gate) fn heavy() -> bool {
    if is_symmetric() {
        platform::needed_fence("symmetric fence of unplug");
        return true;
    }
    platform::heavy_fence()
}
