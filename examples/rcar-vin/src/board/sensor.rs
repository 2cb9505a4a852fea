//! The camera sensor in front of a VIN, and the two-wire bus that its registers are on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::Busy;
use super::irq::{IrqGuard, IrqLine, IrqReturn};
use super::picture::Pattern;

/// The registers, by their addresses, as this sensor's manual has them. A driver has its own copy.
const SENSOR_STATUS_REG: u16 = 0x0004;
pub(super) const SENSOR_BRIGHTNESS_REG: u16 = 0x0010;
const SENSOR_X_ARRAY_REG: u16 = 0x0104;
const SENSOR_Y_ARRAY_REG: u16 = 0x0106;
const SENSOR_X_OUTPUT_REG: u16 = 0x034c;
const SENSOR_Y_OUTPUT_REG: u16 = 0x034e;
const SENSOR_TEST_PATTERN_REG: u16 = 0x0600;
/// SENSOR_STATUS: the array has changed.
const SENSOR_STATUS_CHANGED: u16 = 1;

/// Least and greatest size of the array, in pixels and in lines.
const ARRAY_MIN: (u32, u32) = (32, 4);
const ARRAY_MAX: (u32, u32) = (2048, 2048);

/// Nobody has acknowledged the transfer: the sensor is not there, or the client that made it is gone.
///
/// The kernel's adapters answer `-ENXIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nack;

/// What the sensor sends, as its registers say when a frame begins.
#[derive(Clone, Copy)]
pub(super) struct Image {
    /// Width and height of the frame; [`None`] for just what the VIN captures.
    pub(super) frame: Option<(u32, u32)>,
    pub(super) pattern: Pattern,
    pub(super) brightness: u8,
}

struct State {
    present: bool,
    /// Width and height of what the sensor has at most.
    array: (u32, u32),
    changed: bool,
    output: (u16, u16),
    pattern: u16,
    brightness: u16,
    /// Whether a driver has the client, and which one.
    client: Option<u64>,
    clients: u64,
}

/// The sensor of one VIN.
pub(super) struct Sensor {
    state: Mutex<State>,
    irq: Arc<IrqLine>,
    late: AtomicU64,
}

impl Sensor {
    pub(super) fn new() -> Arc<Sensor> {
        let mut state = State {
            present: true,
            array: ARRAY_MAX,
            changed: false,
            output: (0, 0),
            pattern: 0,
            brightness: 0,
            client: None,
            clients: 0,
        };
        state.reset();
        Arc::new(Sensor { state: Mutex::new(state), irq: Arc::default(), late: AtomicU64::new(0) })
    }

    pub(super) fn client(self: &Arc<Self>) -> Result<I2cClient, Busy> {
        let mut state = self.state.lock();
        if state.client.is_some() {
            return Err(Busy);
        }
        state.clients += 1;
        let number = state.clients;
        state.client = Some(number);
        Ok(I2cClient { pointer: I2cPtr { sensor: Arc::clone(self), number } })
    }

    pub(super) fn request_irq(
        &self,
        handler: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<IrqGuard, Busy> {
        self.irq.request(handler)
    }

    /// Another array: more or less is to be seen. Raises the interrupt; returns when the handler has run.
    pub(super) fn set_array(&self, array: (u32, u32)) {
        let mut state = self.state.lock();
        let (width, height) = (array.0.clamp(ARRAY_MIN.0, ARRAY_MAX.0), array.1.clamp(ARRAY_MIN.1, ARRAY_MAX.1));
        state.array = (width & !31, height & !3);
        state.changed = true;
        let raise = state.present;
        drop(state);
        if raise {
            self.irq.raise();
        }
    }

    pub(super) fn set_present(&self, present: bool) {
        let mut state = self.state.lock();
        if present && !state.present {
            state.reset();
        }
        state.present = present;
    }

    pub(super) fn image(&self) -> Image {
        let state = self.state.lock();
        let (width, height) = (u32::from(state.output.0), u32::from(state.output.1));
        Image {
            frame: (width > 0 && height > 0).then_some((width, height)),
            pattern: Pattern::from_number(state.pattern),
            brightness: state.brightness.min(255) as u8,
        }
    }

    pub(super) fn late_transfers(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }
}

impl State {
    /// The registers as they are when the sensor gets power.
    fn reset(&mut self) {
        self.changed = false;
        self.output = (0, 0);
        self.pattern = 0;
        self.brightness = 128;
    }

    fn read(&self, register: u16) -> u16 {
        match register {
            SENSOR_STATUS_REG => u16::from(self.changed) * SENSOR_STATUS_CHANGED,
            SENSOR_BRIGHTNESS_REG => self.brightness,
            SENSOR_TEST_PATTERN_REG => self.pattern,
            SENSOR_X_OUTPUT_REG => self.output.0,
            SENSOR_Y_OUTPUT_REG => self.output.1,
            SENSOR_X_ARRAY_REG => self.array.0 as u16,
            SENSOR_Y_ARRAY_REG => self.array.1 as u16,
            _ => 0,
        }
    }

