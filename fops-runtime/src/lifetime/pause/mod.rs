//! Pauses of a device: reset, suspend, firmware update.
#[cfg(feature = "std")]
mod ending;
#[cfg(feature = "std")]
mod entry;
#[cfg(feature = "std")]
mod error;
#[cfg(feature = "std")]
mod paused;
#[cfg(feature = "std")]
mod state;
#[cfg(feature = "std")]
mod task;

#[cfg(feature = "std")]
pub use error::PauseError;
#[cfg(feature = "std")]
pub use paused::Paused;
#[cfg(feature = "std")]
pub(super) use state::Pause;
