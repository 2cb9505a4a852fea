//! A V4L2 capture driver after Linux's rcar-vin, guarded against unplug, on simulated hardware.
//!
//! Read it in this order: [`core`] (what dies at unplug and what outlives it), [`v4l2`] (the file operations
//! under `#[guarded_fops]`), [`dma`] (the hardware and its interrupt), [`csi2`] and [`media`] (a subdev, and the links
//! to it), [`group`] (how they come and go together), [`controls`] and [`events`]. The hardware itself is in [`sim`].
pub mod client;
pub mod controls;
pub mod core;
pub mod csi2;
pub mod csi2_regs;
pub mod dma;
pub mod events;
pub mod format;
mod gone;
pub mod group;
pub mod ioctls;
pub mod machine;
pub mod media;
pub mod media_uapi;
pub mod picture;
pub mod queue;
pub mod regs;
pub mod sim;
pub mod uapi;
pub mod v4l2;
