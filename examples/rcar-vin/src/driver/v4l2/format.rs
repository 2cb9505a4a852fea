//! The format: what a picture is, what the sensor is to send for it, and who may change that. After `rcar-v4l2.c` and
//! `v4l2-dev.c`.
use super::Open;
use crate::driver::core::{RcarVin, VinHw};
use crate::driver::format::PixelFormat;
use crate::driver::registers::sensor::{SENSOR_X_ARRAY_REG, SENSOR_Y_ARRAY_REG};
use crate::uapi::media::MEDIA_BUS_FMT_UYVY8_1X16;
use crate::uapi::*;
use fops_runtime::{Errno, File, Result};
use std::sync::atomic::Ordering::Relaxed;

/// What user space has set: `vin->format` and `vin->crop`, and the priorities of the open files.
pub(crate) struct Settings {
    format: PixelFormat,
    /// Width and height of the sensor's frames.
    frame: (u32, u32),
    /// What is captured of them, and so the size of a picture: there is no scaler.
    crop: v4l2_rect,
    /// How many files have each priority: `struct v4l2_prio_state`.
    priorities: [u32; 4],
}

impl RcarVin {
    pub(super) fn s_fmt(&self, hw: &VinHw, file: &File<Open>, format: &mut Format) -> Result {
        let mut settings = self.settings.lock();
        settings.check_priority(file)?;
        if format.type_ == V4L2_BUF_TYPE_VIDEO_CAPTURE && self.capture.lock().queue.is_busy() {
            return Err(Errno::EBUSY);
        }
        settings.format = try_fmt(hw, format)?;
        // The sensor can send any size, and is asked for this one.
        settings.frame = (format.pix.width, format.pix.height);
        settings.crop = rect(format.pix.width, format.pix.height);
        Ok(())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: PixelFormat::Yuyv, frame: (640, 480), crop: rect(640, 480), priorities: [0; 4] }
    }
}

impl Settings {
    pub(crate) fn format(&self) -> PixelFormat {
        self.format
    }

    /// Width in pixels, height in lines.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.crop.width, self.crop.height)
    }

    /// Width and height of the sensor's frames.
    pub(crate) fn frame(&self) -> (u32, u32) {
        self.frame
    }

    /// What is captured of them.
    pub(crate) fn crop(&self) -> v4l2_rect {
        self.crop
    }

    pub(super) fn set_crop(&mut self, crop: v4l2_rect) {
        self.crop = crop;
    }

    /// `rvin_mc_validate_format`: whether the sensor has what is to be captured. It may have become smaller.
    pub(crate) fn check_pipeline(&self, hw: &VinHw) -> Result {
        let (width, height) = sensor_array(hw)?;
        if self.frame.0 > width || self.frame.1 > height { Err(Errno::EPIPE) } else { Ok(()) }
    }

    /// Bytes of a picture.
    pub(crate) fn sizeimage(&self) -> u32 {
        self.format.sizeimage(self.crop.width, self.crop.height)
    }

    pub(super) fn g_fmt(&self, format: &mut Format) -> Result {
        check_type(format.type_)?;
        format.pix = pix_format(self.format, self.crop.width, self.crop.height);
        Ok(())
    }

    pub(super) fn add_file(&mut self) {
        self.priorities[V4L2_PRIORITY_DEFAULT as usize] += 1;
    }

    pub(super) fn remove_file(&mut self, file: &File<Open>) {
        self.priorities[file.state().priority.load(Relaxed) as usize] -= 1;
    }

    /// `v4l2_prio_max`.
    pub(super) fn highest_priority(&self) -> u32 {
        (1..4).rev().find(|&priority| self.priorities[priority as usize] > 0).unwrap_or(V4L2_PRIORITY_DEFAULT)
    }

    /// `v4l2_prio_check`: those with less priority than another may look, and not change.
    pub(super) fn check_priority(&self, file: &File<Open>) -> Result {
        if file.state().priority.load(Relaxed) < self.highest_priority() { Err(Errno::EBUSY) } else { Ok(()) }
    }

    pub(super) fn s_priority(&mut self, file: &File<Open>, priority: u32) -> Result {
        self.check_priority(file)?;
        if !(V4L2_PRIORITY_BACKGROUND..=V4L2_PRIORITY_RECORD).contains(&priority) {
            return Err(Errno::EINVAL);
        }
        let before = file.state().priority.swap(priority, Relaxed);
        self.priorities[before as usize] -= 1;
        self.priorities[priority as usize] += 1;
        Ok(())
    }
}

/// Width and height of what the sensor has at most.
fn sensor_array(hw: &VinHw) -> Result<(u32, u32)> {
    let sensor = &hw.port.sensor;
    Ok((sensor.read(SENSOR_X_ARRAY_REG)?.into(), sensor.read(SENSOR_Y_ARRAY_REG)?.into()))
}

/// A rectangle of this size, at the origin.
pub(super) fn rect(width: u32, height: u32) -> v4l2_rect {
    v4l2_rect { left: 0, top: 0, width, height }
}

pub(super) fn check_type(type_: u32) -> Result {
    if type_ == V4L2_BUF_TYPE_VIDEO_CAPTURE { Ok(()) } else { Err(Errno::EINVAL) }
}

/// `rvin_format_align`: the nearest format that the hardware has.
pub(super) fn try_fmt(hw: &VinHw, format: &mut Format) -> Result<PixelFormat> {
    check_type(format.type_)?;
    let array = sensor_array(hw)?;
    let pixels = PixelFormat::from_fourcc(format.pix.pixelformat).unwrap_or(PixelFormat::Yuyv);
    let (width, height) = pixels.bound_align(format.pix.width.min(array.0), format.pix.height.min(array.1));
    format.pix = pix_format(pixels, width, height);
    Ok(pixels)
}

fn pix_format(format: PixelFormat, width: u32, height: u32) -> PixFormat {
    let quantization = if format.is_yuv() { V4L2_QUANTIZATION_LIM_RANGE } else { V4L2_QUANTIZATION_FULL_RANGE };
    PixFormat {
        width,
        height,
        pixelformat: format.fourcc(),
        field: V4L2_FIELD_NONE,
        bytesperline: format.bytesperline(width),
        sizeimage: format.sizeimage(width, height),
        colorspace: V4L2_COLORSPACE_SRGB,
        private: V4L2_PIX_FMT_PRIV_MAGIC,
        flags: 0,
        ycbcr_enc: V4L2_YCBCR_ENC_601,
        quantization,
        xfer_func: V4L2_XFER_FUNC_SRGB,
    }
}

pub(super) fn enum_fmt(desc: &mut v4l2_fmtdesc) -> Result {
    check_type(desc.type_)?;
    // All formats are made of what the receiver delivers (V4L2_CAP_IO_MC).
    if ![0, MEDIA_BUS_FMT_UYVY8_1X16].contains(&desc.mbus_code) {
        return Err(Errno::EINVAL);
    }
    let format = PixelFormat::ALL.get(desc.index as usize).ok_or(Errno::EINVAL)?;
    *desc = v4l2_fmtdesc {
        index: desc.index,
        type_: desc.type_,
        description: text(format.description()),
        pixelformat: format.fourcc(),
        mbus_code: desc.mbus_code,
        ..zeroed()
    };
    Ok(())
}
