//! The CSI-2 receiver: a subdev with a node of its own.
//!
//! Two things are different from a video node. Other drivers hold on to it, through a [`Subdev`] handle, and so does
//! every open file: what it is made of may go only after the last of them, in its *release op*. And it goes down
//! together with those whose pictures come through it. After `rcar-csi2.c`.
use crate::driver::group::RvinGroup;
use crate::driver::platform::{Mmio, Platform};
use crate::driver::registers::csi2::*;
use crate::uapi::media::*;
use crate::uapi::{kernel_version, load, store, zeroed};
use fops_host::{Driver, Probe, Removable};
use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Errno, File, FileOperations, IoctlArg, Resources, Result, Subdev,
    SubdevOperations, UnplugError, guarded_fops,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The receiver, as the device tree names it.
pub const CSI2_DEVICE: &str = "feaa0000.csi2";
/// The driver's name on the platform bus.
pub const CSI2_DRIVER: &str = "rcar-csi2";
/// Virtual channels that it lets through: as many as [`VCDT_REG`] has entries.
pub const CHANNELS: u32 = 2;

/// The resources: they die when the receiver is unbound.
#[derive(Resources)]
pub struct Csi2Hw {
    mmio: Mmio,
}

/// The subdev. All but the lifetime's resources is state, which lives until the release op.
pub struct Csi2 {
    lifetime: DeviceLifetime<Csi2Hw>,
    name: String,
    state: Mutex<State>,
    /// How many have been released, of all that the driver has had.
    released: Arc<AtomicU64>,
}

struct State {
    /// How many VINs have the stream on: they share the receiver.
    streams: u32,
    format: MbusFormat,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
impl SubdevOperations for Csi2 {
    /// `rcsi2_s_stream`: for each VIN; the first turns the receiver on, the last turns it off.
    #[fop(brief)]
    fn s_stream(&self, #[access] hw: &Access<'_, Csi2Hw>, enable: bool) -> Result {
        self.turn(hw, enable)
    }

    /// Nobody has a handle any more: neither a VIN nor an open file.
    fn release(self) {
        tracing::info!("{}: released", self.name);
        self.released.fetch_add(1, SeqCst);
    }
}

#[guarded_fops(lifetime = lifetime, subdev)]
impl FileOperations for Csi2 {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn ioctl(
        &self,
        #[access] hw: &Access<'_, Csi2Hw>,
        _file: &File,
        command: Command,
        mut arg: IoctlArg<'_>,
    ) -> Result<i32> {
        match command {
            VIDIOC_SUBDEV_QUERYCAP => {
                let capability = v4l2_subdev_capability { version: kernel_version(6, 12, 0), ..zeroed() };
                store(&capability, arg.data_mut()).ok_or(Errno::EINVAL)?;
            }
            VIDIOC_SUBDEV_ENUM_MBUS_CODE => {
                let mut code: v4l2_subdev_mbus_code_enum = load(arg.data()).ok_or(Errno::EINVAL)?;
                if code.index > 0 || code.pad > CHANNELS {
                    return Err(Errno::EINVAL);
                }
                code = v4l2_subdev_mbus_code_enum { code: MEDIA_BUS_FMT_UYVY8_1X16, flags: 0, ..code };
                store(&code, arg.data_mut()).ok_or(Errno::EINVAL)?;
            }
            VIDIOC_SUBDEV_G_FMT | VIDIOC_SUBDEV_S_FMT => {
                let mut format: v4l2_subdev_format = load(arg.data()).ok_or(Errno::EINVAL)?;
                if format.pad > CHANNELS || format.which > V4L2_SUBDEV_FORMAT_ACTIVE {
                    return Err(Errno::EINVAL);
                }
                let mut state = self.state.lock();
                if command == VIDIOC_SUBDEV_S_FMT && format.pad == 0 && format.which == V4L2_SUBDEV_FORMAT_ACTIVE {
                    if state.streams > 0 {
                        return Err(Errno::EBUSY);
                    }
                    (state.format.width, state.format.height) =
                        (format.format.width.clamp(2, 4096), format.format.height.clamp(4, 4096));
                }
                format.format = state.format;
                store(&format, arg.data_mut()).ok_or(Errno::EINVAL)?;
            }
            VIDIOC_SUBDEV_LOG_STATUS => {
                tracing::info!("{}: {} streams", self.name, self.state.lock().streams);
                for &(offset, name) in REGISTERS {
                    tracing::info!("{}: {name} = {:#010x}", self.name, hw.mmio.read(offset));
                }
            }
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }
}

impl Csi2 {
    fn turn(&self, hw: &Access<'_, Csi2Hw>, enable: bool) -> Result {
        let mut state = self.state.lock();
        match (enable, state.streams) {
            (true, 0) => hw.arm(|| start(hw))?,
            (false, 0) => return Err(Errno::EINVAL),
            (false, 1) => stop(hw),
            _ => {}
        }
        state.streams = if enable { state.streams + 1 } else { state.streams - 1 };
        Ok(())
    }

