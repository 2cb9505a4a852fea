//! Registers of the VIN, by the names of the hardware manual.
//!
//! Offsets and bits are those of `drivers/media/platform/renesas/rcar-vin/rcar-dma.c`; the ones that
//! only the second generation has are left out.
//!
//! The driver and the simulated hardware share this file and [`csi2`](super::csi2), which stand for the manual, and
//! nothing else. All other contact goes through [`platform`](crate::driver::platform).

/// Video n Main Control Register.
pub const VNMC_REG: u32 = 0x00;
/// Video n Module Status Register, read only.
pub const VNMS_REG: u32 = 0x04;
/// Video n Frame Capture Register.
pub const VNFC_REG: u32 = 0x08;
/// Video n Start Line Pre-Clip Register: the first line of the capture window.
pub const VNSLPRC_REG: u32 = 0x0c;
/// Video n End Line Pre-Clip Register: the last line of the capture window, included.
pub const VNELPRC_REG: u32 = 0x10;
/// Video n Start Pixel Pre-Clip Register: the first pixel of a line.
pub const VNSPPRC_REG: u32 = 0x14;
/// Video n End Pixel Pre-Clip Register: the last pixel of a line, included.
pub const VNEPPRC_REG: u32 = 0x18;
/// Video n CSI2 Interface Mode Register (third generation).
pub const VNCSI_IFMD_REG: u32 = 0x20;
/// Video n Image Stride Register, in pixels.
pub const VNIS_REG: u32 = 0x2c;
/// Video n Interrupt Enable Register.
pub const VNIE_REG: u32 = 0x40;
/// Video n Interrupt Status Register: a bit written as one is acknowledged (W1C).
pub const VNINTS_REG: u32 = 0x44;
/// Video n Scanline Interrupt Register.
pub const VNSI_REG: u32 = 0x48;
/// Video n Memory Transfer Control Register.
pub const VNMTC_REG: u32 = 0x4c;
/// Video n Data Mode Register: how pixels are laid out in memory.
pub const VNDMR_REG: u32 = 0x58;
/// Video n Data Mode Register 2.
pub const VNDMR2_REG: u32 = 0x5c;
/// Video n UV Address Offset Register: from the luma plane to the chroma plane, in bytes.
pub const VNUVAOF_REG: u32 = 0x60;

/// Video n Memory Base Register of slot `slot` (0 to 2): where the picture goes.
///
/// The low seven bits do not exist: an address is aligned to [`HW_BUFFER_MASK`] + 1 bytes.
#[expect(non_snake_case, reason = "the name of the hardware manual and of rcar-dma.c")]
pub const fn VNMB_REG(slot: usize) -> u32 {
    0x30 + ((slot as u32) << 2)
}

/// Number of hardware slots, each with a memory base register of its own.
pub const HW_BUFFER_NUM: usize = 3;
/// The bits that a buffer address may not have: addresses are aligned to 128 bytes.
pub const HW_BUFFER_MASK: u32 = 0x7f;
/// Size of the register block, in bytes.
pub const REGISTER_BLOCK_SIZE: u32 = 0x100;

/// VNMC: format of the input, a field of three bits.
pub const VNMC_INF_MASK: u32 = 7 << 16;
/// VNMC: the input is 16 bit YCbCr 4:2:2.
pub const VNMC_INF_YUV16: u32 = 5 << 16;
/// VNMC: the input is 24 bit RGB.
pub const VNMC_INF_RGB888: u32 = 6 << 16;
/// VNMC: update the shadowed registers at the next vertical sync.
pub const VNMC_VUP: u32 = 1 << 10;
/// VNMC: progressive frames, odd and even fields in one.
pub const VNMC_IM_ODD_EVEN: u32 = 1 << 3;
/// VNMC: bypass the colour space conversion, since input and output agree.
pub const VNMC_BPS: u32 = 1 << 1;
/// VNMC: module enable.
pub const VNMC_ME: u32 = 1 << 0;

/// VNMS: frame buffer status, the slot that was written last.
pub const VNMS_FBS_MASK: u32 = 3 << VNMS_FBS_SHIFT;
/// VNMS: where [`VNMS_FBS_MASK`] begins.
pub const VNMS_FBS_SHIFT: u32 = 3;
/// VNMS: field status, set for the odd field.
pub const VNMS_FS: u32 = 1 << 2;
/// VNMS: active video, a frame is on its way to memory.
pub const VNMS_AV: u32 = 1 << 1;
/// VNMS: capture active; drops at the end of the frame in which capturing was disabled.
pub const VNMS_CA: u32 = 1 << 0;

