// SPDX-License-Identifier: GPL-2.0
//! A subdev with a node of its own.
use super::node::RawNode;
use super::{Format, put_format};
use core::ffi::{c_char, c_int, c_void};
use core::ops::Deref;
use fops_runtime::{Parts, Unpluggable};
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::Arc;

unsafe extern "C" {
    fn v4l2_shim_node_add_subdev(
        node: *mut RawNode,
        name: *const c_char,
        ops: &'static RawSubdevOps,
        subdev: *const c_void,
    ) -> c_int;
}

/// The operations of a subdev. The first two are those of its node.
pub(crate) trait V4l2SubdevOps: Send + Sync + 'static {
    fn get_fmt(&self) -> Result<Format>;

    /// Sets the nearest format that the subdev has, and returns that.
    fn set_fmt(&self, format: Format) -> Result<Format>;

    /// Starts or stops the subdev's stream. For the driver of the node.
    fn s_stream(&self, enable: bool) -> Result;

    /// The release op: the last file of the subdev's node is closed, and the subdev is not registered any more. Runs once.
    fn release(&self);
}

/// A handle to a subdev, which is unplugged with the device that has one.
pub(crate) struct Subdev<T>(Arc<T>);

impl<T: V4l2SubdevOps> Subdev<T> {
    pub(crate) fn new(subdev: T) -> Result<Self> {
        Ok(Self(Arc::new(subdev, GFP_KERNEL)?))
    }

    /// Registers it with a node, and makes its own.
    pub(super) fn add_to(&self, node: *mut RawNode, name: &CStr) -> Result {
        let subdev = Arc::into_raw(self.0.clone());
        // SAFETY: the node is registered. The reference is the subdev's, until its release op.
        let added =
            unsafe { v4l2_shim_node_add_subdev(node, name.as_ptr().cast(), SubdevOps::<T>::RAW, subdev.cast()) };
        to_result(added).inspect_err(|_| {
            // SAFETY: it has not been taken.
            drop(unsafe { Arc::from_raw(subdev) });
        })
    }
}

impl<T> Deref for Subdev<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Unpluggable> Unpluggable for Subdev<T> {
    type Resources = T::Resources;

    fn parts(&self) -> impl Parts<Resources = Self::Resources> {
        T::parts(self)
    }
}

/// `struct v4l2_shim_subdev_ops`.
#[repr(C)]
struct RawSubdevOps {
    get_fmt: unsafe extern "C" fn(*const c_void, &mut Format) -> c_int,
    set_fmt: unsafe extern "C" fn(*const c_void, &mut Format) -> c_int,
    release: unsafe extern "C" fn(*const c_void),
}

struct SubdevOps<T>(T);

impl<T: V4l2SubdevOps> SubdevOps<T> {
    const RAW: &'static RawSubdevOps =
        &RawSubdevOps { get_fmt: Self::get_fmt, set_fmt: Self::set_fmt, release: Self::release };

    /// # Safety
    /// Here and below: `subdev` comes from `add_to`, and its release op has not run.
    unsafe extern "C" fn get_fmt(subdev: *const c_void, format: &mut Format) -> c_int {
        // SAFETY: by the function's own contract.
        put_format(unsafe { &*subdev.cast::<T>() }.get_fmt(), format)
    }

    unsafe extern "C" fn set_fmt(subdev: *const c_void, format: &mut Format) -> c_int {
        // SAFETY: as above.
        put_format(unsafe { &*subdev.cast::<T>() }.set_fmt(*format), format)
    }

    unsafe extern "C" fn release(subdev: *const c_void) {
        // SAFETY: as above. The core's reference ends here.
        let subdev = unsafe { Arc::from_raw(subdev.cast::<T>()) };
        subdev.release();
    }
}
