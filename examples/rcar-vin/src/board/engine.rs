//! The engine of a VIN: takes the frames that its sensor delivers, and writes them to memory.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::picture::{Layout, Picture};
use super::pixels::PixelFormat;
use super::registers::State;
use super::sensor::Image;
use super::vin::Hardware;
use crate::driver::registers::vin::*;

/// The longest side of a capture window; more than that is a register that was never set.
const WINDOW_MAX: u32 = 4096;

/// What the hardware latches when a frame begins; later writes are for the next frame.
struct Frame {
    slot: usize,
    address: u64,
    /// The life of the device in which the frame began.
    life: u64,
    layout: Option<Layout>,
    /// When the last line will have been written.
    end: Instant,
    /// Whether the start of the frame raises the interrupt.
    interrupt: bool,
}

impl Hardware {
    pub(super) fn run(&self) {
        let mut picture: Option<Picture> = None;
        let mut number = 0;
        // Slots are used in turn, and the turn goes on from one capture to the next: a driver that
        // wants to begin with slot 0 has to wait for it.
        let mut slot = 0;
        let mut next = Instant::now();
        while let Some(frame) = self.start_of_frame(slot, &mut next) {
            slot = (slot + 1) % HW_BUFFER_NUM;
            if frame.interrupt {
                self.irq.raise();
            }
            if let Some(layout) = frame.layout
                && picture.as_ref().is_none_or(|picture| *picture.layout() != layout)
            {
                picture = Some(Picture::new(layout));
            }
            let pixels = match &mut picture {
                Some(picture) if frame.layout.is_some() => picture.render(number),
                // A window without sense: the engine runs, and has nothing to write.
                _ => &[],
            };
            if !self.expose(&frame) {
                continue;
            }
            let written = frame.layout.map(|_| self.iommu.write(frame.address, pixels));
            number += 1;
            if self.end_of_frame(&frame, written) {
                self.irq.raise();
            }
        }
    }

    /// Waits for the vertical sync of a frame that is to be captured; [`None`] at power off.
    fn start_of_frame(&self, slot: usize, next: &mut Instant) -> Option<Frame> {
        let mut state = self.block.lock();
        loop {
            if state.power_off {
                return None;
            }
            if !state.capturing() || !state.fed() {
                self.block.wait(&mut state);
                continue;
            }
            let now = Instant::now();
            // A faster rate is not kept waiting for by a slower one.
            *next = (*next).min(now + state.frame_interval);
            if now < *next {
                self.block.wait_until(&mut state, *next);
                continue;
            }
            // A frame takes three quarters of the interval; the rest is vertical blanking. After a
            // pause the sensor does not make up for the frames that it has missed.
            let interval = state.frame_interval;
            *next = if now - *next < interval { *next + interval } else { now + interval };
            state.set_in_frame(true);
            let interrupt = state.add_events(VNINTS_VFS);
            return Some(Frame {
                slot,
                address: u64::from(state.get(VNMB_REG(slot))),
                life: state.life,
                layout: layout(&state, &self.sensor.image()),
                end: now + interval * 3 / 4,
                interrupt,
            });
        }
    }

    /// Waits until the last line; false if the device went away or lost power before.
    fn expose(&self, frame: &Frame) -> bool {
        let mut state = self.block.lock();
        while state.life == frame.life && !state.power_off {
            if self.block.wait_until(&mut state, frame.end) || Instant::now() >= frame.end {
                return true;
            }
        }
        false
    }

    /// Ends the frame; whether that raises the interrupt. `written` is whether memory was where the registers
    /// said, or [`None`] if they described no picture.
    fn end_of_frame(&self, frame: &Frame, written: Option<bool>) -> bool {
        let mut state = self.block.lock();
        if state.life != frame.life {
            // Gone in the meantime, and the driver may have unmapped the buffer: not its fault.
            return false;
        }
        let (name, address) = (self.name, frame.address);
        match written {
            Some(true) => _ = self.frames.fetch_add(1, Ordering::Relaxed),
            Some(false) => {
                self.dma_faults.fetch_add(1, Ordering::Relaxed);
                tracing::error!("{name}: IOMMU fault: DMA to {address:#x}, which is not mapped");
            }
            None => {
                let (vnmc, vndmr) = (state.get(VNMC_REG), state.get(VNDMR_REG));
                tracing::error!("{name}: no picture: VNMC {vnmc:#x} and VNDMR {vndmr:#x} with this window make none");
            }
        }
        if state.get(VNFC_REG) & VNFC_S_FRAME != 0 {
            let rest = state.get(VNFC_REG) & !VNFC_S_FRAME;
            state.set(VNFC_REG, rest);
        }
        let status = state.get(VNMS_REG) & !VNMS_FBS_MASK;
        state.set(VNMS_REG, status | (frame.slot as u32) << VNMS_FBS_SHIFT);
        state.set_in_frame(false);
        state.add_events(VNINTS_FIS | VNINTS_EFS)
    }
}

