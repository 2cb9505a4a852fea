// SPDX-License-Identifier: GPL-2.0
//! A video node, which owns its device and takes both down in the only right order.
use super::queue::{QueueOps, RawQueue, RawQueueOps, V4l2QueueOps};
use super::subdev::{Subdev, V4l2SubdevOps};
use super::{Format, put_format, raw, raw_int, value};
use core::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};
use core::ptr::NonNull;
use fops_runtime::{Cause, PollEvents, Unplug, unplug_and_log};
use kernel::device::Core;
use kernel::error::{from_err_ptr, to_result};
use kernel::platform;
use kernel::prelude::*;
use kernel::sync::Arc;

/// `struct v4l2_shim_node`.
#[repr(C)]
pub(super) struct RawNode {
    _in_c: [u8; 0],
}

unsafe extern "C" {
    fn v4l2_shim_node_register(
        parent: *const c_void,
        name: *const c_char,
        ops: &'static RawNodeOps,
        device: *const c_void,
        queue: *mut RawQueue,
        queue_ops: &'static RawQueueOps,
    ) -> *mut RawNode;
    fn v4l2_shim_node_unregister(node: *mut RawNode);
    fn v4l2_shim_read(filp: *mut c_void, buf: *mut c_char, len: usize, pos: *mut i64) -> isize;
    fn v4l2_shim_poll(filp: *mut c_void, table: *mut c_void) -> u32;
    fn v4l2_shim_mmap(filp: *mut c_void, vma: *mut c_void) -> c_int;
    fn v4l2_shim_ioctl(filp: *mut c_void, cmd: c_uint, arg: c_ulong) -> c_long;
}

/// The file operations of a node. `core` is what the V4L2 core does for the call, with videobuf2: it runs where the driver
/// lets it.
pub(crate) trait V4l2FileOperations: Send + Sync + 'static {
    fn open(&self) -> Result;
    fn release(&self);
    fn read(&self, core: impl FnOnce() -> Result<isize>) -> Result<isize>;
    fn poll(&self, core: impl FnOnce() -> PollEvents) -> PollEvents;
    fn mmap(&self, core: impl FnOnce() -> Result) -> Result;
    fn unlocked_ioctl(&self, core: impl FnOnce() -> Result<isize>) -> Result<isize>;
}

/// The ioctls for the format. The width and height that they get are in the node's limits.
pub(crate) trait V4l2FormatOps: Send + Sync + 'static {
    fn try_fmt(&self, format: Format) -> Result<Format>;
    fn get_fmt(&self) -> Result<Format>;
    fn set_fmt(&self, format: Format) -> Result<Format>;
}

/// The controls.
pub(crate) trait V4l2CtrlOps: Send + Sync + 'static {
    fn set_brightness(&self, value: i32) -> Result;
}

/// A registered node of the device `D`, with the nodes of its subdevs. Dropping it unregisters them. Open files keep the
/// device until they are closed.
///
/// # Invariants
/// The node is registered until the drop. It has a reference to the device.
pub(crate) struct Registration<D> {
    node: NonNull<RawNode>,
    device: Arc<D>,
}

// SAFETY: the shim takes the locks that it needs.
unsafe impl<D: Send + Sync> Send for Registration<D> {}
// SAFETY: as above.
unsafe impl<D: Send + Sync> Sync for Registration<D> {}

impl<D: V4l2FileOperations + V4l2FormatOps + V4l2CtrlOps + V4l2QueueOps> Registration<D> {
    /// Registers a node. From then on it may be opened.
    pub(crate) fn new(parent: &platform::Device<Core<'_>>, name: &CStr, device: Arc<D>) -> Result<Self> {
        let parent: &kernel::device::Device<Core<'_>> = parent.as_ref();
        let queue = device.queue().raw();
        let raw = Arc::into_raw(device.clone());
        // SAFETY: a `Device` is a `struct device`, which is bound now. The reference is the node's, until it calls `free`.
        let node = from_err_ptr(unsafe {
            v4l2_shim_node_register(
                core::ptr::from_ref(parent).cast(),
                name.as_ptr().cast(),
                NodeOps::<D>::RAW,
                raw.cast(),
                queue,
                QueueOps::<D>::RAW,
            )
        });
        let node = node.inspect_err(|_| {
            // SAFETY: the node has not taken it.
            drop(unsafe { Arc::from_raw(raw) });
        });
        // INVARIANT: it has just been registered.
        Ok(Self { node: NonNull::new(node?).ok_or(ENOMEM)?, device })
    }

    /// Adds a subdev, with a node of its own. It goes with this node.
    pub(crate) fn add_subdev<T: V4l2SubdevOps>(&self, name: &CStr, subdev: &Subdev<T>) -> Result {
        subdev.add_to(self.node.as_ptr(), name)
    }
}

impl<D> Drop for Registration<D> {
    fn drop(&mut self) {
        // SAFETY: by the invariant; this is the only call.
        unsafe { v4l2_shim_node_unregister(self.node.as_ptr()) }
    }
}

/// A registered node, whose device is unplugged before.
///
/// Dropping it takes both down in the only right order: unplug, unregister, free. A driver's `unbind` calls
/// [`unplug`](Self::unplug) nevertheless, because it knows the cause.
pub(crate) struct Node<D: Unplug> {
    registration: Registration<D>,
    name: &'static CStr,
}

impl<D: Unplug> Node<D> {
    pub(crate) const fn new(registration: Registration<D>, name: &'static CStr) -> Self {
        Self { registration, name }
    }

