// SPDX-License-Identifier: GPL-2.0
//! videobuf2's queue of a node. The shim has the buffers.
use super::raw_int;
use core::ffi::{c_int, c_void};
use core::num::NonZeroU64;
use core::ptr::NonNull;
use kernel::device::Core;
use kernel::error::from_err_ptr;
use kernel::platform;
use kernel::prelude::*;

/// `struct v4l2_shim_queue`.
#[repr(C)]
pub(super) struct RawQueue {
    _in_c: [u8; 0],
}

unsafe extern "C" {
    fn v4l2_shim_queue_new(parent: *const c_void) -> *mut RawQueue;
    fn v4l2_shim_queue_free(queue: *mut RawQueue);
    fn v4l2_shim_queue_fail(queue: *mut RawQueue);
    fn v4l2_shim_queue_is_busy(queue: *mut RawQueue) -> c_int;
    fn v4l2_shim_queue_first(queue: *mut RawQueue) -> u64;
    fn v4l2_shim_queue_complete(queue: *mut RawQueue, sequence: u32) -> u64;
}

/// Where the hardware writes a frame.
#[derive(Clone, Copy)]
pub(crate) struct DmaAddress(NonZeroU64);

impl DmaAddress {
    pub(crate) fn get(self) -> u64 {
        self.0.get()
    }

    fn of(address: u64) -> Option<Self> {
        NonZeroU64::new(address).map(Self)
    }
}

/// What videobuf2 asks of a driver.
pub(crate) trait V4l2QueueOps: Send + Sync + 'static {
    /// The queue that the device has: the same at each call.
    fn queue(&self) -> &Queue;

    /// Bytes of a frame.
    fn frame_size(&self) -> u32;

    /// At least one buffer is queued. On an error they go back to user space.
    fn start_streaming(&self) -> Result;

    /// Runs when a stream ends: by an ioctl, by the last close, or after unplug. Then all buffers go back.
    fn stop_streaming(&self);
}

/// The queue. It outlives the hardware: open files have it.
///
/// # Invariants
/// The shim's queue is there until the drop.
pub(crate) struct Queue(NonNull<RawQueue>);

// SAFETY: the shim takes the locks that it needs.
unsafe impl Send for Queue {}
// SAFETY: as above.
unsafe impl Sync for Queue {}

impl Queue {
    /// A queue whose buffers the device `parent` may reach.
    pub(crate) fn new(parent: &platform::Device<Core<'_>>) -> Result<Self> {
        let parent: &kernel::device::Device<Core<'_>> = parent.as_ref();
        // SAFETY: a `Device` is a `struct device`. Buffers have references to it of their own.
        let queue = from_err_ptr(unsafe { v4l2_shim_queue_new(core::ptr::from_ref(parent).cast()) })?;
        // INVARIANT: it has just been made.
        NonNull::new(queue).map(Self).ok_or(ENOMEM)
    }

    pub(super) fn raw(&self) -> *mut RawQueue {
        self.0.as_ptr()
    }

    /// Wakes all who wait for a frame, pollers too; they get an error, until the stream is ended.
    pub(crate) fn fail(&self) {
        // SAFETY: by the invariant. It takes no lock that sleeps.
        unsafe { v4l2_shim_queue_fail(self.raw()) }
    }

    /// Whether it has buffers: then the format may not change.
    pub(crate) fn is_busy(&self) -> bool {
        // SAFETY: by the invariant.
        unsafe { v4l2_shim_queue_is_busy(self.raw()) != 0 }
    }

    /// Takes the first buffer of a stream.
    pub(crate) fn first(&self) -> Option<DmaAddress> {
        // SAFETY: by the invariant.
        DmaAddress::of(unsafe { v4l2_shim_queue_first(self.raw()) })
    }

    /// The frame is complete; takes the buffer for the next one. If none is queued, the same is written again. For an
    /// interrupt handler. `None` if the stream has ended.
    pub(crate) fn complete(&self, sequence: u32) -> Option<DmaAddress> {
        // SAFETY: by the invariant.
        DmaAddress::of(unsafe { v4l2_shim_queue_complete(self.raw(), sequence) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: by the invariant. The device goes, so no node uses its queue any more.
        unsafe { v4l2_shim_queue_free(self.raw()) }
    }
}

/// `struct v4l2_shim_queue_ops`.
#[repr(C)]
pub(super) struct RawQueueOps {
    frame_size: unsafe extern "C" fn(*const c_void) -> u32,
    start_streaming: unsafe extern "C" fn(*const c_void) -> c_int,
    stop_streaming: unsafe extern "C" fn(*const c_void),
}

pub(super) struct QueueOps<D>(D);

impl<D: V4l2QueueOps> QueueOps<D> {
    pub(super) const RAW: &'static RawQueueOps = &RawQueueOps {
        frame_size: Self::frame_size,
        start_streaming: Self::start_streaming,
        stop_streaming: Self::stop_streaming,
    };

    /// # Safety
    /// Here and below: `device` is the device of a node, which has a reference to it.
    unsafe extern "C" fn frame_size(device: *const c_void) -> u32 {
        // SAFETY: by the function's own contract.
        unsafe { &*device.cast::<D>() }.frame_size()
    }

    unsafe extern "C" fn start_streaming(device: *const c_void) -> c_int {
        // SAFETY: as above.
        raw_int(unsafe { &*device.cast::<D>() }.start_streaming())
    }

    unsafe extern "C" fn stop_streaming(device: *const c_void) {
        // SAFETY: as above.
        unsafe { &*device.cast::<D>() }.stop_streaming();
    }
}
