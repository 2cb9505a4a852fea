// SPDX-License-Identifier: GPL-2.0
//! What the board gives a driver: registers and an interrupt. vin_board.c is the other side.
use core::ffi::{c_int, c_uint, c_void};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, Ordering};
use kernel::error::to_result;
use kernel::prelude::*;
use kernel::sync::Arc;

unsafe extern "C" {
    fn vin_board_map(page: c_uint) -> *mut c_void;
    fn vin_board_unmap(page: c_uint, registers: *mut c_void);
    fn vin_board_request_irq(handler: unsafe extern "C" fn(*const c_void), data: *const c_void) -> c_int;
    fn vin_board_free_irq();
}

/// A page of registers, each of 32 bits. Dropping it unmaps them.
///
/// # Invariants
/// The page is mapped.
pub(crate) struct Registers<const PAGE: u32>(NonNull<AtomicU32>);

// SAFETY: registers are read and written as atomics.
unsafe impl<const PAGE: u32> Send for Registers<PAGE> {}
// SAFETY: as above.
unsafe impl<const PAGE: u32> Sync for Registers<PAGE> {}

impl<const PAGE: u32> Registers<PAGE> {
    const WORDS: usize = 1024;

    pub(crate) fn map() -> Result<Self> {
        // SAFETY: any page may be mapped at any time.
        let registers = unsafe { vin_board_map(PAGE) };
        // INVARIANT: it has just been mapped.
        NonNull::new(registers.cast()).map(Self).ok_or(ENOMEM)
    }

    fn register(&self, offset: usize) -> &AtomicU32 {
        assert!(offset % 4 == 0 && offset / 4 < Self::WORDS);
        // SAFETY: it is in the page, and by the invariant that is mapped.
        unsafe { self.0.add(offset / 4).as_ref() }
    }

    pub(crate) fn read(&self, offset: usize) -> u32 {
        self.register(offset).load(Ordering::SeqCst)
    }

    pub(crate) fn write(&self, offset: usize, value: u32) {
        // The hardware sees it before what comes next: a read of another register, too.
        self.register(offset).swap(value, Ordering::SeqCst);
    }
}

impl<const PAGE: u32> Drop for Registers<PAGE> {
    fn drop(&mut self) {
        // SAFETY: by the invariant; this is the only call.
        unsafe { vin_board_unmap(PAGE, self.0.as_ptr().cast()) }
    }
}

/// Runs in an interrupt.
pub(crate) trait InterruptHandler: Send + Sync + 'static {
    fn interrupt(&self);
}

/// The interrupt of the VIN, with its handler. Dropping it frees it.
pub(crate) struct Interrupt<T: InterruptHandler> {
    _handler: Arc<T>,
}

impl<T: InterruptHandler> Interrupt<T> {
    pub(crate) fn request(handler: Arc<T>) -> Result<Self> {
        /// # Safety
        /// `data` is what the interrupt was requested with, and it has not been freed.
        unsafe extern "C" fn handle<T: InterruptHandler>(data: *const c_void) {
            // SAFETY: by the function's own contract.
            unsafe { &*data.cast::<T>() }.interrupt();
        }
        // SAFETY: the handler stays until the drop, which waits for it.
        to_result(unsafe { vin_board_request_irq(handle::<T>, core::ptr::from_ref::<T>(&handler).cast()) })?;
        Ok(Self { _handler: handler })
    }
}

impl<T: InterruptHandler> Drop for Interrupt<T> {
    fn drop(&mut self) {
        // SAFETY: it was requested here.
        unsafe { vin_board_free_irq() }
    }
}