/// VNFC: capture continuously.
pub const VNFC_C_FRAME: u32 = 1 << 1;
/// VNFC: capture a single frame.
pub const VNFC_S_FRAME: u32 = 1 << 0;

/// VNIE: interrupt at the falling edge of vertical sync.
pub const VNIE_VFE: u32 = 1 << 17;
/// VNIE: interrupt at the rising edge of vertical sync: a frame starts.
pub const VNIE_VRE: u32 = 1 << 16;
/// VNIE: interrupt at the end of a field.
pub const VNIE_FIE: u32 = 1 << 4;
/// VNIE: interrupt at the end of a frame.
pub const VNIE_EFE: u32 = 1 << 1;

/// VNINTS: vertical sync fell. The simulated sensor raises it at the start of a frame.
pub const VNINTS_VFS: u32 = 1 << 17;
/// VNINTS: vertical sync rose.
pub const VNINTS_VRS: u32 = 1 << 16;
/// VNINTS: a field has ended.
pub const VNINTS_FIS: u32 = 1 << 4;
/// VNINTS: a frame has ended.
pub const VNINTS_EFS: u32 = 1 << 1;

/// VNDMR: store only the luma of separated YCbCr.
pub const VNDMR_YMODE_Y8: u32 = 1 << 12;
/// VNDMR: extended RGB, 32 bits a pixel.
pub const VNDMR_EXRGB: u32 = 1 << 8;
/// VNDMR: swap bytes, which turns UYVY into YUYV.
pub const VNDMR_BPSM: u32 = 1 << 4;
/// VNDMR: luma and chroma go to planes of their own.
pub const VNDMR_DTMD_YCSEP: u32 = 1 << 1;
/// VNDMR: luma and chroma go to planes of their own, chroma of every other line.
pub const VNDMR_DTMD_YCSEP_420: u32 = 3;

/// VNDMR2: vertical sync is active high.
pub const VNDMR2_VPS: u32 = 1 << 30;
/// VNDMR2: horizontal sync is active high.
pub const VNDMR2_HPS: u32 = 1 << 29;
/// VNDMR2: a field ends with the vertical sync.
pub const VNDMR2_FTEV: u32 = 1 << 17;

/// VNDMR2: number of lines from the vertical sync to the first active line.
#[expect(non_snake_case, reason = "the name of the hardware manual and of rcar-dma.c")]
pub const fn VNDMR2_VLV(lines: u32) -> u32 {
    (lines & 0xf) << 12
}

/// VNCSI_IFMD: data extension select 1.
pub const VNCSI_IFMD_DES1: u32 = 1 << 26;
/// VNCSI_IFMD: data extension select 0.
pub const VNCSI_IFMD_DES0: u32 = 1 << 25;
/// VNCSI_IFMD: the CSI-2 channel that feeds this VIN.
pub const VNCSI_IFMD_CSI_CHSEL_MASK: u32 = 0xf;

/// Every register that the simulated block has: offset and name.
pub const REGISTERS: &[(u32, &str)] = &[
    (VNMC_REG, "VNMC"),
    (VNMS_REG, "VNMS"),
    (VNFC_REG, "VNFC"),
    (VNSLPRC_REG, "VNSLPRC"),
    (VNELPRC_REG, "VNELPRC"),
    (VNSPPRC_REG, "VNSPPRC"),
    (VNEPPRC_REG, "VNEPPRC"),
    (VNCSI_IFMD_REG, "VNCSI_IFMD"),
    (VNIS_REG, "VNIS"),
    (VNMB_REG(0), "VNMB1"),
    (VNMB_REG(1), "VNMB2"),
    (VNMB_REG(2), "VNMB3"),
    (VNIE_REG, "VNIE"),
    (VNINTS_REG, "VNINTS"),
    (VNSI_REG, "VNSI"),
    (VNMTC_REG, "VNMTC"),
    (VNDMR_REG, "VNDMR"),
    (VNDMR2_REG, "VNDMR2"),
    (VNUVAOF_REG, "VNUVAOF"),
];

/// Name of the register at `offset`, for messages; `"reserved"` where there is none.
pub fn register_name(offset: u32) -> &'static str {
    REGISTERS.iter().find(|(at, _)| *at == offset).map_or("reserved", |(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_named_by_its_offset() {
        for &(offset, name) in REGISTERS {
            assert_eq!(register_name(offset), name);
        }
        assert_eq!(register_name(0xfffc), "reserved");
    }
}
