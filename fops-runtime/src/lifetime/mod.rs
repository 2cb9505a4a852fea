//! The lifetime of a device: its resources, from probe to unplug.
mod access;
#[cfg(feature = "std")]
mod attached;
mod cancel;
mod cause;
#[cfg(feature = "async")]
mod drain_async;
#[cfg(all(feature = "std", target_os = "linux"))]
mod fd;
mod group;
#[cfg(all(loom, test))]
mod models;
#[cfg(feature = "std")]
mod owned;
#[cfg(feature = "std")]
mod pending;
mod report;
#[cfg(feature = "std")]
mod schedule;
#[cfg(feature = "async")]
mod section;
mod unplug;

use crate::Op;
use crate::gate::Gate;
#[cfg(all(fops_controls, feature = "std"))]
use crate::platform::without::{Step, without};
use crate::platform::{Instant, Lazy, Lock};
pub use access::Access;
#[cfg(feature = "std")]
pub use attached::OnUnplug;
use cancel::Cancellations;
pub use cause::{Cause, UnplugError};
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::ManuallyDrop;
#[cfg(feature = "async")]
pub use drain_async::DrainingAsync;
pub use group::{Group, Present};
#[cfg(feature = "std")]
pub use owned::OwnedAccess;
#[cfg(feature = "std")]
pub use pending::Pending;
pub use report::{Report, Straggler, Work};
#[cfg(feature = "async")]
pub use section::{Section, UntilUnplugged};
pub use unplug::{Draining, Unplug};

/// The device is gone.
///
/// Converts into `ENODEV`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unplugged;

impl fmt::Display for Unplugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the device is unplugged")
    }
}

impl core::error::Error for Unplugged {}

#[cfg(feature = "std")]
impl From<Unplugged> for std::io::Error {
    fn from(_: Unplugged) -> Self {
        crate::Errno::ENODEV.into()
    }
}

/// Owns a device's resources `R` from probe to unplug, and lends them to device access sections.
///
/// `R` is what dies with the device: registers, clocks, interrupts. What outlives it, the state, stands
/// beside the lifetime in the driver's structure. After `video_device_enter()` and `video_device_exit()` of
/// the 2017 V4L2 proposal.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Unplugged, op};
///
/// let lifetime = DeviceLifetime::new(String::from("registers"));
/// {
///     let access = lifetime.enter(op!("example")).unwrap();
///     assert_eq!(*access, "registers");
/// } // the section ends here
/// let registers: String = lifetime.begin_unplug(Cause::Unbind).unwrap().wait();
/// assert_eq!(registers, "registers");
/// assert_eq!(lifetime.enter(op!("example")).err(), Some(Unplugged));
/// ```
///
/// Dropping a lifetime that was never unplugged drops the resources: nobody can be inside then, since every
/// access borrows the lifetime.
///
/// # Invariants
/// `resources` holds a value until the resources have been handed back, and is moved out by the thread that
/// says so, after it saw the closed gate without sections.
pub struct DeviceLifetime<R> {
    core: Core,
    resources: UnsafeCell<ManuallyDrop<R>>,
}

/// The part of a lifetime that does not depend on the resources.
struct Core {
    gate: Gate,
    rare: Lazy<Rare>,
}

/// What operations do not touch.
struct Rare {
    cold: Lock<Cold>,
    /// Who sleeps in poll on one of the device's files.
    #[cfg(feature = "std")]
    pollers: crate::WaitQueue,
}

impl Default for Rare {
    fn default() -> Self {
        let cold = Cold {
            phase: Phase::Plugged,
            remover: None,
            since: None,
            cause: None,
            stopped: false,
            hook: None,
            cancellations: Cancellations::new(),
            #[cfg(all(feature = "std", target_os = "linux"))]
            unplug_fd: None,
        };
        Self {
            cold: Lock::new(cold),
            #[cfg(feature = "std")]
            pollers: crate::WaitQueue::new(),
        }
    }
}

impl Core {
    fn cold(&self) -> &Lock<Cold> {
        &self.rare.get().cold
    }

    #[cfg(feature = "std")]
    fn pollers(&self) -> &crate::WaitQueue {
        &self.rare.get().pollers
    }
}

