//! The registers, as the hardware manuals have them.
pub mod csi2;
pub mod vin;
