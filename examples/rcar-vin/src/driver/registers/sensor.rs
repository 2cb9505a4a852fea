//! Registers of the camera sensor: addresses of 16 bits on the two-wire bus.
//!
//! The size of the output and the test pattern are where MIPI CCS has them (`drivers/media/i2c/ccs/ccs-regs.h`). The
//! sensor is a chip of its own, with a manual of its own: the simulated one has its own copy of these numbers.

/// What has happened; a bit written as one is acknowledged.
pub const SENSOR_STATUS_REG: u16 = 0x0004;
/// What is added to every pixel, plus 128; 8 bits.
pub const SENSOR_BRIGHTNESS_REG: u16 = 0x0010;
/// Width of what it has at most, in pixels; read only.
pub const SENSOR_X_ARRAY_REG: u16 = 0x0104;
/// Height of what it has at most, in lines; read only.
pub const SENSOR_Y_ARRAY_REG: u16 = 0x0106;
/// Width of the frames that it sends, in pixels; with 0 for one of both, just what is captured.
pub const SENSOR_X_OUTPUT_REG: u16 = 0x034c;
/// Height of the frames that it sends, in lines.
pub const SENSOR_Y_OUTPUT_REG: u16 = 0x034e;
/// What is sent instead of what is seen; 0 for that itself.
pub const SENSOR_TEST_PATTERN_REG: u16 = 0x0600;

/// SENSOR_STATUS: the array has changed.
pub const SENSOR_STATUS_CHANGED: u16 = 1;

/// The registers of the sensor: address and name.
pub const SENSOR_REGISTERS: &[(u16, &str)] = &[
    (SENSOR_STATUS_REG, "STATUS"),
    (SENSOR_BRIGHTNESS_REG, "BRIGHTNESS"),
    (SENSOR_X_ARRAY_REG, "X_ARRAY"),
    (SENSOR_Y_ARRAY_REG, "Y_ARRAY"),
    (SENSOR_X_OUTPUT_REG, "X_OUTPUT"),
    (SENSOR_Y_OUTPUT_REG, "Y_OUTPUT"),
    (SENSOR_TEST_PATTERN_REG, "TEST_PATTERN"),
];