/// What the registers of VIN and sensor say about the picture; [`None`] if they do not describe one.
fn layout(state: &State, image: &Image) -> Option<Layout> {
    let (left, right) = (state.get(VNSPPRC_REG), state.get(VNEPPRC_REG));
    let (top, bottom) = (state.get(VNSLPRC_REG), state.get(VNELPRC_REG));
    if right < left || bottom < top || right >= WINDOW_MAX || bottom >= WINDOW_MAX {
        return None;
    }
    // Pixels come in pairs that share their chroma.
    let (width, height) = ((right - left + 1) & !1, bottom - top + 1);
    if width == 0 {
        return None;
    }
    let scene = image.frame.unwrap_or((right + 1, bottom + 1));
    if right >= scene.0 || bottom >= scene.1 {
        return None;
    }
    let format = pixel_format(state.get(VNMC_REG), state.get(VNDMR_REG))?;
    // A stride less than the window would have lines overlap, which no driver wants.
    let stride = state.get(VNIS_REG).clamp(width, 2 * WINDOW_MAX).next_multiple_of(2);
    let bytesperline = stride * format.bytes_per_pixel();
    Some(Layout {
        format,
        width,
        height,
        bytesperline,
        uv_offset: state.get(VNUVAOF_REG).clamp(bytesperline * height, 2 * WINDOW_MAX * WINDOW_MAX),
        origin: (left, top),
        scene,
        pattern: image.pattern,
        brightness: image.brightness,
    })
}

/// The format that data mode `dmr` makes, given what comes in and whether its colours are kept.
fn pixel_format(vnmc: u32, dmr: u32) -> Option<PixelFormat> {
    let input_is_yuv = vnmc & VNMC_INF_MASK == VNMC_INF_YUV16;
    let output_is_yuv = input_is_yuv == (vnmc & VNMC_BPS != 0);
    Some(match (output_is_yuv, dmr) {
        (true, 0) => PixelFormat::Uyvy,
        (true, VNDMR_BPSM) => PixelFormat::Yuyv,
        (true, VNDMR_DTMD_YCSEP) => PixelFormat::Nv16,
        (true, VNDMR_DTMD_YCSEP_420) => PixelFormat::Nv12,
        (true, dmr) if dmr == VNDMR_DTMD_YCSEP | VNDMR_YMODE_Y8 => PixelFormat::Grey,
        (false, 0) => PixelFormat::Rgb565,
        (false, VNDMR_EXRGB) => PixelFormat::Xbgr32,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::picture::Pattern;
    use crate::board::registers::Block;
    use std::time::Duration;

    /// What a window in registers, with this stride and place of the chroma, is of a frame.
    fn described(
        (left, right): (u32, u32),
        (top, bottom): (u32, u32),
        (stride, chroma): (u32, u32),
        frame: Option<(u32, u32)>,
    ) -> Option<Layout> {
        let block = Block::new(Duration::from_secs(1));
        let mut state = block.lock();
        let registers = [
            (VNSPPRC_REG, left),
            (VNEPPRC_REG, right),
            (VNSLPRC_REG, top),
            (VNELPRC_REG, bottom),
            (VNIS_REG, stride),
            (VNUVAOF_REG, chroma),
            (VNMC_REG, VNMC_INF_YUV16 | VNMC_BPS),
        ];
        registers.into_iter().for_each(|(register, value)| state.set(register, value));
        layout(&state, &Image { frame, pattern: Pattern::Scene, brightness: 128 })
    }

    #[test]
    fn a_window_makes_a_picture_if_it_is_one_and_in_the_frame() {
        let size = |across, down, frame| described(across, down, (0, 0), frame).map(|it| (it.width, it.height));
        let whole = Some((64, 32));
        for (across, down, frame, picture) in [
            ((0, 63), (0, 31), whole, Some((64, 32))),
            ((10, 13), (5, 5), whole, Some((4, 1))),
            // Pixels come in pairs.
            ((10, 14), (5, 6), whole, Some((4, 2))),
            ((10, 10), (5, 6), whole, None),
            ((11, 10), (5, 6), whole, None),
            ((10, 13), (6, 5), whole, None),
            ((10, 64), (5, 6), whole, None),
            ((10, 13), (5, 32), whole, None),
            ((0, WINDOW_MAX - 1), (0, WINDOW_MAX - 1), None, Some((WINDOW_MAX, WINDOW_MAX))),
            ((0, WINDOW_MAX), (0, 0), None, None),
            ((0, 1), (0, WINDOW_MAX), None, None),
        ] {
            assert_eq!(size(across, down, frame), picture, "{across:?} {down:?} of {frame:?}");
        }
        let window = described((10, 13), (5, 6), (0, 0), None).unwrap();
        assert_eq!((window.origin, window.scene), ((10, 5), (14, 7)), "a sensor that sends what is captured");
    }

    #[test]
    fn strides_and_planes_are_bounded() {
        let lines = |stride, chroma| {
            let picture = described((0, 63), (0, 31), (stride, chroma), None).unwrap();
            (picture.bytesperline, picture.uv_offset)
        };
        assert_eq!(lines(0, 0), (128, 128 * 32), "no line overlaps the next, and no plane the other");
        assert_eq!(lines(71, 9000), (144, 9000));
        assert_eq!(lines(u32::MAX, u32::MAX), (4 * WINDOW_MAX, 2 * WINDOW_MAX * WINDOW_MAX));
    }
}
