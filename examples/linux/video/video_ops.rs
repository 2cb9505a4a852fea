// SPDX-License-Identifier: GPL-2.0
//! The operations of a guarded video device: each runs the V4L2 core's in a device access section.
//!
//! The core, and the driver below it, are the resources: without an access, nothing here can call them.
use core::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};
use fops_runtime::{Access, Cause, DeviceLifetime, PollEvents, guarded_fops, unplug_and_log};
use kernel::error::to_result;
use kernel::prelude::*;

/// What `pr_warn!` and its like put in front of each line.
const __LOG_PREFIX: &[u8] = b"fops_video\0";

/// `struct video_file`.
#[repr(C)]
struct OpenFile {
    _in_c: [u8; 0],
}

unsafe extern "C" {
    fn video_core_open(file: &OpenFile) -> c_int;
    fn video_core_read(file: &OpenFile, buf: *mut c_char, len: usize, pos: *mut i64) -> isize;
    fn video_core_write(file: &OpenFile, buf: *const c_char, len: usize, pos: *mut i64) -> isize;
    fn video_core_poll(file: &OpenFile, table: *mut c_void) -> u32;
    fn video_core_ioctl(file: &OpenFile, cmd: c_uint, arg: c_ulong) -> c_long;
    fn video_core_compat_ioctl(file: &OpenFile, cmd: c_uint, arg: c_ulong) -> c_long;
    fn video_core_mmap(file: &OpenFile, vma: *mut c_void) -> c_int;
    fn video_core_release(file: &OpenFile);
}

/// The V4L2 core with the driver: what dies at unplug.
struct Core;

/// # Safety
/// None for the caller. The file is open, so its `video_device` is there until unplug has drained the sections. The other
/// arguments are those that the kernel has called the operation with.
impl Core {
    fn open(&self, file: &OpenFile) -> Result {
        // SAFETY: see above.
        to_result(unsafe { video_core_open(file) })
    }

    fn read(&self, file: &OpenFile, buf: *mut c_char, len: usize, pos: *mut i64) -> Result<isize> {
        // SAFETY: see above.
        value(unsafe { video_core_read(file, buf, len, pos) })
    }

    fn write(&self, file: &OpenFile, buf: *const c_char, len: usize, pos: *mut i64) -> Result<isize> {
        // SAFETY: see above.
        value(unsafe { video_core_write(file, buf, len, pos) })
    }

    fn poll(&self, file: &OpenFile, table: *mut c_void) -> PollEvents {
        // SAFETY: see above.
        PollEvents::from_bits(unsafe { video_core_poll(file, table) })
    }

    fn ioctl(&self, file: &OpenFile, cmd: c_uint, arg: c_ulong) -> Result<isize> {
        // SAFETY: see above.
        value(unsafe { video_core_ioctl(file, cmd, arg) } as isize)
    }

    fn compat_ioctl(&self, file: &OpenFile, cmd: c_uint, arg: c_ulong) -> Result<isize> {
        // SAFETY: see above.
        value(unsafe { video_core_compat_ioctl(file, cmd, arg) } as isize)
    }

    fn mmap(&self, file: &OpenFile, vma: *mut c_void) -> Result {
        // SAFETY: see above.
        to_result(unsafe { video_core_mmap(file, vma) })
    }
}

/// A negative value is an error number.
fn value(value: isize) -> Result<isize> {
    if value < 0 { Err(Error::from_errno(value as c_int)) } else { Ok(value) }
}

/// A guarded video device.
struct Video {
    lifetime: DeviceLifetime<Core>,
}

#[guarded_fops(lifetime = lifetime, default = guarded, unplug)]
impl Video {
    fn open(&self, #[access] core: &Access<'_, Core>, file: &OpenFile) -> Result {
        core.interruptible(|| core.open(file))
    }

    fn read(
        &self,
        #[access] core: &Access<'_, Core>,
        file: &OpenFile,
        buf: *mut c_char,
        len: usize,
        pos: *mut i64,
    ) -> Result<isize> {
        core.interruptible(|| core.read(file, buf, len, pos))
    }

