//! The driver, file by file as in `drivers/media/platform/renesas/rcar-vin`.
pub mod controls;
pub mod core;
pub mod csi2;
pub mod dma;
pub mod events;
pub mod format;
mod gone;
pub mod group;
pub mod media;
pub mod registers;
pub mod v4l2;
