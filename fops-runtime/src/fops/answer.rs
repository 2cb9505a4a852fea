//! What an operation answers once the device is gone.
use crate::abi::PollEvents;
use crate::lifetime::Unplugged;

/// The answer of an operation whose device is unplugged, by its return type.
///
/// Not implemented for `()` or integers: there an answer may mean anything, so the driver's author says
/// it with `unplugged = ..`.
///
/// ```
/// use fops_runtime::{AfterUnplug, Errno, Result};
/// assert_eq!(<Result<usize>>::after_unplug(), Err(Errno::ENODEV));
/// ```
#[diagnostic::on_unimplemented(
    message = "a guarded operation has no answer of type `{Self}` for an unplugged device",
    label = "what should the caller get once the device is gone?",
    note = "write `#[fop(unplugged = <answer>)]` on the operation, or `unplugged = <answer>` in `#[guarded_fops(..)]`",
    note = "an error type answers by itself if it has `impl From<Unplugged>`",
    note = "if the operation must run after unplug too, write `#[fop(always)]`"
)]
pub trait AfterUnplug {
    /// The answer.
    fn after_unplug() -> Self;

    /// The answer when the section was not opened for this reason: the device is gone, or it is
    /// [paused](crate::DeviceLifetime::pause_for) and the caller does not wait.
    fn refused(_why: Unplugged) -> Self
    where
        Self: Sized,
    {
        Self::after_unplug()
    }
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Unplugged>> AfterUnplug for core::result::Result<T, E> {
    #[inline]
    fn after_unplug() -> Self {
        Err(E::from(Unplugged))
    }

    #[inline]
    fn refused(why: Unplugged) -> Self {
        Err(E::from(why))
    }
}

/// `EPOLLERR | EPOLLHUP | EPOLLPRI`: a mask and never an errno, as `v4l2_poll` in v4l2-dev.c.
impl AfterUnplug for PollEvents {
    #[inline]
    fn after_unplug() -> Self {
        PollEvents::ERR | PollEvents::HUP | PollEvents::PRI
    }

    /// Nothing is ready while the device is paused. The caller is woken when it goes on.
    #[inline]
    fn refused(why: Unplugged) -> Self {
        if why == Unplugged { Self::after_unplug() } else { PollEvents::from_bits(0) }
    }
}