    /// The stop hook of unplug: nothing comes through any more.
    fn quiesce(&self, hw: &Csi2Hw, cause: Cause) {
        let mut state = self.state.lock();
        if cause.hardware_present() {
            stop(hw);
        }
        state.streams = 0;
    }

    /// Its name on the bus, such as `feaa0000.csi2`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `rcsi2_start_receiver`.
fn start(hw: &Csi2Hw) {
    hw.mmio.write(SRST_REG, SRST_SRST);
    hw.mmio.write(TREF_REG, TREF_TREF);
    hw.mmio.write(VCDT_REG, vcdt_entry(0) | vcdt_entry(1) << 16);
    let lanes = PHYCNT_ENABLECLK | PHYCNT_ENABLE_LANES;
    hw.mmio.write(PHYCNT_REG, lanes);
    hw.mmio.write(PHYCNT_REG, lanes | PHYCNT_SHUTDOWNZ);
    hw.mmio.write(PHYCNT_REG, lanes | PHYCNT_SHUTDOWNZ | PHYCNT_RSTZ);
}

/// `rcsi2_enter_standby`.
fn stop(hw: &Csi2Hw) {
    hw.mmio.write(PHYCNT_REG, 0);
}

/// The driver.
pub struct RcarCsi2Driver {
    platform: Platform,
    group: Arc<RvinGroup>,
    released: Arc<AtomicU64>,
}

impl RcarCsi2Driver {
    /// A driver for the receiver of `platform`, which feeds `group`. `released` counts the subdevs whose release op has run.
    pub fn new(platform: Platform, group: Arc<RvinGroup>, released: Arc<AtomicU64>) -> Self {
        Self { platform, group, released }
    }
}

/// A receiver that the driver is bound to: it goes together with all that it feeds.
pub struct Csi2Device {
    receiver: Subdev<Csi2>,
    group: Arc<RvinGroup>,
    /// What its unplug has done, and that of the nodes it fed.
    records: Mutex<String>,
}

impl Driver for RcarCsi2Driver {
    type Device = Csi2Device;

    fn name(&self) -> &str {
        CSI2_DRIVER
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Csi2Device>> {
        let mmio = self.platform.csi2(probe.device())?.ioremap()?;
        let receiver = Subdev::new(Csi2 {
            lifetime: DeviceLifetime::new(Csi2Hw { mmio }),
            name: probe.device().to_owned(),
            state: Mutex::new(State { streams: 0, format: MbusFormat::new(640, 480) }),
            released: self.released.clone(),
        });
        self.group.bound(&receiver, probe)?;
        Ok(Arc::new(Csi2Device { receiver, group: self.group.clone(), records: Mutex::default() }))
    }

    fn remove(&self, device: &Arc<Csi2Device>, hw: Csi2Hw, cause: Cause) {
        drop(hw);
        tracing::info!("{}: removed ({cause}), its registers are unmapped", device.receiver.name());
    }
}

impl Removable for Csi2Device {
    type Resources = Csi2Hw;

    fn take_down(&self, cause: Cause) -> Result<Csi2Hw, UnplugError> {
        let vins = self.group.vins();
        let hw = self.group.unbound(cause)?;
        *self.records.lock() = (self.receiver.clone(), vins).records().to_string();
        Ok(hw)
    }

    fn escalate(&self, cause: Cause) {
        self.receiver.lifetime.escalate(cause);
    }

    fn stragglers(&self) -> String {
        self.group.stragglers()
    }

