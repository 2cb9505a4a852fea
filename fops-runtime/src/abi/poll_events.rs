//! Poll masks.
use core::fmt;

/// A poll mask, as in `uapi/asm-generic/poll.h`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct PollEvents(u32);

impl PollEvents {
    /// Nothing is ready.
    pub const EMPTY: Self = Self(0);
    /// Reading will not sleep.
    pub const IN: Self = Self(0x1);
    /// An exceptional condition: a V4L2 event is pending.
    pub const PRI: Self = Self(0x2);
    /// Writing will not sleep.
    pub const OUT: Self = Self(0x4);
    /// An error. Always reported.
    pub const ERR: Self = Self(0x8);
    /// The device is gone. Always reported.
    pub const HUP: Self = Self(0x10);
    /// As [`IN`](Self::IN).
    pub const RDNORM: Self = Self(0x40);
    /// As [`OUT`](Self::OUT).
    pub const WRNORM: Self = Self(0x100);
    /// The answer where a driver has no poll: `DEFAULT_POLLMASK`.
    pub const DEFAULT: Self = Self(0x1 | 0x4 | 0x40 | 0x100);

    /// From the kernel's bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The kernel's bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` is in here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in here.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl core::ops::BitOr for PollEvents {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl core::ops::BitOrAssign for PollEvents {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl core::ops::BitAnd for PollEvents {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// `ERR|HUP|PRI`.
impl fmt::Debug for PollEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(0x1, "IN"), (0x2, "PRI"), (0x4, "OUT"), (0x8, "ERR"), (0x10, "HUP"), (0x40, "RDNORM"), (0x100, "WRNORM")];
        let mut rest = self.0;
        let mut separator = "";
        for (bit, name) in names {
            if self.0 & bit != 0 {
                write!(f, "{separator}{name}")?;
                separator = "|";
                rest &= !bit;
            }
        }
        if rest != 0 || self.0 == 0 { write!(f, "{separator}{rest:#x}") } else { Ok(()) }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn a_mask_reads_as_names() {
        assert_eq!(std::format!("{:?}", PollEvents::ERR | PollEvents::HUP | PollEvents::PRI), "PRI|ERR|HUP");
        assert_eq!(std::format!("{:?}", PollEvents::EMPTY), "0x0");
        assert_eq!(std::format!("{:?}", PollEvents::from_bits(0x2001)), "IN|0x2000");
    }
}
