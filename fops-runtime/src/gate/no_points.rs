//! Without the feature `points`: nobody is held anywhere, and nothing is compiled in.
use crate::op::Op;

#[expect(dead_code, reason = "nobody looks")]
pub(crate) enum Point {
    Entering(&'static Op),
    Entered(&'static Op),
    Sleeping,
    Woken,
    Leaving,
    SubdevMade { device: u64, ops: &'static [Op] },
}

#[inline(always)]
pub(crate) fn reach(_point: Point) {}

pub(crate) fn note_panic(_device: u64) {}

pub(crate) fn note_escape(_device: u64, _escape: impl core::fmt::Display) {}

#[cfg_attr(not(feature = "std"), expect(dead_code, reason = "subdevs need std"))]
pub(crate) fn note_release_op(_device: u64) {}