/// What only unplug and sleepers look at.
struct Cold {
    phase: Phase,
    /// The thread that holds the remover's role.
    remover: Option<u64>,
    /// When the flag was set.
    since: Option<Instant>,
    /// Why: the worst that was said, even if nobody unplugs it yet.
    cause: Option<Cause>,
    /// The stop hook has been called.
    stopped: bool,
    /// The driver's code that the remover is running, which an unplug may hang in.
    hook: Option<Work>,
    cancellations: Cancellations,
    /// Readable once unplug has begun, where somebody asked for it.
    #[cfg(all(feature = "std", target_os = "linux"))]
    unplug_fd: Option<crate::wait::EventFd>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Plugged,
    /// The flag is set, but the fence behind it was refused: sections may be open that nobody sees.
    Unfenced,
    /// The flag is set; sections may be in flight.
    Unplugging,
    /// The resources have been handed back.
    Gone,
}

// SAFETY: `resources` is lent as `&R` (hence `R: Sync`) and moved to the remover's thread (hence `R: Send`);
// that these do not overlap is the type's invariant. The rest is atomics and locks.
unsafe impl<R: Send + Sync> Sync for DeviceLifetime<R> {}
// SAFETY: moving it moves `R`. The list of cancellations holds pointers to nodes that borrow the lifetime, so
// it is empty whenever the lifetime can move.
unsafe impl<R: Send> Send for DeviceLifetime<R> {}

impl<R> DeviceLifetime<R> {
    /// The device is there, with these resources.
    pub fn new(resources: R) -> Self {
        let core = Core { gate: Gate::new(), rare: Lazy::new() };
        // INVARIANT: plugged, with a value.
        Self { core, resources: UnsafeCell::new(ManuallyDrop::new(resources)) }
    }

    /// Opens a device access section for `op`. It ends when the access is dropped.
    ///
    /// Sections may sleep, last for hours, and nest, on one device or several.
    ///
    /// # Errors
    /// [`Unplugged`] once unplug has begun.
    #[inline]
    pub fn enter(&self, op: &'static Op) -> Result<Access<'_, R>, Unplugged> {
        match self.core.gate.enter(op, false) {
            Some(slot) => {
                #[cfg(feature = "tracing")]
                crate::trace::opened(&slot, self.id(), op, false);
                Ok(Access::new(self, slot))
            }
            #[cfg(all(fops_controls, feature = "std"))]
            None if op.policy() == crate::Policy::Always && without(Step::ReleaseAccess) => {
                Ok(Access::new(self, self.core.gate.enter_anyway(op)))
            }
            None => Err(Unplugged),
        }
    }

    /// Whether unplug has begun.
    pub fn is_unplugged(&self) -> bool {
        self.core.gate.is_closed()
    }

    /// Why it is unplugged, once unplug has begun: the worst cause that anybody gave.
    pub fn cause(&self) -> Option<Cause> {
        let cold = self.core.cold().lock();
        cold.cause.filter(|_| cold.phase != Phase::Plugged)
    }

    /// An unplug that is under way has become worse: the device that was being unbound is gone now. One that is still to
    /// come begins as bad as that.
    pub fn worsen(&self, cause: Cause) {
        let mut cold = self.core.cold().lock();
        cold.cause = cold.cause.max(Some(cause));
    }

    /// Tells this lifetime from every other one of the process, past and to come; never 0.
    pub const fn id(&self) -> u64 {
        self.core.gate.number()
    }

    /// What an unplug of this device waits for now. Empty while nobody unplugs it.
    pub fn report(&self) -> Report<'_> {
        Report::new(&self.core)
    }

    /// When unplug began: the moment from which a sleeper's answer is late.
    #[cfg(feature = "std")]
    pub fn unplug_began(&self) -> Option<std::time::Instant> {
        self.core.cold().lock().since
    }

    /// Woken when unplug begins and again when the last section has ended, for hosts: whoever sleeps in poll
    /// on a file of the device waits here too.
    #[cfg(feature = "std")]
    pub fn pollers(&self) -> &crate::WaitQueue {
        self.core.pollers()
    }
}

impl<R> Drop for DeviceLifetime<R> {
    fn drop(&mut self) {
        let phase = self.core.rare.get_mut().map_or(Phase::Plugged, |rare| rare.cold.get_mut().phase);
        #[cfg(feature = "std")]
        if matches!(phase, Phase::Unplugging | Phase::Unfenced) {
            crate::wait::end_closing(self.core.gate.number());
        }
        if phase != Phase::Gone {
            // SAFETY: by the invariant it holds a value, and nothing comes after this drop.
            unsafe { ManuallyDrop::drop(self.resources.get_mut()) }
        }
    }
}

impl<R> fmt::Debug for DeviceLifetime<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.core.cold().lock().phase;
        f.debug_struct("DeviceLifetime").field("id", &self.id()).field("phase", &phase).finish_non_exhaustive()
    }
}
