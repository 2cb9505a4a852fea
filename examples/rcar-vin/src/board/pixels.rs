//! What the VIN makes of pixels in memory. The board's own list: it shares no type with the driver.

/// How a pixel lies in memory.
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

impl PixelFormat {
    /// All of them.
    pub const ALL: &'static [PixelFormat] = &[
        PixelFormat::Yuyv,
        PixelFormat::Uyvy,
        PixelFormat::Nv16,
        PixelFormat::Nv12,
        PixelFormat::Rgb565,
        PixelFormat::Xbgr32,
        PixelFormat::Grey,
    ];

    /// Bytes of a pixel, in the luma plane where there are two planes.
    pub const fn bytes_per_pixel(self) -> u32 {
        match self {
            PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Rgb565 => 2,
            PixelFormat::Xbgr32 => 4,
            PixelFormat::Nv16 | PixelFormat::Nv12 | PixelFormat::Grey => 1,
        }
    }
}
