//! The pixel formats of the VIN. After `rvin_formats[]` of `rcar-v4l2.c`.

/// A pixel format: `struct rvin_video_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Packed YCbCr 4:2:2, luma first.
    Yuyv,
    /// Packed YCbCr 4:2:2, chroma first.
    Uyvy,
    /// Luma plane, then a plane of CbCr pairs, one pair for two pixels.
    Nv16,
    /// Luma plane, then a plane of CbCr pairs, one pair for two by two pixels.
    Nv12,
    /// 16 bit RGB, little endian.
    Rgb565,
    /// 32 bit: blue, green, red, then a byte without meaning.
    Xbgr32,
    /// Luma alone.
    Grey,
}

/// Least and greatest width, in pixels.
pub const WIDTH: (u32, u32) = (2, 2048);
/// Least and greatest height, in lines.
pub const HEIGHT: (u32, u32) = (4, 2048);

impl PixelFormat {
    /// All formats, in the order in which `VIDIOC_ENUM_FMT` lists them.
    pub const ALL: &'static [PixelFormat] = &[
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Nv16,
        PixelFormat::Nv12,
        PixelFormat::Rgb565,
        PixelFormat::Xbgr32,
        PixelFormat::Grey,
    ];

    /// The V4L2 four-character code.
    pub const fn fourcc(self) -> u32 {
        u32::from_le_bytes(match self {
            PixelFormat::Yuyv => *b"YUYV",
            PixelFormat::Uyvy => *b"UYVY",
            PixelFormat::Nv16 => *b"NV16",
            PixelFormat::Nv12 => *b"NV12",
            PixelFormat::Rgb565 => *b"RGBP",
            PixelFormat::Xbgr32 => *b"XR24",
            PixelFormat::Grey => *b"GREY",
        })
    }

    /// The format of a V4L2 four-character code.
    pub fn from_fourcc(fourcc: u32) -> Option<PixelFormat> {
        Self::ALL.iter().copied().find(|format| format.fourcc() == fourcc)
    }

    /// The text that `VIDIOC_ENUM_FMT` answers, as `v4l_fill_fmtdesc` words it.
    ///
    /// Later kernels write `Y/UV` for `Y/CbCr`. v4l2-compliance wants the words of its own time; these are
    /// those of version 1.22.
    pub const fn description(self) -> &'static str {
        match self {
            PixelFormat::Yuyv => "YUYV 4:2:2",
            PixelFormat::Uyvy => "UYVY 4:2:2",
            PixelFormat::Nv16 => "Y/CbCr 4:2:2",
            PixelFormat::Nv12 => "Y/CbCr 4:2:0",
            PixelFormat::Rgb565 => "16-bit RGB 5-6-5",
            PixelFormat::Xbgr32 => "32-bit BGRX 8-8-8-8",
            PixelFormat::Grey => "8-bit Greyscale",
        }
    }

    /// Bytes a pixel takes, those of the luma plane alone where there are two (`fmt->bpp`).
    pub const fn bytes_per_pixel(self) -> u32 {
        match self {
            PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Rgb565 => 2,
            PixelFormat::Xbgr32 => 4,
            PixelFormat::Nv16 | PixelFormat::Nv12 | PixelFormat::Grey => 1,
        }
    }

    /// Whether pixels are YCbCr rather than RGB.
    pub const fn is_yuv(self) -> bool {
        !matches!(self, PixelFormat::Rgb565 | PixelFormat::Xbgr32)
    }

    /// Whether chroma has a plane of its own behind luma.
    pub const fn is_semi_planar(self) -> bool {
        matches!(self, PixelFormat::Nv16 | PixelFormat::Nv12)
    }

    /// The nearest size that the hardware can do, after `rvin_format_align`.
    pub fn bound_align(self, width: u32, height: u32) -> (u32, u32) {
        // "HW limit width to a multiple of 32 (2^5) for NV12/16 else 2 (2^1)"
        let align = if self.is_semi_planar() { 32 } else { 2 };
        let width = width.clamp(WIDTH.0.max(align), WIDTH.1);
        let height = height.clamp(HEIGHT.0, HEIGHT.1);
        // Round to the nearest, as v4l_bound_align_image does; the limits are multiples themselves.
        ((width + align / 2) & !(align - 1), (height + 2) & !3)
    }

    /// Bytes from one line to the next, after `rvin_format_bytesperline`.
    pub fn bytesperline(self, width: u32) -> u32 {
        let align = if self.is_semi_planar() { 0x20 } else { 0x10 };
        width.next_multiple_of(align) * self.bytes_per_pixel()
    }

    /// Bytes of a whole picture, after `rvin_format_sizeimage`.
    pub fn sizeimage(self, width: u32, height: u32) -> u32 {
        let luma = self.bytesperline(width) * height;
        match self {
            PixelFormat::Nv12 => luma * 3 / 2,
            PixelFormat::Nv16 => luma * 2,
            _ => luma,
        }
    }

    /// Bytes from the luma plane to the chroma plane, the value of `VNUVAOF`.
    pub fn uv_offset(self, width: u32, height: u32) -> u32 {
        (self.bytesperline(width) * height).next_multiple_of(0x80)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_real_driver() {
        assert_eq!(PixelFormat::Yuyv.bytesperline(640), 1280);
        assert_eq!(PixelFormat::Yuyv.sizeimage(640, 480), 614_400);
        assert_eq!(PixelFormat::Yuyv.bytesperline(650), 656 * 2, "lines are padded to 16 pixels");
        assert_eq!(PixelFormat::Nv12.sizeimage(640, 480), 460_800);
        assert_eq!(PixelFormat::Nv16.sizeimage(640, 480), 614_400);
        assert_eq!(PixelFormat::Nv12.bound_align(641, 479), (640, 480));
        assert_eq!(PixelFormat::Nv12.bound_align(656, 477), (672, 476), "to the nearest");
        assert_eq!(PixelFormat::Yuyv.bound_align(3, 6), (4, 8), "to the nearest");
        assert_eq!(PixelFormat::Yuyv.bound_align(0, 0), (2, 4));
        assert_eq!(PixelFormat::Grey.bound_align(u32::MAX, u32::MAX), (2048, 2048));
    }

    #[test]
    fn sizes_are_those_that_the_hardware_writes() {
        let sizes = [6144, 6144, 6144, 4608, 6144, 12_288, 3072];
        assert_eq!(PixelFormat::ALL.iter().map(|format| format.sizeimage(96, 32)).collect::<Vec<_>>(), sizes);
    }

    #[test]
    fn the_planes_of_every_size_fit_the_picture() {
        for &format in PixelFormat::ALL.iter().filter(|format| format.is_semi_planar()) {
            for (width, height) in [(32, 4), (640, 480), (1376, 772), (2048, 2048)] {
                let chroma = format.bytesperline(width) * height / if format == PixelFormat::Nv12 { 2 } else { 1 };
                assert_eq!(format.uv_offset(width, height) + chroma, format.sizeimage(width, height));
            }
        }
    }

    #[test]
    fn codes_are_unique_and_found_again() {
        for &format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_fourcc(format.fourcc()), Some(format));
        }
        assert_eq!(PixelFormat::from_fourcc(0), None);
    }
}
