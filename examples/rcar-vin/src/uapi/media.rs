//! Structures and commands of `linux/media.h` and `linux/v4l2-subdev.h`, for those that crate `moq-v4l` does not have.
//!
//! Each is `repr(C)`, so that every field is where the header has it.
use crate::uapi::Uapi;
use fops_runtime::{Command, Direction::Read, Direction::ReadWrite};

/// Structures of the headers, each read and written field by field.
macro_rules! declare {
    ($($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$meta])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug)]
            pub struct $name {
                $($(#[$doc])* pub $field: $type,)*
            }

            crate::uapi::structures! { $name { $($field),* } }
        )*
    };
}

declare! {
    /// `struct media_device_info`.
    media_device_info {
        /// The driver's name.
        driver: [u8; 16],
        /// The device's.
        model: [u8; 32],
        /// Its serial number.
        serial: [u8; 40],
        /// Where it is.
        bus_info: [u8; 32],
        /// Version of the media interface, as `KERNEL_VERSION` packs it.
        media_version: u32,
        /// The hardware's revision.
        hw_revision: u32,
        /// The driver's version.
        driver_version: u32,
        /// Zeros.
        reserved: [u32; 31],
    }

    /// `struct media_entity_desc`.
    media_entity_desc {
        /// Its number; with [`MEDIA_ENT_ID_FLAG_NEXT`] in a question, the next one's.
        id: u32,
        /// Its name.
        name: [u8; 32],
        /// `MEDIA_ENT_T_..`.
        type_: u32,
        /// Its revision.
        revision: u32,
        /// `MEDIA_ENT_FL_..`.
        flags: u32,
        /// Its group.
        group_id: u32,
        /// How many pads it has.
        pads: u16,
        /// How many links begin there.
        links: u16,
        /// Zeros.
        reserved: [u32; 4],
        /// Major and minor number of its node, and nothing else here.
        device: [u32; 46],
    }

    /// `struct media_pad_desc`.
    media_pad_desc {
        /// Whose pad.
        entity: u32,
        /// Which of its pads.
        index: u16,
        /// `MEDIA_PAD_FL_..`.
        flags: u32,
        /// Zeros.
        reserved: [u32; 2],
    }

    /// `struct media_link_desc`.
    media_link_desc {
        /// Where it begins.
        source: media_pad_desc,
        /// Where it ends.
        sink: media_pad_desc,
        /// `MEDIA_LNK_FL_..`.
        flags: u32,
        /// Zeros.
        reserved: [u32; 2],
    }

    /// `struct media_links_enum`.
    media_links_enum {
        /// Whose links.
        entity: u32,
        /// Where to put its pads, each a [`media_pad_desc`]; 0 for nowhere.
        pads: u64,
        /// Where to put the links that begin there, each a [`media_link_desc`]; 0 for nowhere.
        links: u64,
        /// Zeros.
        reserved: [u32; 4],
    }

    /// `struct media_v2_topology`.
    media_v2_topology {
        /// Another number for each graph that there has been.
        topology_version: u64,
        /// How many entities there are, or the caller has room for.
        num_entities: u32,
        /// Zero.
        reserved1: u32,
        /// Where to put them, each a [`media_v2_entity`]; 0 for nowhere.
        ptr_entities: u64,
        /// How many interfaces.
        num_interfaces: u32,
        /// Zero.
        reserved2: u32,
        /// Where to put them, each a [`media_v2_interface`].
        ptr_interfaces: u64,
        /// How many pads.
        num_pads: u32,
        /// Zero.
        reserved3: u32,
        /// Where to put them, each a [`media_v2_pad`].
        ptr_pads: u64,
        /// How many links.
        num_links: u32,
        /// Zero.
        reserved4: u32,
        /// Where to put them, each a [`media_v2_link`].
        ptr_links: u64,
    }

    /// `struct media_v2_entity`.
    media_v2_entity {
        /// Its number.
        id: u32,
        /// Its name.
        name: [u8; 64],
        /// `MEDIA_ENT_F_..`.
        function: u32,
        /// `MEDIA_ENT_FL_..`.
        flags: u32,
        /// Zeros.
        reserved: [u32; 5],
    }

    /// `struct media_v2_interface`.
    media_v2_interface {
        /// Its number.
        id: u32,
        /// `MEDIA_INTF_T_..`.
        intf_type: u32,
        /// `MEDIA_INTF_FL_..`.
        flags: u32,
        /// Zeros.
        reserved: [u32; 9],
        /// Major number of its node.
        major: u32,
        /// Minor number of its node.
        minor: u32,
        /// What other interfaces than nodes have here.
        raw: [u32; 14],
    }

    /// `struct media_v2_pad`.
    media_v2_pad {
        /// Its number.
        id: u32,
        /// Whose pad.
        entity_id: u32,
        /// `MEDIA_PAD_FL_..`.
        flags: u32,
        /// Which of its pads.
        index: u32,
        /// Zeros.
        reserved: [u32; 4],
    }

    /// `struct media_v2_link`.
    media_v2_link {
        /// Its number.
        id: u32,
        /// The pad or interface where it begins.
        source_id: u32,
        /// The pad or entity where it ends.
        sink_id: u32,
        /// `MEDIA_LNK_FL_..`.
        flags: u32,
        /// Zeros.
        reserved: [u32; 6],
    }

    /// `struct v4l2_subdev_capability`.
    v4l2_subdev_capability {
        /// Version of the subdev interface, as `KERNEL_VERSION` packs it.
        version: u32,
        /// `V4L2_SUBDEV_CAP_..`.
        capabilities: u32,
        /// Zeros.
        reserved: [u32; 14],
    }

    /// `struct v4l2_mbus_framefmt`.
    MbusFormat {
        /// In pixels.
        width: u32,
        /// In lines.
        height: u32,
        /// `MEDIA_BUS_FMT_..`.
        code: u32,
        /// `V4L2_FIELD_..`.
        field: u32,
        /// `V4L2_COLORSPACE_..`.
        colorspace: u32,
        /// Encoding, quantization, transfer function, flags.
        rest: [u16; 4],
        /// Zeros.
        reserved: [u16; 10],
    }

    /// `struct v4l2_subdev_format`.
    v4l2_subdev_format {
        /// [`V4L2_SUBDEV_FORMAT_ACTIVE`], or 0 for one that is tried.
        which: u32,
        /// Of which pad.
        pad: u32,
        /// The format.
        format: MbusFormat,
        /// Of which stream.
        stream: u32,
        /// Zeros.
        reserved: [u32; 7],
    }

    /// `struct v4l2_subdev_mbus_code_enum`.
    v4l2_subdev_mbus_code_enum {
        /// Of which pad.
        pad: u32,
        /// Which of the codes.
        index: u32,
        /// The code.
        code: u32,
        /// As in [`v4l2_subdev_format`].
        which: u32,
        /// `V4L2_SUBDEV_MBUS_CODE_..`.
        flags: u32,
        /// Of which stream.
        stream: u32,
        /// Zeros.
        reserved: [u32; 6],
    }
}

