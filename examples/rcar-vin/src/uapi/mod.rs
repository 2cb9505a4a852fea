//! The V4L2 structures, between the bytes of an ioctl's argument and values that a driver can use.
//!
//! The layout comes from crate `moq-v4l`, which has `videodev2.h` checked in. Its structures are used as
//! they are where they have no unions; [`Buffer`], [`Format`] and [`CreateBuffers`] stand for those that
//! do, with the one member of each union that this driver supports. Every field is read and written where
//! the C structure has it, one by one: padding never leaks, and nothing here needs `unsafe`.

use std::mem::{offset_of, size_of};

use moq_v4l::sys;

pub use moq_v4l::sys::{
    V4L2_BUF_CAP_SUPPORTS_MMAP, V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS, V4L2_BUF_FLAG_DONE, V4L2_BUF_FLAG_ERROR,
    V4L2_BUF_FLAG_MAPPED, V4L2_BUF_FLAG_PREPARED, V4L2_BUF_FLAG_QUEUED, V4L2_BUF_FLAG_REQUEST_FD,
    V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC, V4L2_CAP_DEVICE_CAPS, V4L2_CAP_EXT_PIX_FORMAT, V4L2_CAP_IO_MC,
    V4L2_CAP_READWRITE, V4L2_CAP_STREAMING, V4L2_CAP_VIDEO_CAPTURE, V4L2_INPUT_TYPE_CAMERA, V4L2_PIX_FMT_PRIV_MAGIC,
    V4L2_SEL_FLAG_GE, V4L2_SEL_FLAG_LE, V4L2_SEL_TGT_COMPOSE, V4L2_SEL_TGT_COMPOSE_BOUNDS,
    V4L2_SEL_TGT_COMPOSE_DEFAULT, V4L2_SEL_TGT_CROP, V4L2_SEL_TGT_CROP_BOUNDS, V4L2_SEL_TGT_CROP_DEFAULT,
    v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE as V4L2_BUF_TYPE_VIDEO_CAPTURE,
    v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE as V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, v4l2_capability,
    v4l2_colorspace_V4L2_COLORSPACE_SRGB as V4L2_COLORSPACE_SRGB, v4l2_crop, v4l2_cropcap, v4l2_exportbuffer,
    v4l2_field_V4L2_FIELD_ANY as V4L2_FIELD_ANY, v4l2_field_V4L2_FIELD_NONE as V4L2_FIELD_NONE, v4l2_fmtdesc,
    v4l2_fract, v4l2_input, v4l2_memory_V4L2_MEMORY_MMAP as V4L2_MEMORY_MMAP,
    v4l2_priority_V4L2_PRIORITY_BACKGROUND as V4L2_PRIORITY_BACKGROUND,
    v4l2_priority_V4L2_PRIORITY_DEFAULT as V4L2_PRIORITY_DEFAULT,
    v4l2_priority_V4L2_PRIORITY_RECORD as V4L2_PRIORITY_RECORD,
    v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE as V4L2_QUANTIZATION_FULL_RANGE,
    v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE as V4L2_QUANTIZATION_LIM_RANGE, v4l2_rect, v4l2_requestbuffers,
    v4l2_selection, v4l2_xfer_func_V4L2_XFER_FUNC_SRGB as V4L2_XFER_FUNC_SRGB,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601 as V4L2_YCBCR_ENC_601,
};

/// A value with a layout that user space and kernel agree on.
///
/// [`load`] and [`store`] call `get` and `put` with at least [`SIZE`](Self::SIZE) bytes; they panic on less.
pub trait Uapi: Sized {
    /// Its size, in bytes.
    const SIZE: usize;
    /// Reads a value from the start of `bytes`.
    fn get(bytes: &[u8]) -> Self;
    /// Writes the value to the start of `bytes`.
    fn put(&self, bytes: &mut [u8]);
}

