// SPDX-License-Identifier: GPL-2.0
//! V4L2 for drivers in Rust: as much as this one needs, over the shim in C.
//!
//! All `unsafe` code of the driver's is here and in `board.rs`. Every callback gets the device that its registration was
//! given, and the registration has a reference to it.
mod node;
mod queue;
mod subdev;

use core::ffi::c_int;
use fops_runtime::Access;
use kernel::prelude::*;

pub(crate) use node::{Node, Registration, V4l2CtrlOps, V4l2FileOperations, V4l2FormatOps};
pub(crate) use queue::{DmaAddress, Queue, V4l2QueueOps};
pub(crate) use subdev::{Subdev, V4l2SubdevOps};

/// A picture of 16 bits a pixel: `struct v4l2_shim_format`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Format {
    pub(crate) width: u32,
    pub(crate) height: u32,
    stride: u32,
    size: u32,
}

impl Format {
    pub(crate) const fn new(width: u32, height: u32) -> Self {
        Self { width, height, stride: 2 * width, size: 2 * width * height }
    }

    /// Bytes of a picture.
    pub(crate) const fn size(&self) -> u32 {
        self.size
    }
}

/// Runs `blocking`, an operation of the V4L2 core, which may sleep. Once unplug has begun, each error is `ENODEV`: the
/// core's own, too, of a queue that the driver's wake hook has marked.
pub(crate) fn until_unplug<R, T>(hw: &Access<'_, R>, blocking: impl FnOnce() -> Result<T>) -> Result<T> {
    hw.interruptible(blocking).map_err(|error| if hw.is_unplugged() { ENODEV } else { error })
}

/// A negative value is an error number.
fn value(value: isize) -> Result<isize> {
    if value < 0 { Err(Error::from_errno(value as c_int)) } else { Ok(value) }
}

/// What C gets: the value, or a negative error number.
fn raw(answer: Result<isize>) -> isize {
    answer.unwrap_or_else(|error| error.to_errno() as isize)
}

fn raw_int(answer: Result) -> c_int {
    answer.map_or_else(|error| error.to_errno(), |()| 0)
}

/// Stores a format for C, or returns an error number.
fn put_format(answer: Result<Format>, format: &mut Format) -> c_int {
    raw_int(answer.map(|answer| *format = answer))
}