    fn records(&self) -> String {
        self.records.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::client::{Stream, get};
    use crate::app::machine::Machine;
    use crate::deadline::{DEADLINE, eventually};
    use fops_runtime::op::op;
    use fops_runtime::{Device as _, OpenFlags};

    #[test]
    fn a_start_behind_the_stop_hook_is_refused() {
        let group = RvinGroup::new();
        let machine = Machine::with_group(&["e6ef0000.video"], group.clone()).unwrap();
        let receiver = group.receiver().unwrap();
        // An s_stream that has entered before the flag, and comes to the hardware after the hook.
        let access = receiver.lifetime().enter(op!("late")).unwrap();
        let removal = machine.bus.remove(CSI2_DEVICE, Cause::Unbind).unwrap();
        eventually("its unplug begins", || receiver.lifetime().is_unplugged());
        assert_eq!(receiver.turn(&access, true), Err(Errno::ENODEV));
        assert_eq!(receiver.state.lock().streams, 0);
        drop(access);
        removal.wait_for(DEADLINE).unwrap().expect("it goes in time");
    }

    #[test]
    fn the_first_stream_turns_it_on_and_the_last_turns_it_off() {
        let group = RvinGroup::new();
        let machine = Machine::with_group(&["e6ef0000.video"], group.clone()).unwrap();
        let (receiver, board) = (group.receiver().unwrap(), machine.board.csi2().unwrap());
        let access = receiver.lifetime().enter(op!("test")).unwrap();
        let delivers = || [0, 1].map(|channel| board.delivers(channel));
        assert_eq!(receiver.turn(&access, false), Err(Errno::EINVAL), "it is off");
        for (enable, streams) in [(true, 1), (true, 2), (true, 3), (false, 2), (false, 1), (false, 0)] {
            assert_eq!(receiver.turn(&access, enable), Ok(()));
            assert_eq!((receiver.state.lock().streams, delivers()), (streams, [streams > 0; 2]));
        }
        receiver.turn(&access, true).unwrap();
        receiver.quiesce(&access, Cause::SurpriseRemoval);
        assert_eq!((receiver.state.lock().streams, delivers()), (0, [true; 2]), "hardware that is gone is left alone");
        receiver.quiesce(&access, Cause::Unbind);
        assert_eq!(delivers(), [false; 2]);
    }

    #[test]
    fn its_pads_have_one_format_which_is_set_where_pictures_come_in() {
        let machine = Machine::new(&["e6ef0000.video"]).unwrap();
        let file = machine.devices.open("v4l-subdev0", OpenFlags::RDWR).unwrap();
        let capability = get(&file, VIDIOC_SUBDEV_QUERYCAP, zeroed::<v4l2_subdev_capability>()).unwrap();
        assert_eq!(capability.version, kernel_version(6, 12, 0));
        let code = |pad, index| {
            let asked = v4l2_subdev_mbus_code_enum { pad, index, flags: 7, ..zeroed() };
            get(&file, VIDIOC_SUBDEV_ENUM_MBUS_CODE, asked).map(|told| (told.pad, told.code, told.flags))
        };
        let size = |command, which, pad, (width, height)| {
            let format = MbusFormat::new(width, height);
            get(&file, command, v4l2_subdev_format { which, pad, format, ..zeroed() })
                .map(|told| (told.format.width, told.format.height))
        };
        let (get_format, set_format) = (VIDIOC_SUBDEV_G_FMT, VIDIOC_SUBDEV_S_FMT);
        for pad in 0..=CHANNELS {
            assert_eq!(code(pad, 0), Ok((pad, MEDIA_BUS_FMT_UYVY8_1X16, 0)));
            assert_eq!(code(pad, 1), Err(Errno::EINVAL));
            assert_eq!(size(get_format, V4L2_SUBDEV_FORMAT_ACTIVE, pad, (0, 0)), Ok((640, 480)));
        }
        assert_eq!(code(CHANNELS + 1, 0), Err(Errno::EINVAL));
        assert_eq!(size(get_format, V4L2_SUBDEV_FORMAT_ACTIVE, CHANNELS + 1, (0, 0)), Err(Errno::EINVAL));
        assert_eq!(size(get_format, V4L2_SUBDEV_FORMAT_ACTIVE + 1, 0, (0, 0)), Err(Errno::EINVAL));
        // Tried, or of another pad: nothing changes.
        assert_eq!(size(set_format, 0, 0, (320, 240)), Ok((640, 480)));
        assert_eq!(size(set_format, V4L2_SUBDEV_FORMAT_ACTIVE, 1, (320, 240)), Ok((640, 480)));
        assert_eq!(size(get_format, V4L2_SUBDEV_FORMAT_ACTIVE, 0, (320, 240)), Ok((640, 480)));
        assert_eq!(size(set_format, V4L2_SUBDEV_FORMAT_ACTIVE, 0, (320, 9999)), Ok((320, 4096)));
        assert_eq!(size(get_format, V4L2_SUBDEV_FORMAT_ACTIVE, 2, (0, 0)), Ok((320, 4096)));
        let stream = Stream::start(machine.devices.open("video0", OpenFlags::RDWR).unwrap(), 2).unwrap();
        assert_eq!(size(set_format, V4L2_SUBDEV_FORMAT_ACTIVE, 0, (640, 480)), Err(Errno::EBUSY));
        assert_eq!(size(set_format, V4L2_SUBDEV_FORMAT_ACTIVE, 1, (640, 480)), Ok((320, 4096)));
        drop(stream);
        assert_eq!(size(set_format, V4L2_SUBDEV_FORMAT_ACTIVE, 0, (640, 480)), Ok((640, 480)));
        assert_eq!(file.ioctl(VIDIOC_SUBDEV_LOG_STATUS, &mut []), Ok(0));
    }
}