    fn write(&mut self, register: u16, value: u16) {
        match register {
            SENSOR_STATUS_REG => self.changed &= value & SENSOR_STATUS_CHANGED == 0,
            SENSOR_BRIGHTNESS_REG => self.brightness = value,
            SENSOR_TEST_PATTERN_REG => self.pattern = value,
            SENSOR_X_OUTPUT_REG => self.output.0 = value,
            SENSOR_Y_OUTPUT_REG => self.output.1 = value,
            _ => {}
        }
    }
}

/// A handle to the sensor (`struct i2c_client *`): copied freely, and as easily kept too long.
///
/// After the [`I2cClient`] it came from is gone, every transfer through it is a *late access*: it reaches nothing, is
/// logged, and is counted by [`Vin::late_accesses`](super::Vin::late_accesses).
#[derive(Clone)]
pub struct I2cPtr {
    sensor: Arc<Sensor>,
    number: u64,
}

impl I2cPtr {
    /// Reads a register.
    ///
    /// # Errors
    /// [`Nack`].
    pub fn read(&self, register: u16) -> Result<u16, Nack> {
        Ok(self.transfer(register, "read")?.read(register))
    }

    /// Writes a register.
    ///
    /// # Errors
    /// [`Nack`].
    pub fn write(&self, register: u16, value: u16) -> Result<(), Nack> {
        self.transfer(register, "write")?.write(register, value);
        Ok(())
    }

    fn transfer(&self, register: u16, what: &str) -> Result<MutexGuard<'_, State>, Nack> {
        let state = self.sensor.state.lock();
        if state.client != Some(self.number) {
            drop(state);
            self.sensor.late.fetch_add(1, Ordering::Relaxed);
            tracing::error!("late access: {what} of sensor register {register:#06x} after the client went");
            return Err(Nack);
        }
        if state.present { Ok(state) } else { Err(Nack) }
    }
}

/// The sensor, as its bus gives it to a driver; dropping it unregisters the client.
///
/// There is one of it at a time. It belongs to the driver's resources, as the mapped registers do.
#[must_use = "dropping it unregisters the client"]
pub struct I2cClient {
    pointer: I2cPtr,
}

impl I2cClient {
    /// A raw handle, which nothing keeps from being used too late.
    pub fn as_ptr(&self) -> I2cPtr {
        self.pointer.clone()
    }

    /// Reads a register; see [`I2cPtr::read`].
    ///
    /// # Errors
    /// [`Nack`].
    pub fn read(&self, register: u16) -> Result<u16, Nack> {
        self.pointer.read(register)
    }

    /// Writes a register; see [`I2cPtr::write`].
    ///
    /// # Errors
    /// [`Nack`].
    pub fn write(&self, register: u16, value: u16) -> Result<(), Nack> {
        self.pointer.write(register, value)
    }
}

impl Drop for I2cClient {
    fn drop(&mut self) {
        self.pointer.sensor.state.lock().client = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_keep_what_is_written_and_say_what_the_image_is() {
        let sensor = Sensor::new();
        let client = sensor.client().unwrap();
        let read = |register| client.read(register).unwrap();
        let array = [SENSOR_X_ARRAY_REG, SENSOR_Y_ARRAY_REG];
        assert_eq!(array.map(|register| u32::from(read(register))), [ARRAY_MAX.0, ARRAY_MAX.1]);
        assert_eq!((read(SENSOR_BRIGHTNESS_REG), read(SENSOR_TEST_PATTERN_REG)), (128, 0));
        for (register, value) in [
            (SENSOR_BRIGHTNESS_REG, 9),
            (SENSOR_TEST_PATTERN_REG, 1),
            (SENSOR_X_OUTPUT_REG, 320),
            (SENSOR_Y_OUTPUT_REG, 200),
        ] {
            client.write(register, value).unwrap();
            assert_eq!(read(register), value);
        }
        let image = sensor.image();
        assert_eq!((image.frame, image.pattern, image.brightness), (Some((320, 200)), Pattern::from_number(1), 9));
        for register in [SENSOR_X_OUTPUT_REG, SENSOR_Y_OUTPUT_REG] {
            let before = read(register);
            client.write(register, 0).unwrap();
            assert_eq!(sensor.image().frame, None, "just what is captured");
            client.write(register, before).unwrap();
        }
    }

    #[test]
    fn a_change_is_said_until_it_is_acknowledged() {
        let sensor = Sensor::new();
        let client = sensor.client().unwrap();
        let status = || client.read(SENSOR_STATUS_REG).unwrap();
        assert_eq!(status(), 0);
        sensor.set_array((333, 222));
        assert_eq!(status(), SENSOR_STATUS_CHANGED);
        client.write(SENSOR_STATUS_REG, 0).unwrap();
        assert_eq!(status(), SENSOR_STATUS_CHANGED, "not acknowledged");
        client.write(SENSOR_STATUS_REG, SENSOR_STATUS_CHANGED).unwrap();
        assert_eq!(status(), 0);
        assert_eq!((client.read(SENSOR_X_ARRAY_REG), client.read(SENSOR_Y_ARRAY_REG)), (Ok(320), Ok(220)));
    }
}
