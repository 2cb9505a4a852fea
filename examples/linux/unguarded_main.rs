// SPDX-License-Identifier: GPL-2.0
//! The thermometer as most drivers are written: an open file points to what `unbind` frees. For comparison alone.
use kernel::{
    container_of,
    device::Core,
    error::Error,
    fs::{File, Kiocb},
    ioctl::_IO,
    iov::IovIterDest,
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    new_condvar, new_mutex, platform,
    prelude::*,
    sync::{
        Arc, CondVar, Mutex,
        atomic::{Atomic, Relaxed},
    },
    time::{Delta, delay::fsleep},
};

const GET: u32 = _IO('T' as u32, 1);
const SLOW: u32 = _IO('T' as u32, 3);

struct Registers {
    temperature: Atomic<u32>,
}

impl Drop for Registers {
    fn drop(&mut self) {
        self.temperature.store(0xdead, Relaxed);
    }
}

/// What open files share, and sleep on.
#[pin_data]
struct State {
    #[pin]
    alarm: Mutex<bool>,
    #[pin]
    changed: CondVar,
}

struct OpenFile {
    registers: *const Registers,
    state: Arc<State>,
}

// SAFETY: none. Nothing keeps the registers from being freed.
unsafe impl Send for OpenFile {}
// SAFETY: as above.
unsafe impl Sync for OpenFile {}

#[vtable]
impl MiscDevice for OpenFile {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        // SAFETY: all registrations stand in a `Bound`.
        let bound = unsafe { &*container_of!(core::ptr::from_ref(misc), Bound, misc) };
        Ok(KBox::pin(Self { registers: &raw const *bound.registers, state: bound.state.clone() }, GFP_KERNEL)?)
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let me = kiocb.file();
        let mut alarm = me.state.alarm.lock();
        while !*alarm {
            if me.state.changed.wait_interruptible(&mut alarm) {
                return Err(ERESTARTSYS);
            }
        }
        Ok(iov.copy_to_iter(&21_u32.to_ne_bytes()))
    }

    fn ioctl(me: Pin<&Self>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        match cmd {
            GET => {}
            SLOW => fsleep(Delta::from_millis(arg as i64)),
            _ => return Err(ENOTTY),
        }
        // SAFETY: none: this is the bug.
        Ok(unsafe { (*me.registers).temperature.load(Relaxed) } as isize)
    }
}

#[pin_data]
struct Bound {
    #[pin]
    misc: MiscDeviceRegistration<OpenFile>,
    registers: KBox<Registers>,
    state: Arc<State>,
}

struct Driver;

impl platform::Driver for Driver {
    type IdInfo = ();
    type Data<'bound> = Bound;

    fn probe<'bound>(
        _pdev: &'bound platform::Device<Core<'_>>,
        _id: Option<&'bound ()>,
    ) -> impl PinInit<Bound, Error> + 'bound {
        try_pin_init!(Bound {
            registers: KBox::new(Registers { temperature: Atomic::new(21) }, GFP_KERNEL)?,
            state: Arc::pin_init(
                pin_init!(State { alarm <- new_mutex!(false), changed <- new_condvar!() }),
                GFP_KERNEL
            )?,
            misc <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"thermometer" }),
        }? Error)
    }
}

kernel::module_platform_driver! {
    type: Driver,
    name: "thermometer",
    authors: ["fops"],
    description: "a thermometer that must not be unplugged while it is in use",
    license: "GPL",
}