/// The structure that an ioctl's argument holds; [`None`] if the argument is shorter.
pub fn load<T: Uapi>(bytes: &[u8]) -> Option<T> {
    bytes.get(..T::SIZE).map(T::get)
}

/// Stores a structure as an ioctl's argument, all that it does not name zeroed; [`None`] if the argument is shorter.
#[must_use = "nothing is stored in an argument that is too short"]
pub fn store<T: Uapi>(value: &T, bytes: &mut [u8]) -> Option<()> {
    let bytes = bytes.get_mut(..T::SIZE)?;
    bytes.fill(0);
    value.put(bytes);
    Some(())
}

/// A structure of zeros.
pub fn zeroed<T: Uapi>() -> T {
    const { assert!(T::SIZE <= 256) };
    T::get(&[0; 256])
}

/// Text in a fixed array: cut to fit, zeros behind it, at least one.
pub fn text<const N: usize>(text: &str) -> [u8; N] {
    let mut array = [0; N];
    let length = text.floor_char_boundary(N.saturating_sub(1));
    array[..length].copy_from_slice(&text.as_bytes()[..length]);
    array
}

/// Packs a version as `KERNEL_VERSION` does.
pub const fn kernel_version(major: u8, minor: u8, patch: u8) -> u32 {
    (major as u32) << 16 | (minor as u32) << 8 | patch as u32
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl Uapi for $number {
            const SIZE: usize = size_of::<$number>();

            fn get(bytes: &[u8]) -> Self {
                let mut own = [0; Self::SIZE];
                own.copy_from_slice(&bytes[..Self::SIZE]);
                Self::from_ne_bytes(own)
            }

            fn put(&self, bytes: &mut [u8]) {
                bytes[..Self::SIZE].copy_from_slice(&self.to_ne_bytes());
            }
        })*
    };
}

numbers!(u8, u16, u32, i32, u64, i64, usize);

impl<T: Uapi, const N: usize> Uapi for [T; N] {
    const SIZE: usize = N * T::SIZE;

    fn get(bytes: &[u8]) -> Self {
        std::array::from_fn(|index| T::get(&bytes[index * T::SIZE..]))
    }

    fn put(&self, bytes: &mut [u8]) {
        for (index, element) in self.iter().enumerate() {
            element.put(&mut bytes[index * T::SIZE..]);
        }
    }
}

/// Structures without unions, used as bindgen made them. A field left out does not compile.
macro_rules! structures {
    ($($name:ty { $($field:ident),* $(,)? })*) => {
        $(impl $crate::uapi::Uapi for $name {
            const SIZE: usize = ::std::mem::size_of::<$name>();

            fn get(bytes: &[u8]) -> Self {
                Self { $($field: $crate::uapi::Uapi::get(&bytes[::std::mem::offset_of!($name, $field)..])),* }
            }

            fn put(&self, bytes: &mut [u8]) {
                $(self.$field.put(&mut bytes[::std::mem::offset_of!($name, $field)..]);)*
            }
        })*
    };
}

pub(crate) use structures;

structures! {
    v4l2_capability { driver, card, bus_info, version, capabilities, device_caps, reserved }
    v4l2_fmtdesc { index, type_, flags, description, pixelformat, mbus_code, reserved }
    v4l2_requestbuffers { count, type_, memory, capabilities, flags, reserved }
    v4l2_exportbuffer { type_, index, plane, flags, fd, reserved }
    v4l2_input { index, name, type_, audioset, tuner, std, status, capabilities, reserved }
    v4l2_rect { left, top, width, height }
    v4l2_selection { type_, target, flags, r, reserved }
    v4l2_crop { type_, c }
    v4l2_fract { numerator, denominator }
    v4l2_cropcap { type_, bounds, defrect, pixelaspect }
    sys::timeval { tv_sec, tv_usec }
}

