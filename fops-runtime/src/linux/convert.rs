//! Errors as the kernel's `Error`, and what `pr_info!` and its like can print.
use super::wait::WaitError;
use crate::abi::Errno;
use crate::lifetime::{Cause, Parts, Report, Straggler, UnplugError, Unplugged};
use crate::op::Op;
use ::kernel::error::{Error, code};
use core::fmt;

impl From<Errno> for Error {
    fn from(errno: Errno) -> Self {
        Error::from_errno(-i32::from(errno.raw()))
    }
}

impl From<Unplugged> for Error {
    #[inline]
    fn from(_: Unplugged) -> Self {
        code::ENODEV
    }
}

impl From<UnplugError> for Error {
    fn from(error: UnplugError) -> Self {
        Errno::from(error).into()
    }
}

/// `ENODEV`, or `ERESTARTSYS`: the system call begins again behind the signal's handler, or answers `EINTR`.
impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Unplugged => code::ENODEV,
            WaitError::Interrupted => code::ERESTARTSYS,
        }
    }
}

macro_rules! display {
    ($(impl[$($parameter:ident: $bound:ident)?] $type:ty;)*) => {
        $(impl<$($parameter: $bound)?> ::kernel::fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        })*
    };
}

display! {
    impl[] Cause;
    impl[] Errno;
    impl[] Op;
    impl[P: Parts] Report<P>;
    impl[] Straggler;
    impl[] UnplugError;
    impl[] Unplugged;
    impl[] WaitError;
}
