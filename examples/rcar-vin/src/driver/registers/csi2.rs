//! Registers of the CSI-2 receiver, by the names of `rcar-csi2.c`.

/// Reference time.
pub const TREF_REG: u32 = 0x00;
/// TREF: on.
pub const TREF_TREF: u32 = 1 << 0;
/// Software reset.
pub const SRST_REG: u32 = 0x04;
/// SRST: resets everything.
pub const SRST_SRST: u32 = 1 << 0;
/// PHY operation control.
pub const PHYCNT_REG: u32 = 0x08;
/// PHYCNT: out of shutdown.
pub const PHYCNT_SHUTDOWNZ: u32 = 1 << 17;
/// PHYCNT: out of reset.
pub const PHYCNT_RSTZ: u32 = 1 << 16;
/// PHYCNT: the clock lane.
pub const PHYCNT_ENABLECLK: u32 = 1 << 4;
/// PHYCNT: the four data lanes.
pub const PHYCNT_ENABLE_LANES: u32 = 0xf;
/// Channel data type select: two entries of 16 bits.
pub const VCDT_REG: u32 = 0x10;
/// VCDT: the entry counts.
pub const VCDT_VCDTN_EN: u32 = 1 << 15;
/// VCDT: where the virtual channel begins.
pub const VCDT_SEL_VC_SHIFT: u32 = 8;
/// VCDT: the data type counts.
pub const VCDT_SEL_DTN_ON: u32 = 1 << 6;
/// Data type of YCbCr 4:2:2 with 8 bits, as MIPI numbers it.
pub const DT_YUV422_8BIT: u32 = 0x1e;

/// Size of the register block, in bytes.
pub const REGISTER_BLOCK_SIZE: u32 = 0x80;

/// An entry of [`VCDT_REG`]: lets virtual channel `channel` (0 to 3) through.
pub const fn vcdt_entry(channel: u32) -> u32 {
    VCDT_VCDTN_EN | (channel & 3) << VCDT_SEL_VC_SHIFT | VCDT_SEL_DTN_ON | DT_YUV422_8BIT
}

/// Every register there is: offset and name.
pub const REGISTERS: &[(u32, &str)] =
    &[(TREF_REG, "TREF"), (SRST_REG, "SRST"), (PHYCNT_REG, "PHYCNT"), (VCDT_REG, "VCDT")];
