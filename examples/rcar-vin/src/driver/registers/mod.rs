//! The registers, as the hardware manuals have them. After the tables at the top of `rcar-dma.c` and `rcar-csi2.c`.
pub mod csi2;
pub mod sensor;
pub mod vin;