    pub(crate) const fn registration(&self) -> &Registration<D> {
        &self.registration
    }

    /// Unplugs the device, and returns its resources once nobody uses them any more.
    pub(crate) fn unplug(&self, cause: Cause) -> Option<D::Resources> {
        unplug_and_log(&*self.registration.device, self.name, cause)
    }
}

impl<D: Unplug> Drop for Node<D> {
    fn drop(&mut self) {
        // The registration goes after it.
        drop(self.unplug(Cause::Unbind));
    }
}

/// `struct v4l2_shim_node_ops`.
#[repr(C)]
struct RawNodeOps {
    open: unsafe extern "C" fn(*const c_void) -> c_int,
    release: unsafe extern "C" fn(*const c_void),
    read: unsafe extern "C" fn(*const c_void, *mut c_void, *mut c_char, usize, *mut i64) -> isize,
    poll: unsafe extern "C" fn(*const c_void, *mut c_void, *mut c_void) -> u32,
    mmap: unsafe extern "C" fn(*const c_void, *mut c_void, *mut c_void) -> c_int,
    ioctl: unsafe extern "C" fn(*const c_void, *mut c_void, c_uint, c_ulong) -> c_long,
    try_fmt: unsafe extern "C" fn(*const c_void, &mut Format) -> c_int,
    get_fmt: unsafe extern "C" fn(*const c_void, &mut Format) -> c_int,
    set_fmt: unsafe extern "C" fn(*const c_void, &mut Format) -> c_int,
    set_brightness: unsafe extern "C" fn(*const c_void, i32) -> c_int,
    free: unsafe extern "C" fn(*const c_void),
}

struct NodeOps<D>(D);

impl<D: V4l2FileOperations + V4l2FormatOps + V4l2CtrlOps> NodeOps<D> {
    const RAW: &'static RawNodeOps = &RawNodeOps {
        open: Self::open,
        release: Self::release,
        read: Self::read,
        poll: Self::poll,
        mmap: Self::mmap,
        ioctl: Self::ioctl,
        try_fmt: Self::try_fmt,
        get_fmt: Self::get_fmt,
        set_fmt: Self::set_fmt,
        set_brightness: Self::set_brightness,
        free: Self::free,
    };

    /// # Safety
    /// Here and below: `device` is what the node was registered with, and `free` has not been called. The other arguments are
    /// those of a call of the kernel's, which is not over. So the V4L2 core may be called with them.
    unsafe fn device<'a>(device: *const c_void) -> &'a D {
        // SAFETY: by the function's own contract.
        unsafe { &*device.cast::<D>() }
    }

    unsafe extern "C" fn open(device: *const c_void) -> c_int {
        // SAFETY: as above.
        raw_int(unsafe { Self::device(device) }.open())
    }

    unsafe extern "C" fn release(device: *const c_void) {
        // SAFETY: as above.
        unsafe { Self::device(device) }.release();
    }

    unsafe extern "C" fn read(
        device: *const c_void,
        filp: *mut c_void,
        buf: *mut c_char,
        len: usize,
        pos: *mut i64,
    ) -> isize {
        // SAFETY: as above.
        raw(unsafe { Self::device(device) }.read(|| value(unsafe { v4l2_shim_read(filp, buf, len, pos) })))
    }

    unsafe extern "C" fn poll(device: *const c_void, filp: *mut c_void, table: *mut c_void) -> u32 {
        // SAFETY: as above.
        let core = || PollEvents::from_bits(unsafe { v4l2_shim_poll(filp, table) });
        // SAFETY: as above.
        unsafe { Self::device(device) }.poll(core).bits()
    }

    unsafe extern "C" fn mmap(device: *const c_void, filp: *mut c_void, vma: *mut c_void) -> c_int {
        // SAFETY: as above.
        raw_int(unsafe { Self::device(device) }.mmap(|| to_result(unsafe { v4l2_shim_mmap(filp, vma) })))
    }

    unsafe extern "C" fn ioctl(device: *const c_void, filp: *mut c_void, cmd: c_uint, arg: c_ulong) -> c_long {
        // SAFETY: as above.
        let core = || value(unsafe { v4l2_shim_ioctl(filp, cmd, arg) } as isize);
        // SAFETY: as above.
        raw(unsafe { Self::device(device) }.unlocked_ioctl(core)) as c_long
    }

    unsafe extern "C" fn try_fmt(device: *const c_void, format: &mut Format) -> c_int {
        // SAFETY: as above.
        put_format(unsafe { Self::device(device) }.try_fmt(*format), format)
    }

    unsafe extern "C" fn get_fmt(device: *const c_void, format: &mut Format) -> c_int {
        // SAFETY: as above.
        put_format(unsafe { Self::device(device) }.get_fmt(), format)
    }

    unsafe extern "C" fn set_fmt(device: *const c_void, format: &mut Format) -> c_int {
        // SAFETY: as above.
        put_format(unsafe { Self::device(device) }.set_fmt(*format), format)
    }

    unsafe extern "C" fn set_brightness(device: *const c_void, value: i32) -> c_int {
        // SAFETY: as above.
        raw_int(unsafe { Self::device(device) }.set_brightness(value))
    }

    unsafe extern "C" fn free(device: *const c_void) {
        // SAFETY: as above. The node's reference ends here.
        drop(unsafe { Arc::from_raw(device.cast::<D>()) });
    }
}
