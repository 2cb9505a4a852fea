//! A misc device and its lifetime, which go in the only right order.
//!
//! # Why it is right
//! `open` reads the device behind a registration. So the device must outlive the registration, and new files must be
//! refused before an old one loses its hardware. The order is: unplug, deregister, free. If the node was deregistered
//! first, an `open` that sleeps would hold the lock that deregistering needs, and nobody would wake it.
//!
//! The drop of [`MiscNode`] unplugs first, and then drops the fields in the order in which they are declared.
use super::unplug::unplug_and_log;
use crate::lifetime::{Cause, Unplug};
use crate::platform::Lock;
use ::kernel::miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration};
use ::kernel::prelude::*;
use ::kernel::sync::Arc;
use core::any::TypeId;
use core::cell::Cell;
use core::marker::PhantomPinned;
use core::ptr;

/// A misc device that is registered, with the device `D` behind it. `F` has the operations: it is what an open file
/// points to, by default the device itself.
///
/// Dropping it takes both down in the only right order: unplug, deregister, free. A driver's `unbind` calls
/// [`unplug`](Self::unplug) nevertheless, because it knows the cause and may need the resources.
///
/// `open` finds the device by [`of`](Self::of).
#[pin_data(PinnedDrop)]
pub struct MiscNode<D: Unplug + 'static, F: MiscDevice + 'static = D> {
    // The order of these fields is that of the drop.
    #[pin]
    registration: MiscDeviceRegistration<F>,
    #[pin]
    listed: Listed,
    device: Arc<D>,
    name: &'static CStr,
}

impl<D: Unplug + 'static, F: MiscDevice + 'static> MiscNode<D, F> {
    /// Makes the device and registers a node for it. From then on it may be opened.
    ///
    /// # Errors
    /// Those of `device` and of `misc_register()`.
    pub fn register(options: MiscDeviceOptions, device: impl PinInit<D, Error>) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            name: options.name,
            device: Arc::pin_init(device, GFP_KERNEL)?,
            listed <- {
                // SAFETY: `this` is where the node is made; only addresses are taken.
                let (registration, device) = unsafe {
                    let this = this.as_ptr();
                    (&raw const (*this).registration, &raw const (*this).device)
                };
                Listed::new(registration.cast(), device.cast(), TypeId::of::<D>())
            },
            registration <- MiscDeviceRegistration::register(options),
        }? Error)
    }

    /// The device behind a registration, for `open`. `None` if no `MiscNode<D, F>` made it.
    pub fn of(registration: &MiscDeviceRegistration<F>) -> Option<&Arc<D>> {
        let device = find(ptr::from_ref(registration).cast(), TypeId::of::<D>())?;
        // SAFETY: it stands in a list entry of a node with an `Arc<D>`. The registration is borrowed, so it has not been
        // dropped, and the node drops its device after it.
        Some(unsafe { &*device.cast() })
    }

    /// The device.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Unplugs the device, and returns its resources once nobody uses them any more. `None` if they have been handed out
    /// before.
    ///
    /// Sleeps for as long as operations are in flight, or another unplug is. The kernel log names each of them after a second,
    /// and again in growing intervals.
    pub fn unplug(&self, cause: Cause) -> Option<D::Resources> {
        unplug_and_log(&*self.device, self.name, cause)
    }
}

#[pinned_drop]
impl<D: Unplug + 'static, F: MiscDevice + 'static> PinnedDrop for MiscNode<D, F> {
    fn drop(self: Pin<&mut Self>) {
        // The rest follows with the fields.
        drop(self.unplug(Cause::Unbind));
    }
}

/// The devices behind the registrations. Few: one for each node of this module's.
static NODES: Lock<Nodes> = Lock::new(Nodes(ptr::null()));

/// # Invariants
/// Null, or the first entry of a list of entries that are alive.
struct Nodes(*const Listed);

// SAFETY: the entries are reached under the lock alone.
unsafe impl Send for Nodes {}

/// An entry of the list.
#[pin_data(PinnedDrop)]
struct Listed {
    registration: *const (),
    device: *const (),
    device_type: TypeId,
    next: Cell<*const Listed>,
    #[pin]
    _stays: PhantomPinned,
}

// SAFETY: only the addresses are shared; `next` is touched under the lock.
unsafe impl Send for Listed {}
// SAFETY: as above.
unsafe impl Sync for Listed {}

impl Listed {
    fn new(registration: *const (), device: *const (), device_type: TypeId) -> impl PinInit<Self> {
        pin_init!(&this in Self {
            registration,
            device,
            device_type,
            next: {
                let mut nodes = NODES.lock();
                // INVARIANT: the entry is taken out before it goes.
                Cell::new(core::mem::replace(&mut nodes.0, this.as_ptr()))
            },
            _stays: PhantomPinned,
        })
    }
}

#[pinned_drop]
impl PinnedDrop for Listed {
    fn drop(self: Pin<&mut Self>) {
        let mut nodes = NODES.lock();
        let this: *const Self = &raw const *self;
        if nodes.0 == this {
            nodes.0 = self.next.get();
            return;
        }
        let mut at = nodes.0;
        // SAFETY: by the invariant.
        while let Some(entry) = unsafe { at.as_ref() } {
            if entry.next.get() == this {
                entry.next.set(self.next.get());
                return;
            }
            at = entry.next.get();
        }
    }
}

fn find(registration: *const (), device_type: TypeId) -> Option<*const ()> {
    let nodes = NODES.lock();
    let mut at = nodes.0;
    // SAFETY: by the invariant.
    while let Some(entry) = unsafe { at.as_ref() } {
        if entry.registration == registration && entry.device_type == device_type {
            return Some(entry.device);
        }
        at = entry.next.get();
    }
    None
}
