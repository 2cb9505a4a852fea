//! Device unplug made safe: file operations run under a lifetime guard, and unplug waits for them.
//!
//! A device goes away while its files are in use: a cable is pulled, somebody writes to a driver's
//! `unbind` file. [`DeviceLifetime`] owns what dies with the device (registers, clocks, interrupts) and
//! lends it to operations, each inside a *device access section*. [`Unplug::unplug`]
//! refuses new sections, wakes the sleepers, stops the hardware, waits for the sections in flight (and
//! can name each one) and only then hands the resources back to the remover.
//!
//! Drivers do not open sections by hand: [`#[guarded_fops]`](guarded_fops) on the impl block of
//! [`FileOperations`] does it for every operation.
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use fops_runtime::{Access, Cause, DeviceLifetime, Errno, File, FileOperations, Result, Unplug, UserSliceWriter, guarded_fops};
//!
//! struct Registers { status: u8 }
//! struct Sensor { lifetime: DeviceLifetime<Registers> }
//!
//! #[guarded_fops(lifetime = lifetime, unplug())]
//! impl FileOperations for Sensor {
//!     type Open = ();
//!     fn open(&self, _file: &File) -> Result { Ok(()) }
//!     fn read(&self, #[access] hw: &Access<'_, Registers>, _file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
//!         buf.write_slice(&[hw.status])
//!     }
//! }
//!
//! let sensor = Sensor { lifetime: DeviceLifetime::new(Registers { status: 7 }) };
//! assert_eq!(sensor.open(&File::default()), Ok(()));
//! let registers = sensor.unplug(Cause::Unbind).unwrap();
//! assert_eq!(registers.status, 7);
//! assert_eq!(sensor.open(&File::default()), Err(Errno::ENODEV));
//! # }
//! ```
//!
//! # Features
//! * `std` (default): threads with names, clocks, [`WaitQueue`]s. Without it the crate is `no_std` and needs
//!   no allocator: lifetimes, accesses, the unplug sequence and the operations' answers remain.
//! * `kernel` instead of `std`: for the Linux kernel, where Kbuild sets it. Cargo does not know it, since no cargo build
//!   has the `kernel` crate. See `examples/linux`.
//! * `lock_api`: `Access::wait_event_locked`, for parking_lot's mutexes and any other `lock_api` ones.
//! * `async`: unplug, sections and waiting for unplug as futures, for any executor.
//! * `points`: `points::at_points` has a thread stop at the points of its sections, for test kits.
//! * `tracing`: a span for each section (level `trace`), an event for each step of an unplug (`info` and `debug`), and
//!   logging through the `tracing` crate instead of the standard error stream.
#![cfg_attr(not(any(feature = "std", feature = "kernel")), no_std)] // Kbuild says it by itself.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "std")]
extern crate std;

#[cfg(all(loom, not(feature = "std")))]
compile_error!("models need the `std` feature\nhelp: build with `--features std`");

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod abi;
mod fops;
mod gate;
#[cfg(feature = "std")]
mod host;
mod lifetime;
#[cfg(feature = "kernel")]
mod linux;
pub mod op;
mod platform;
#[cfg(feature = "std")]
mod subdev;
#[cfg(feature = "std")]
mod wait;

pub use abi::{Errno, OpenFlags, PollEvents, Result};
pub use fops::{
    AfterUnplug, Command, Direction, File, FileOperations, IoctlArg, PollTable, SeekFrom, UserMemory, UserSliceReader,
    UserSliceWriter, VmArea,
};
pub use fops_macros::{Resources, fop, guarded_fops};
pub use gate::{FenceKind, fence_kind};
#[cfg(feature = "std")]
pub use host::catch_panic;
#[cfg(all(feature = "std", not(loom)))]
pub use host::{flush_log, log_later};
pub use lifetime::{
    Access, Alone, Cause, Circle, Device, DeviceLifetime, Draining, Escape, Handles, OnEscape, Part, Parts, Present,
    Record, Records, Report, Resources, Straggler, Unplug, UnplugError, Unpluggable, Unplugged, Work,
};
#[cfg(feature = "async")]
pub use lifetime::{DrainingAsync, Section, UnplugAsync, UntilUnplugged};
#[cfg(feature = "std")]
pub use lifetime::{OnUnplug, OwnedAccess, PauseError, Paused, Pending};
#[cfg(feature = "kernel")]
pub use linux::{MiscNode, WaitError, WaitQueue, unplug_and_log};
pub use op::{Guarded, Op, OpTable, Policy, Stay};
#[cfg(feature = "std")]
pub use subdev::{Subdev, SubdevNode, SubdevOperations};
#[cfg(all(feature = "std", target_os = "linux"))]
pub use wait::wait_fd;
#[cfg(feature = "std")]
pub use wait::{Client, Poller, Request, WaitError, WaitQueue};

/// Points of a section at which a test may hold its thread.
///
/// A race between an operation and unplug depends on where the operation is when unplug begins. A test kit sets a hook for a
/// thread, and decides there how long the thread stays at each point.
#[cfg(all(feature = "points", not(loom)))]
pub mod points {
    pub use crate::gate::points::{Point, at_points, escapes, hook_has_panicked, release_op_has_run};
}

/// What the kernel's `pr_err!` looks for in each crate.
#[cfg(feature = "kernel")]
const __LOG_PREFIX: &[u8] = platform::LOG_PREFIX;