impl MbusFormat {
    /// A progressive picture of YCbCr 4:2:2.
    pub fn new(width: u32, height: u32) -> Self {
        let (field, colorspace) = (crate::uapi::V4L2_FIELD_NONE, crate::uapi::V4L2_COLORSPACE_SRGB);
        Self { width, height, code: MEDIA_BUS_FMT_UYVY8_1X16, field, colorspace, rest: [0; 4], reserved: [0; 10] }
    }
}

/// YCbCr 4:2:2, 16 bits a pixel.
pub const MEDIA_BUS_FMT_UYVY8_1X16: u32 = 0x200f;
/// The format that is in use.
pub const V4L2_SUBDEV_FORMAT_ACTIVE: u32 = 1;
/// Asks for the next entity.
pub const MEDIA_ENT_ID_FLAG_NEXT: u32 = 1 << 31;
/// A V4L2 node.
pub const MEDIA_ENT_T_DEVNODE_V4L: u32 = 0x0001_0001;
/// A V4L2 subdev.
pub const MEDIA_ENT_T_V4L2_SUBDEV: u32 = 0x0002_0000;
/// Pictures come in.
pub const MEDIA_PAD_FL_SINK: u32 = 1 << 0;
/// Pictures go out.
pub const MEDIA_PAD_FL_SOURCE: u32 = 1 << 1;
/// The link is enabled.
pub const MEDIA_LNK_FL_ENABLED: u32 = 1 << 0;
/// The link cannot be changed.
pub const MEDIA_LNK_FL_IMMUTABLE: u32 = 1 << 1;
/// The link is from an interface to an entity.
pub const MEDIA_LNK_FL_INTERFACE_LINK: u32 = 1 << 28;
/// Pictures go to memory.
pub const MEDIA_ENT_F_IO_V4L: u32 = 0x0001_0001;
/// Pictures come from one interface and go to another.
pub const MEDIA_ENT_F_VID_IF_BRIDGE: u32 = 0x5002;
/// A video node.
pub const MEDIA_INTF_T_V4L_VIDEO: u32 = 0x200;
/// The node of a subdev.
pub const MEDIA_INTF_T_V4L_SUBDEV: u32 = 0x203;

