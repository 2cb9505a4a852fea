//! Cropping: which part of the sensor's frame is captured. After `rvin_g_selection` and `rvin_s_selection` in
//! `rcar-v4l2.c`.
//!
//! There is no scaler here, so what is captured is what is stored: the size of the crop rectangle is that of the picture,
//! and the compose rectangle is the whole of it.
use super::Open;
use super::format::rect;
use crate::driver::core::RcarVin;
use crate::uapi::*;
use fops_runtime::{Errno, File, Result};

impl RcarVin {
    pub(super) fn g_selection(&self, selection: &mut v4l2_selection) -> Result {
        check_selection(selection)?;
        let settings = self.settings.lock();
        let ((frame_width, frame_height), (width, height)) = (settings.frame(), settings.size());
        selection.r = match selection.target {
            V4L2_SEL_TGT_CROP => settings.crop(),
            V4L2_SEL_TGT_CROP_BOUNDS | V4L2_SEL_TGT_CROP_DEFAULT => rect(frame_width, frame_height),
            V4L2_SEL_TGT_COMPOSE | V4L2_SEL_TGT_COMPOSE_BOUNDS | V4L2_SEL_TGT_COMPOSE_DEFAULT => rect(width, height),
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }

    /// # Errors
    /// `EBUSY` while there are buffers, since their size may change; `ERANGE` where the nearest rectangle is smaller or
    /// larger than the flags allow.
    pub(super) fn s_selection(&self, file: &File<Open>, selection: &mut v4l2_selection) -> Result {
        check_selection(selection)?;
        let mut settings = self.settings.lock();
        settings.check_priority(file)?;
        let wanted = selection.r;
        let nearest = match selection.target {
            V4L2_SEL_TGT_CROP => {
                let frame = settings.frame();
                let size = settings.format().bound_align(wanted.width.min(frame.0), wanted.height.min(frame.1));
                // Pixels come in pairs that share their chroma.
                let place = |at: i32, room: u32, align: i32| at.clamp(0, room.cast_signed()) & -align;
                v4l2_rect {
                    left: place(wanted.left, frame.0 - size.0, 2),
                    top: place(wanted.top, frame.1 - size.1, 1),
                    width: size.0,
                    height: size.1,
                }
            }
            V4L2_SEL_TGT_COMPOSE => rect(settings.size().0, settings.size().1),
            _ => return Err(Errno::EINVAL),
        };
        let smaller = nearest.width < wanted.width || nearest.height < wanted.height;
        let larger = nearest.width > wanted.width || nearest.height > wanted.height;
        if (selection.flags & V4L2_SEL_FLAG_GE != 0 && smaller) || (selection.flags & V4L2_SEL_FLAG_LE != 0 && larger) {
            return Err(Errno::ERANGE);
        }
        if self.capture.lock().queue.is_busy() {
            return Err(Errno::EBUSY);
        }
        if selection.target == V4L2_SEL_TGT_CROP {
            settings.set_crop(nearest);
        }
        selection.r = nearest;
        Ok(())
    }

    /// `v4l_cropcap`: what came before selections, in their terms.
    pub(super) fn cropcap(&self, cap: &mut v4l2_cropcap) -> Result {
        let mut selection = v4l2_selection { type_: cap.type_, target: V4L2_SEL_TGT_CROP_BOUNDS, ..zeroed() };
        self.g_selection(&mut selection)?;
        (cap.bounds, cap.defrect) = (selection.r, selection.r);
        cap.pixelaspect = v4l2_fract { numerator: 1, denominator: 1 };
        Ok(())
    }

    /// `v4l_g_crop`.
    pub(super) fn g_crop(&self, crop: &mut v4l2_crop) -> Result {
        let mut selection = v4l2_selection { type_: crop.type_, target: V4L2_SEL_TGT_CROP, ..zeroed() };
        self.g_selection(&mut selection)?;
        crop.c = selection.r;
        Ok(())
    }

    /// `v4l_s_crop`.
    pub(super) fn s_crop(&self, file: &File<Open>, crop: &v4l2_crop) -> Result {
        let selection = v4l2_selection { type_: crop.type_, target: V4L2_SEL_TGT_CROP, r: crop.c, ..zeroed() };
        self.s_selection(file, &mut { selection })
    }
}

/// Selections are the same for buffers of one plane and of many: `v4l_g_selection`.
fn check_selection(selection: &mut v4l2_selection) -> Result {
    selection.reserved = zeroed();
    let types = [V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE];
    if types.contains(&selection.type_) { Ok(()) } else { Err(Errno::EINVAL) }
}