/// Structures of our own, each field at the place of a field of the C structure.
macro_rules! views {
    ($(
        $(#[$meta:meta])*
        $name:ident of $of:ident { $($(#[$doc:meta])* $field:ident: $type:ty = $at:ident),* $(,)? }
    )*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name {
                $($(#[$doc])* pub $field: $type,)*
            }

            impl Uapi for $name {
                const SIZE: usize = size_of::<sys::$of>();

                fn get(bytes: &[u8]) -> Self {
                    Self { $($field: Uapi::get(&bytes[offset_of!(sys::$of, $at)..])),* }
                }

                fn put(&self, bytes: &mut [u8]) {
                    $(self.$field.put(&mut bytes[offset_of!(sys::$of, $at)..]);)*
                }
            }
        )*
    };
}

views! {
    /// `struct v4l2_buffer` of a single-planar buffer in memory that the device allocates.
    Buffer of v4l2_buffer {
        /// Which buffer.
        index: u32 = index,
        /// `V4L2_BUF_TYPE_…`.
        type_: u32 = type_,
        /// Bytes of the picture in the buffer.
        bytesused: u32 = bytesused,
        /// `V4L2_BUF_FLAG_…`.
        flags: u32 = flags,
        /// `V4L2_FIELD_…`.
        field: u32 = field,
        /// When the frame was complete.
        timestamp: Timestamp = timestamp,
        /// Number of the frame since streaming began.
        sequence: u32 = sequence,
        /// `V4L2_MEMORY_…`.
        memory: u32 = memory,
        /// Where in the node to map the buffer (`m.offset`).
        offset: u32 = m,
        /// Size of the buffer, in bytes.
        length: u32 = length,
    }

    /// `struct v4l2_pix_format`.
    PixFormat of v4l2_pix_format {
        /// Width, in pixels.
        width: u32 = width,
        /// Height, in lines.
        height: u32 = height,
        /// Four-character code.
        pixelformat: u32 = pixelformat,
        /// `V4L2_FIELD_…`.
        field: u32 = field,
        /// Bytes from one line to the next.
        bytesperline: u32 = bytesperline,
        /// Bytes of a picture.
        sizeimage: u32 = sizeimage,
        /// `V4L2_COLORSPACE_…`.
        colorspace: u32 = colorspace,
        /// [`V4L2_PIX_FMT_PRIV_MAGIC`] if what follows is valid (`priv`).
        private: u32 = priv_,
        /// `V4L2_PIX_FMT_FLAG_…`.
        flags: u32 = flags,
        /// `V4L2_YCBCR_ENC_…`.
        ycbcr_enc: u32 = __bindgen_anon_1,
        /// `V4L2_QUANTIZATION_…`.
        quantization: u32 = quantization,
        /// `V4L2_XFER_FUNC_…`.
        xfer_func: u32 = xfer_func,
    }

    /// `struct v4l2_format` of a single-planar type.
    Format of v4l2_format {
        /// `V4L2_BUF_TYPE_…`.
        type_: u32 = type_,
        /// The format of the picture (`fmt.pix`).
        pix: PixFormat = fmt,
    }

    /// `struct v4l2_create_buffers`.
    CreateBuffers of v4l2_create_buffers {
        /// Index of the first buffer made.
        index: u32 = index,
        /// How many to make; then how many were.
        count: u32 = count,
        /// `V4L2_MEMORY_…`.
        memory: u32 = memory,
        /// The format that they are for.
        format: Format = format,
        /// `V4L2_BUF_CAP_…`.
        capabilities: u32 = capabilities,
        /// `V4L2_MEMORY_FLAG_…`.
        flags: u32 = flags,
    }
}

mod controls;
mod events;
pub mod ioctls;
pub mod media;

pub use controls::*;
pub use events::*;

/// A time since boot (`CLOCK_MONOTONIC`), as `struct timeval`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds.
    pub sec: i64,
    /// Microseconds, less than a million.
    pub usec: i64,
}

#[allow(clippy::unnecessary_cast, reason = "the fields of a timeval have 32 bits on some targets")]
impl Uapi for Timestamp {
    const SIZE: usize = size_of::<sys::timeval>();

    fn get(bytes: &[u8]) -> Self {
        let sys::timeval { tv_sec, tv_usec } = Uapi::get(bytes);
        Timestamp { sec: tv_sec as i64, usec: tv_usec as i64 }
    }

    fn put(&self, bytes: &mut [u8]) {
        sys::timeval { tv_sec: self.sec as _, tv_usec: self.usec as _ }.put(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uapi::ioctls::*;

    #[test]
    fn the_argument_is_as_long_as_the_command_says() {
        for (command, size) in [
            (VIDIOC_QUERYCAP, v4l2_capability::SIZE),
            (VIDIOC_ENUM_FMT, v4l2_fmtdesc::SIZE),
            (VIDIOC_G_FMT, Format::SIZE),
            (VIDIOC_REQBUFS, v4l2_requestbuffers::SIZE),
            (VIDIOC_CREATE_BUFS, CreateBuffers::SIZE),
            (VIDIOC_DQBUF, Buffer::SIZE),
            (VIDIOC_EXPBUF, v4l2_exportbuffer::SIZE),
            (VIDIOC_ENUMINPUT, v4l2_input::SIZE),
            (VIDIOC_G_SELECTION, v4l2_selection::SIZE),
            (VIDIOC_CROPCAP, v4l2_cropcap::SIZE),
            (VIDIOC_S_CROP, v4l2_crop::SIZE),
            (VIDIOC_QUERYCTRL, v4l2_queryctrl::SIZE),
            (VIDIOC_QUERY_EXT_CTRL, QueryExtCtrl::SIZE),
            (VIDIOC_QUERYMENU, QueryMenu::SIZE),
            (VIDIOC_S_CTRL, v4l2_control::SIZE),
            (VIDIOC_S_EXT_CTRLS, ExtControls::SIZE),
            (VIDIOC_SUBSCRIBE_EVENT, v4l2_event_subscription::SIZE),
            (VIDIOC_DQEVENT, Event::SIZE),
            (VIDIOC_S_PRIORITY, u32::SIZE),
        ] {
            assert_eq!(command.size(), size, "{:?}", command_name(command));
        }
    }

    #[test]
    fn fields_are_where_the_header_has_them() {
        let buffer = Buffer {
            index: 3,
            timestamp: Timestamp { sec: 5, usec: 6 },
            sequence: 7,
            memory: 1,
            offset: 0x8000,
            length: 9,
            ..zeroed()
        };
        let mut bytes = [0xff; 88];
        assert!(store(&buffer, &mut bytes[..87]).is_none());
        store(&buffer, &mut bytes).unwrap();
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        if cfg!(target_pointer_width = "64") {
            assert_eq!(
                [word(0), word(24), word(32), word(56), word(60), word(64), word(72)],
                [3, 5, 6, 7, 1, 0x8000, 9]
            );
            assert_eq!(word(20), 0, "padding is zeroed");
        }
        assert_eq!(load::<Buffer>(&bytes), Some(buffer));
        assert_eq!(load::<Buffer>(&bytes[..80]), None);
    }

    #[test]
    fn a_format_keeps_what_it_knows_and_zeroes_the_rest() {
        let mut bytes = [0xee; 208];
        let format: Format = load(&bytes).unwrap();
        store(&format, &mut bytes).unwrap();
        assert_eq!(load::<Format>(&bytes), Some(format));
        assert_eq!(bytes[8 + 48..], [0; 152]);
    }

    #[test]
    fn text_is_cut_and_terminated() {
        assert_eq!(text::<6>("rcar"), *b"rcar\0\0");
        assert_eq!(text::<4>("rcar-vin"), *b"rca\0");
        assert_eq!(text::<4>("aüö"), *b"a\xc3\xbc\0");
        assert_eq!(text::<3>("aüö"), *b"a\0\0");
        assert_eq!(kernel_version(6, 12, 3), 0x0006_0c03);
    }
}