/// What the media device is.
pub const MEDIA_IOC_DEVICE_INFO: Command = Command::new(ReadWrite, b'|', 0, media_device_info::SIZE);
/// An entity of the graph.
pub const MEDIA_IOC_ENUM_ENTITIES: Command = Command::new(ReadWrite, b'|', 1, media_entity_desc::SIZE);
/// The pads of an entity, and its links.
pub const MEDIA_IOC_ENUM_LINKS: Command = Command::new(ReadWrite, b'|', 2, media_links_enum::SIZE);
/// Enables or disables a link.
pub const MEDIA_IOC_SETUP_LINK: Command = Command::new(ReadWrite, b'|', 3, media_link_desc::SIZE);
/// The whole graph.
pub const MEDIA_IOC_G_TOPOLOGY: Command = Command::new(ReadWrite, b'|', 4, media_v2_topology::SIZE);
/// What the subdev is.
pub const VIDIOC_SUBDEV_QUERYCAP: Command = Command::new(Read, b'V', 0, v4l2_subdev_capability::SIZE);
/// A format that a pad can have.
pub const VIDIOC_SUBDEV_ENUM_MBUS_CODE: Command = Command::new(ReadWrite, b'V', 2, v4l2_subdev_mbus_code_enum::SIZE);
/// The format of a pad.
pub const VIDIOC_SUBDEV_G_FMT: Command = Command::new(ReadWrite, b'V', 4, v4l2_subdev_format::SIZE);
/// Sets the format of a pad.
pub const VIDIOC_SUBDEV_S_FMT: Command = Command::new(ReadWrite, b'V', 5, v4l2_subdev_format::SIZE);
/// Writes the subdev's registers to the log.
pub const VIDIOC_SUBDEV_LOG_STATUS: Command = crate::uapi::ioctls::VIDIOC_LOG_STATUS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_those_of_the_headers() {
        assert_eq!(MEDIA_IOC_DEVICE_INFO.raw(), 0xc100_7c00);
        assert_eq!(MEDIA_IOC_ENUM_ENTITIES.raw(), 0xc100_7c01);
        assert_eq!(MEDIA_IOC_ENUM_LINKS.raw(), 0xc028_7c02);
        assert_eq!(MEDIA_IOC_SETUP_LINK.raw(), 0xc034_7c03);
        assert_eq!(MEDIA_IOC_G_TOPOLOGY.raw(), 0xc048_7c04);
        let sizes = [media_v2_entity::SIZE, media_v2_interface::SIZE, media_v2_pad::SIZE, media_v2_link::SIZE];
        assert_eq!(sizes, [96, 112, 32, 40]);
        assert_eq!(VIDIOC_SUBDEV_QUERYCAP.raw(), 0x8040_5600);
        assert_eq!(VIDIOC_SUBDEV_ENUM_MBUS_CODE.raw(), 0xc030_5602);
        assert_eq!(VIDIOC_SUBDEV_G_FMT.raw(), 0xc058_5604);
    }
}
