//! A V4L2 capture driver after Linux's rcar-vin, guarded against unplug, on simulated hardware.
//!
//! Five rooms: [`driver`], [`vb2`] (the buffer queue), [`uapi`] (the structures of user space), [`board`] (the simulated
//! hardware), [`app`] (the program). Driver and board share the register map, and nothing else.
//!
//! Read the driver in this order: [`core`] (what dies at unplug and what outlives it), [`v4l2`](driver::v4l2) (the file
//! operations under `#[guarded_fops]`), [`dma`](driver::dma) (the hardware and its interrupt), [`csi2`] and
//! [`media`](driver::media) (a subdev, and the links to it), [`group`](driver::group) (how they come and go together),
//! [`controls`](driver::controls) and [`events`](driver::events).
pub mod app;
pub mod board;
#[cfg(test)]
#[path = "../../../fops-runtime/tests/common/deadline.rs"]
mod deadline;
pub mod driver;
pub mod uapi;
pub mod vb2;

pub use app::{client, machine};
pub use board::picture;
pub use driver::registers::vin as regs;
pub use driver::{core, csi2, format};
pub use uapi::{ioctls, media as media_uapi};