    fn write(
        &self,
        #[access] core: &Access<'_, Core>,
        file: &OpenFile,
        buf: *const c_char,
        len: usize,
        pos: *mut i64,
    ) -> Result<isize> {
        core.interruptible(|| core.write(file, buf, len, pos))
    }

    fn poll(&self, #[access] core: &Core, file: &OpenFile, table: *mut c_void) -> PollEvents {
        core.poll(file, table)
    }

    fn ioctl(&self, #[access] core: &Access<'_, Core>, file: &OpenFile, cmd: c_uint, arg: c_ulong) -> Result<isize> {
        core.interruptible(|| core.ioctl(file, cmd, arg))
    }

    fn compat_ioctl(
        &self,
        #[access] core: &Access<'_, Core>,
        file: &OpenFile,
        cmd: c_uint,
        arg: c_ulong,
    ) -> Result<isize> {
        core.interruptible(|| core.compat_ioctl(file, cmd, arg))
    }

    fn mmap(&self, #[access] core: &Core, file: &OpenFile, vma: *mut c_void) -> Result {
        core.mmap(file, vma)
    }

    /// After unplug, the core has released the file already.
    #[fop(always)]
    fn release(&self, #[access] _core: Option<&Access<'_, Core>>, file: &OpenFile) {
        // SAFETY: the file is open. The core's release runs once, and before unplug returns.
        unsafe { video_core_release(file) }
    }
}

// What C calls, as video.h declares it: with the guard of the file's device, and arguments that the kernel gave.

/// What C gets: the value, or a negative error number.
fn raw(answer: Result<isize>) -> isize {
    answer.unwrap_or_else(|error| error.to_errno() as isize)
}

fn raw_int(answer: Result) -> c_int {
    answer.map_or_else(|error| error.to_errno(), |()| 0)
}

/// Null if memory is short.
#[unsafe(no_mangle)]
extern "C" fn video_guard_new() -> *mut Video {
    KBox::new(Video { lifetime: DeviceLifetime::new(Core) }, GFP_KERNEL).map_or(core::ptr::null_mut(), KBox::into_raw)
}

/// # Safety
/// `video` comes from `video_guard_new` and is not used any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn video_guard_free(video: *mut Video) {
    // SAFETY: by the function's own contract.
    drop(unsafe { KBox::from_raw(video) });
}

/// # Safety
/// `name` is a string.
#[unsafe(no_mangle)]
unsafe extern "C" fn video_guard_unplug(video: &Video, name: *const c_char) {
    // SAFETY: by the function's own contract.
    unplug_and_log(video, unsafe { CStr::from_ptr(name) }, Cause::Removal);
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_open(video: &Video, file: &OpenFile) -> c_int {
    raw_int(video.open(file))
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_read(video: &Video, file: &OpenFile, buf: *mut c_char, len: usize, pos: *mut i64) -> isize {
    raw(video.read(file, buf, len, pos))
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_write(
    video: &Video,
    file: &OpenFile,
    buf: *const c_char,
    len: usize,
    pos: *mut i64,
) -> isize {
    raw(video.write(file, buf, len, pos))
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_poll(video: &Video, file: &OpenFile, table: *mut c_void) -> u32 {
    video.poll(file, table).bits()
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_ioctl(video: &Video, file: &OpenFile, cmd: c_uint, arg: c_ulong) -> c_long {
    raw(video.ioctl(file, cmd, arg)) as c_long
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_compat_ioctl(video: &Video, file: &OpenFile, cmd: c_uint, arg: c_ulong) -> c_long {
    raw(video.compat_ioctl(file, cmd, arg)) as c_long
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_mmap(video: &Video, file: &OpenFile, vma: *mut c_void) -> c_int {
    raw_int(video.mmap(file, vma))
}

#[unsafe(no_mangle)]
extern "C" fn video_guard_release(video: &Video, file: &OpenFile) {
    video.release(file);
}
