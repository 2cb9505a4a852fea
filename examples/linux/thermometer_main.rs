// SPDX-License-Identifier: GPL-2.0
//! A thermometer: `/dev/thermometer`, whose registers go when its platform device is unbound.
//!
//! A write sets the alarm, a read sleeps until the temperature reaches it. Open files outlive the registers: the
//! attribute on the impl block has each operation answer `ENODEV` then, and has `unbind` wait for those in flight.
use fops_runtime::{Access, Cause, DeviceLifetime, MiscNode, WaitQueue, guarded_fops};
use kernel::{
    device::Core,
    fs::{File, Kiocb},
    ioctl::_IO,
    iov::{IovIterDest, IovIterSource},
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    platform,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::atomic::{Atomic, Relaxed},
    sync::{Arc, ArcBorrow},
    time::{Delta, delay::fsleep},
};

const GET: u32 = _IO('T' as u32, 1);
const HEAT: u32 = _IO('T' as u32, 2);
const SLOW: u32 = _IO('T' as u32, 3);

/// What dies with the device.
type Hw = KBox<Registers>;

struct Registers {
    temperature: Atomic<u32>,
}

impl Drop for Registers {
    fn drop(&mut self) {
        self.temperature.store(0xdead, Relaxed); // What a late reader would see.
    }
}

/// The device. Its ioctls are those of thermometer.h. It has its lifetime, and the state that open files still have when it is gone.
struct Thermometer {
    lifetime: DeviceLifetime<Hw>,
    alarm: Atomic<u32>,
    /// Woken when the temperature or the alarm changes.
    changed: WaitQueue,
    released: Atomic<u32>,
}

#[guarded_fops(lifetime = lifetime, via = me, unplug(stop = quiesce))]
#[vtable]
impl MiscDevice for Thermometer {
    type Ptr = Arc<Self>;

    #[fop(via = MiscNode::<Self>::of(misc), not_found = Err(ENODEV))]
    fn open(#[device] device: &Arc<Self>, _file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        Ok(device.clone())
    }

    /// Sleeps until the temperature reaches the alarm. Unplug ends the sleep with `ENODEV`.
    #[fop(via = kiocb.file())]
    fn read_iter(
        #[device] me: &ArcBorrow<'_, Self>,
        #[access] hw: &Access<'_, Hw>,
        kiocb: Kiocb<'_, Self::Ptr>,
        iov: &mut IovIterDest<'_>,
    ) -> Result<usize> {
        let hot = || Some(hw.temperature.load(Relaxed)).filter(|&now| now >= me.alarm.load(Relaxed));
        let temperature = hw.wait_event(&me.changed, hot)?;
        Ok(iov.copy_to_iter(&temperature.to_ne_bytes()))
    }

    #[fop(via = kiocb.file())]
    fn write_iter(
        #[device] me: &ArcBorrow<'_, Self>,
        kiocb: Kiocb<'_, Self::Ptr>,
        iov: &mut IovIterSource<'_>,
    ) -> Result<usize> {
        let mut alarm = [0; 4];
        if iov.copy_from_iter(&mut alarm) != alarm.len() {
            return Err(EINVAL);
        }
        me.alarm.store(u32::from_ne_bytes(alarm), Relaxed);
        me.changed.wake_all();
        Ok(alarm.len())
    }

    fn ioctl(me: ArcBorrow<'_, Self>, #[access] hw: &Hw, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        match cmd {
            GET => {}
            HEAT => {
                hw.temperature.store(arg as u32, Relaxed);
                me.changed.wake_all();
            }
            SLOW => fsleep(Delta::from_millis(arg as i64)),
            _ => return Err(ENOTTY),
        }
        Ok(hw.temperature.load(Relaxed) as isize)
    }

    #[fop(always)]
    fn show_fdinfo(me: ArcBorrow<'_, Self>, #[access] hw: Option<&Access<'_, Hw>>, m: &SeqFile, _: &File) {
        match hw {
            Some(hw) => seq_print!(m, "temperature:\t{}\n", hw.temperature.load(Relaxed)),
            None => seq_print!(m, "temperature:\tunplugged\n"),
        }
        seq_print!(m, "released:\t{}\n", me.released.load(Relaxed));
    }

    fn release(me: Self::Ptr, _file: &File) {
        me.released.add(1, Relaxed);
    }
}

impl Thermometer {
    fn quiesce(&self, _hw: &Hw, cause: Cause) {
        pr_info!("stopped: {cause}\n");
    }
}

struct Driver;

impl platform::Driver for Driver {
    type IdInfo = ();
    type Data<'bound> = MiscNode<Thermometer>;

    fn probe<'bound>(
        _pdev: &'bound platform::Device<Core<'_>>,
        _id: Option<&'bound ()>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        let thermometer = try_init!(Thermometer {
            lifetime: DeviceLifetime::new(KBox::new(Registers { temperature: Atomic::new(21) }, GFP_KERNEL)?),
            alarm: Atomic::new(u32::MAX),
            changed: WaitQueue::new(),
            released: Atomic::new(0),
        }? Error);
        MiscNode::register(MiscDeviceOptions { name: c"thermometer" }, thermometer)
    }

    fn unbind<'bound>(_pdev: &'bound platform::Device<Core<'_>>, node: Pin<&Self::Data<'bound>>) {
        drop(node.unplug(Cause::Unbind)); // The registers go here, when no operation uses them any more.
    }
}

kernel::module_platform_driver! {
    type: Driver,
    name: "thermometer",
    authors: ["fops"],
    description: "a thermometer that may be unplugged at any time",
    license: "GPL",
}
