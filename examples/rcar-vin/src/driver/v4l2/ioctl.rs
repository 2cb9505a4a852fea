//! The ioctls. After `rcar-v4l2.c` and `v4l2-ioctl.c`.
use super::Open;
use super::format::{enum_fmt, try_fmt};
use crate::driver::controls::Ext;
use crate::driver::core::{RcarVin, VinHw};
use crate::driver::registers::sensor::SENSOR_REGISTERS;
use crate::driver::registers::vin::REGISTERS;
use crate::uapi::ioctls::*;
use crate::uapi::*;
use fops_runtime::{Access, Command, Errno, File, IoctlArg, Result, WaitQueue};
use std::fmt::Display;

/// Controls that may be passed at once: `V4L2_CID_MAX_CTRLS`.
const MAX_EXT_CTRLS: u32 = 1024;

impl RcarVin {
    /// `v4l2_ioctl_ops`, in the order of `rcar-v4l2.c`.
    pub(super) fn video_ioctl2(
        &self,
        hw: &Access<'_, VinHw>,
        file: &File<Open>,
        cmd: Command,
        arg: &mut IoctlArg<'_>,
    ) -> Result {
        let listener = &file.state().listener;
        match cmd {
            VIDIOC_QUERYCAP => self.querycap(arg),
            VIDIOC_TRY_FMT => update(arg, |f: &mut Format| try_fmt(hw, f).map(drop)),
            VIDIOC_G_FMT => update(arg, |f: &mut Format| self.settings.lock().g_fmt(f)),
            VIDIOC_S_FMT => update(arg, |f: &mut Format| self.s_fmt(hw, file, f)),
            VIDIOC_ENUM_FMT => update(arg, enum_fmt),
            VIDIOC_G_SELECTION => update(arg, |selection: &mut v4l2_selection| self.g_selection(selection)),
            VIDIOC_S_SELECTION => update(arg, |selection: &mut v4l2_selection| self.s_selection(file, selection)),
            VIDIOC_CROPCAP => update(arg, |cap: &mut v4l2_cropcap| self.cropcap(cap)),
            VIDIOC_G_CROP => update(arg, |crop: &mut v4l2_crop| self.g_crop(crop)),
            VIDIOC_S_CROP => self.s_crop(file, &load(arg.data()).ok_or(Errno::EINVAL)?),
            VIDIOC_ENUMINPUT => update(arg, enum_input),
            VIDIOC_G_INPUT => write(arg, &0u32),
            VIDIOC_S_INPUT => update(arg, |input: &mut u32| {
                self.settings.lock().check_priority(file)?;
                if *input == 0 { Ok(()) } else { Err(Errno::EINVAL) }
            }),
            VIDIOC_G_PRIORITY => write(arg, &self.settings.lock().highest_priority()),
            VIDIOC_S_PRIORITY => self.settings.lock().s_priority(file, load(arg.data()).ok_or(Errno::EINVAL)?),
            VIDIOC_LOG_STATUS => self.log_status(hw),
            VIDIOC_REQBUFS => update(arg, |request: &mut v4l2_requestbuffers| {
                let settings = self.settings.lock();
                settings.check_priority(file)?;
                self.capture.lock().queue.reqbufs(file.id(), request, settings.sizeimage())
            }),
            VIDIOC_CREATE_BUFS => update(arg, |request: &mut CreateBuffers| {
                let settings = self.settings.lock();
                settings.check_priority(file)?;
                self.capture.lock().queue.create_bufs(file.id(), request, settings.sizeimage())
            }),
            VIDIOC_QUERYBUF => update(arg, |buffer: &mut Buffer| self.capture.lock().queue.querybuf(buffer)),
            VIDIOC_PREPARE_BUF => update(arg, |buffer: &mut Buffer| {
                let settings = self.settings.lock();
                self.capture.lock().queue.prepare_buf(file.id(), buffer, settings.sizeimage())
            }),
            VIDIOC_QBUF => update(arg, |buffer: &mut Buffer| self.qbuf(file, buffer)),
            VIDIOC_DQBUF => update(arg, |buffer: &mut Buffer| self.dqbuf(hw, file, buffer)),
            VIDIOC_STREAMON => update(arg, |type_: &mut u32| self.streamon(hw, file, *type_)),
            VIDIOC_STREAMOFF => update(arg, |type_: &mut u32| self.streamoff(hw, file, *type_)),
            VIDIOC_SUBSCRIBE_EVENT => self.subscribe_event(listener, &load(arg.data()).ok_or(Errno::EINVAL)?),
            VIDIOC_UNSUBSCRIBE_EVENT => self.unsubscribe_event(listener, &load(arg.data()).ok_or(Errno::EINVAL)?),
            VIDIOC_DQEVENT => write(arg, &self.dqevent(hw, file, listener)?),
            VIDIOC_QUERYCTRL => update(arg, |query: &mut v4l2_queryctrl| self.query_ctrl(query)),
            VIDIOC_QUERY_EXT_CTRL => update(arg, |query: &mut QueryExtCtrl| self.query_ext_ctrl(query)),
            VIDIOC_QUERYMENU => update(arg, |query: &mut QueryMenu| self.query_menu(query)),
            VIDIOC_G_CTRL => update(arg, |control: &mut v4l2_control| self.g_ctrl(control)),
            VIDIOC_S_CTRL => update(arg, |control: &mut v4l2_control| {
                self.settings.lock().check_priority(file)?;
                self.s_ctrl(hw, file.id(), control)
            }),
            VIDIOC_G_EXT_CTRLS => self.ioctl_ext_ctrls(Ext::Get, hw, file, arg),
            VIDIOC_TRY_EXT_CTRLS => self.ioctl_ext_ctrls(Ext::Try, hw, file, arg),
            VIDIOC_S_EXT_CTRLS => self.ioctl_ext_ctrls(Ext::Set, hw, file, arg),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// The controls are an array in the caller's memory, to which the argument points. No lock is held while that is
    /// copied.
    fn ioctl_ext_ctrls(&self, what: Ext, hw: &VinHw, file: &File<Open>, arg: &mut IoctlArg<'_>) -> Result {
        if what == Ext::Set {
            self.settings.lock().check_priority(file)?;
        }
        let mut controls: ExtControls = load(arg.data()).ok_or(Errno::EINVAL)?;
        if controls.count > MAX_EXT_CTRLS {
            return Err(Errno::EINVAL);
        }
        let address = controls.controls as u64;
        let mut array = arg.memdup_user(address, controls.count as usize * ExtControl::SIZE)?;
        let mut list: Vec<ExtControl> = array.chunks_exact(ExtControl::SIZE).map(Uapi::get).collect();
        let result = self.ext_ctrls(what, hw, file.id(), &mut controls, &mut list);
        for (control, bytes) in list.iter().zip(array.chunks_exact_mut(ExtControl::SIZE)) {
            store(control, bytes).ok_or(Errno::EINVAL)?;
        }
        arg.copy_to_user(address, &array)?;
        store(&controls, arg.data_mut()).ok_or(Errno::EINVAL)?;
        if result.is_err() {
            // A host copies out what has succeeded. This is for those who ask which control has not.
            let _ = arg.copy_to_user(arg.value() as u64, arg.data());
        }
        result
    }

    fn querycap(&self, arg: &mut IoctlArg<'_>) -> Result {
        let caps =
            V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_READWRITE | V4L2_CAP_IO_MC | V4L2_CAP_EXT_PIX_FORMAT;
        let cap = v4l2_capability {
            driver: text("rcar_vin"),
            card: text("R_Car_VIN"),
            bus_info: text(&format!("platform:{}", self.device.name())),
            version: kernel_version(6, 12, 0),
            capabilities: caps | V4L2_CAP_DEVICE_CAPS,
            device_caps: caps,
            ..zeroed()
        };
        write(arg, &cap)
    }

    /// Writes the registers to the log, a line each, and sleeps for as long as the console takes for a line.
    ///
    /// A console is slow, and nobody waits for this: it gives up at unplug and on a signal, and holds no lock.
    fn log_status(&self, hw: &VinHw) -> Result {
        let nobody_wakes = WaitQueue::new();
        let line = |text: &dyn Display| -> Result {
            tracing::info!("{}: {text}", self.device.name());
            let time = hw.port.console.line_time();
            if !time.is_zero() {
                nobody_wakes.wait_event(Some(time), || None::<()>)?;
            }
            Ok(())
        };
        line(&"=================  START STATUS  =================")?;
        for &(offset, name) in REGISTERS {
            let value = hw.port.mmio.read(offset);
            if value == u32::MAX {
                self.check_there(hw)?;
            }
            line(&format_args!("{name} = {value:#010x}"))?;
        }
        for &(register, name) in SENSOR_REGISTERS {
            line(&format_args!("sensor {name} = {:#06x}", hw.port.sensor.read(register)?))?;
        }
        line(&"==================  END STATUS  ==================")
    }
}

/// Loads the argument, lets `change` change it, and stores it again, after an error too where user space sees it.
fn update<T: Uapi>(arg: &mut IoctlArg<'_>, change: impl FnOnce(&mut T) -> Result) -> Result {
    let mut value = load(arg.data()).ok_or(Errno::EINVAL)?;
    let result = change(&mut value);
    store(&value, arg.data_mut()).ok_or(Errno::EINVAL)?;
    result
}

fn write<T: Uapi>(arg: &mut IoctlArg<'_>, value: &T) -> Result {
    store(value, arg.data_mut()).ok_or(Errno::EINVAL)
}

fn enum_input(input: &mut v4l2_input) -> Result {
    if input.index != 0 {
        return Err(Errno::EINVAL);
    }
    *input = v4l2_input { name: text("Camera"), type_: V4L2_INPUT_TYPE_CAMERA, ..zeroed() };
    Ok(())
}
