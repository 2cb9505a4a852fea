//! The driver. Each file says which file of the kernel it follows.
//!
//! | file | what is in it | in Linux |
//! |---|---|---|
//! | [`core`] | probe and remove | `rcar-core.c` |
//! | [`v4l2`] | the operations of the video node | `rcar-v4l2.c`, `v4l2-dev.c` |
//! | [`dma`] | capture and its interrupt | `rcar-dma.c` |
//! | [`csi2`] | the receiver, a subdev | `rcar-csi2.c` |
//! | [`group`] | VINs and receiver come and go together | `rcar-core.c` |
//! | [`media`] | the media node and its links | `rcar-core.c`, `mc-device.c` |
//! | [`controls`] | what a user may set on the sensor | `v4l2-ctrls-core.c`, `v4l2-ctrls-api.c` |
//! | [`events`] | what happens, told to the files that subscribed | `v4l2-event.c` |
//! | [`mod@format`] | the pixel formats | `rcar-v4l2.c` |
//! | [`registers`] | the hardware manuals | `rcar-dma.c`, `rcar-csi2.c`, `ccs-regs.h` |
//! | `power` | suspend, resume and reset | `rcar-core.c` |
//! | `gone` | hardware that is pulled out | `pci_device_is_present` |
//! | [`platform`] | what the kernel gives a driver | `linux/io.h`, `linux/interrupt.h` and so on |
pub mod controls;
pub mod core;
pub mod csi2;
pub mod dma;
pub mod events;
pub mod format;
mod gone;
pub mod group;
pub mod media;
pub mod platform;
mod power;
pub mod registers;
pub mod v4l2;
