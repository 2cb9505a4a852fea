//! Controls: what a user may turn on the sensor. After `v4l2-ctrls-core.c` and `v4l2-ctrls-api.c`.
//!
//! The values are state and outlive unplug; the sensor's registers, which they go to, do not.
use crate::driver::core::{RcarVin, VinHw};
use crate::driver::registers::sensor::{SENSOR_BRIGHTNESS_REG, SENSOR_TEST_PATTERN_REG};
use crate::uapi::*;
use fops_runtime::{Errno, Result};

/// The bits of an id that are no flags: `V4L2_CTRL_ID_MASK`.
const ID_MASK: u32 = 0x0fff_ffff;
/// The bits of an id that are its class: `V4L2_CTRL_ID2WHICH`.
const CLASS_MASK: u32 = 0x0fff_0000;

/// `struct v4l2_ctrl`, without its value.
struct Control {
    id: u32,
    name: &'static str,
    kind: Kind,
}

enum Kind {
    /// The name of a class of controls, which has no value.
    Class,
    /// A number from 0 to `maximum`, in a register of the sensor.
    Integer { maximum: i32, default: i32, register: u16 },
    /// One of these, in a register of the sensor.
    Menu { items: &'static [&'static str], register: u16 },
}

/// The patterns of the sensor, by their number in its register.
const TEST_PATTERNS: [&str; 4] = ["Disabled", "Colour Bars", "Grey Ramp", "Checkerboard"];

/// All controls, by their ids.
static CONTROLS: [Control; 4] = [
    Control { id: V4L2_CID_USER_CLASS, name: "User Controls", kind: Kind::Class },
    Control {
        id: V4L2_CID_BRIGHTNESS,
        name: "Brightness",
        kind: Kind::Integer { maximum: 255, default: 128, register: SENSOR_BRIGHTNESS_REG },
    },
    Control { id: V4L2_CID_IMAGE_PROC_CLASS, name: "Image Processing Controls", kind: Kind::Class },
    Control {
        id: V4L2_CID_TEST_PATTERN,
        name: "Test Pattern",
        kind: Kind::Menu { items: &TEST_PATTERNS, register: SENSOR_TEST_PATTERN_REG },
    },
];

/// The values, as user space has set them.
pub(crate) struct Controls {
    values: [i32; CONTROLS.len()],
}

/// What an ioctl of extended controls does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ext {
    Get,
    Try,
    Set,
}

impl Default for Controls {
    fn default() -> Self {
        Self { values: std::array::from_fn(|at| CONTROLS[at].default()) }
    }
}

impl Control {
    fn find(id: u32) -> Result<usize> {
        CONTROLS.iter().position(|control| control.id == id).ok_or(Errno::EINVAL)
    }

    /// The control that a query means: this one, or the next.
    fn query(id: u32) -> Result<&'static Control> {
        const NEXT: u32 = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
        let wanted = id & ID_MASK;
        let found = match id & NEXT {
            0 => CONTROLS.iter().find(|control| control.id == wanted),
            // There are none with more than one value.
            V4L2_CTRL_FLAG_NEXT_COMPOUND => None,
            _ => CONTROLS.iter().find(|control| control.id > wanted),
        };
        found.ok_or(Errno::EINVAL)
    }

    const fn type_(&self) -> u32 {
        match self.kind {
            Kind::Class => V4L2_CTRL_TYPE_CTRL_CLASS,
            Kind::Integer { .. } => V4L2_CTRL_TYPE_INTEGER,
            Kind::Menu { .. } => V4L2_CTRL_TYPE_MENU,
        }
    }

    const fn flags(&self) -> u32 {
        match self.kind {
            Kind::Class => V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY,
            Kind::Integer { .. } => V4L2_CTRL_FLAG_SLIDER,
            Kind::Menu { .. } => 0,
        }
    }

    const fn maximum(&self) -> i32 {
        match self.kind {
            Kind::Class => 0,
            Kind::Integer { maximum, .. } => maximum,
            Kind::Menu { items, .. } => items.len() as i32 - 1,
        }
    }

    const fn step(&self) -> i32 {
        if matches!(self.kind, Kind::Class) { 0 } else { 1 }
    }

    const fn default(&self) -> i32 {
        if let Kind::Integer { default, .. } = self.kind { default } else { 0 }
    }

    const fn register(&self) -> Option<u16> {
        match self.kind {
            Kind::Class => None,
            Kind::Integer { register, .. } | Kind::Menu { register, .. } => Some(register),
        }
    }

    /// The value that is set when `value` is asked for: numbers are brought into their range.
    fn validate(&self, value: i32) -> Result<i32> {
        match self.kind {
            Kind::Class => Err(Errno::EACCES),
            Kind::Integer { maximum, .. } => Ok(value.clamp(0, maximum)),
            Kind::Menu { .. } if (0..=self.maximum()).contains(&value) => Ok(value),
            Kind::Menu { .. } => Err(Errno::ERANGE),
        }
    }

    fn event(&self, changes: u32, value: i32) -> Event {
        let what = EventCtrl {
            changes,
            type_: self.type_(),
            value,
            flags: self.flags(),
            minimum: 0,
            maximum: self.maximum(),
            step: self.step(),
            default_value: self.default(),
        };
        Event::now(V4L2_EVENT_CTRL, self.id, &what)
    }
}

impl Controls {
    /// What somebody who subscribes to a control is told at once, where it has a value.
    pub(crate) fn initial_event(&self, id: u32) -> Result<Option<Event>> {
        let at = Control::find(id)?;
        let control = &CONTROLS[at];
        let changes = V4L2_EVENT_CTRL_CH_FLAGS | V4L2_EVENT_CTRL_CH_VALUE;
        Ok(control.register().map(|_| control.event(changes, self.values[at])))
    }

    /// `v4l2_ctrl_handler_setup`: the sensor, whatever it was used for before, is as the user wants it.
    pub(crate) fn setup(&self, hw: &VinHw) -> Result {
        for (control, &value) in CONTROLS.iter().zip(&self.values) {
            control.register().map_or(Ok(()), |register| hw.port.sensor.write(register, value as u16))?;
        }
        Ok(())
    }

    fn get(&self, at: usize) -> Result<i32> {
        if CONTROLS[at].register().is_some() { Ok(self.values[at]) } else { Err(Errno::EACCES) }
    }
}

/// The ioctls.
impl RcarVin {
    pub(crate) fn query_ctrl(&self, query: &mut v4l2_queryctrl) -> Result {
        let control = Control::query(query.id)?;
        *query = v4l2_queryctrl {
            id: control.id,
            type_: control.type_(),
            name: text(control.name),
            minimum: 0,
            maximum: control.maximum(),
            step: control.step(),
            default_value: control.default(),
            flags: control.flags(),
            reserved: [0; 2],
        };
        Ok(())
    }

    pub(crate) fn query_ext_ctrl(&self, query: &mut QueryExtCtrl) -> Result {
        let control = Control::query(query.id)?;
        *query = QueryExtCtrl {
            id: control.id,
            type_: control.type_(),
            name: text(control.name),
            minimum: 0,
            maximum: control.maximum().into(),
            step: control.step().unsigned_abs().into(),
            default_value: control.default().into(),
            flags: control.flags(),
            elem_size: i32::SIZE as u32,
            elems: 1,
        };
        Ok(())
    }

    pub(crate) fn query_menu(&self, query: &mut QueryMenu) -> Result {
        let Kind::Menu { items, .. } = &CONTROLS[Control::find(query.id)?].kind else { return Err(Errno::EINVAL) };
        let item = items.get(query.index as usize).ok_or(Errno::EINVAL)?;
        query.name = text(item);
        Ok(())
    }

    pub(crate) fn g_ctrl(&self, control: &mut v4l2_control) -> Result {
        control.value = self.controls.lock().get(Control::find(control.id)?)?;
        Ok(())
    }

    /// `file` is not told of what it does itself.
    pub(crate) fn s_ctrl(&self, hw: &VinHw, file: u64, control: &mut v4l2_control) -> Result {
        let at = Control::find(control.id)?;
        control.value = CONTROLS[at].validate(control.value)?;
        self.set_ctrl(hw, file, at, control.value)
    }

    /// `v4l2_g_ext_ctrls`, `v4l2_try_ext_ctrls` and `v4l2_s_ext_ctrls`: all are looked at before the first is set, and
    /// `error_idx` is then the one that failed. Before that it says so only to those who try.
    pub(crate) fn ext_ctrls(
        &self,
        what: Ext,
        hw: &VinHw,
        file: u64,
        controls: &mut ExtControls,
        list: &mut [ExtControl],
    ) -> Result {
        controls.error_idx = controls.count;
        match (controls.which, what) {
            (V4L2_CTRL_WHICH_REQUEST_VAL, _) | (V4L2_CTRL_WHICH_DEF_VAL, Ext::Try | Ext::Set) => {
                return Err(Errno::EINVAL);
            }
            (V4L2_CTRL_WHICH_CUR_VAL | V4L2_CTRL_WHICH_DEF_VAL, _) => {}
            (class, _) if list.is_empty() => return Control::find(class | 1).map(drop),
            _ => {}
        }
        let found = self.prepare_ext_ctrls(what, controls.which, list).map_err(|(failed, errno)| {
            if what == Ext::Try {
                controls.error_idx = failed as u32;
            }
            errno
        })?;
        for (index, (control, at)) in list.iter_mut().zip(found).enumerate() {
            controls.error_idx = index as u32;
            match what {
                Ext::Get if controls.which == V4L2_CTRL_WHICH_DEF_VAL => control.value = CONTROLS[at].default(),
                Ext::Get => control.value = self.controls.lock().get(at)?,
                Ext::Try => {}
                Ext::Set => self.set_ctrl(hw, file, at, control.value)?,
            }
        }
        Ok(())
    }

    /// Which they are; those that are to be set have valid values then. An error names the one that it is of.
    fn prepare_ext_ctrls(&self, what: Ext, which: u32, list: &mut [ExtControl]) -> Result<Vec<usize>, (usize, Errno)> {
        let of_class = |id: u32| {
            matches!(which, V4L2_CTRL_WHICH_CUR_VAL | V4L2_CTRL_WHICH_DEF_VAL) || id & CLASS_MASK == which & CLASS_MASK
        };
        let find = |control: &ExtControl| {
            if of_class(control.id) { Control::find(control.id & ID_MASK) } else { Err(Errno::EINVAL) }
        };
        let mut found = Vec::with_capacity(list.len());
        for (index, control) in list.iter().enumerate() {
            found.push(find(control).map_err(|errno| (index, errno))?);
        }
        for (index, (control, &at)) in list.iter_mut().zip(&found).enumerate() {
            match what {
                Ext::Get => CONTROLS[at].register().map(drop).ok_or(Errno::EACCES),
                Ext::Try | Ext::Set => CONTROLS[at].validate(control.value).map(|value| control.value = value),
            }
            .map_err(|errno| (index, errno))?;
        }
        Ok(found)
    }

    fn set_ctrl(&self, hw: &VinHw, file: u64, at: usize, value: i32) -> Result {
        let control = &CONTROLS[at];
        let mut controls = self.controls.lock();
        if let Some(register) = control.register() {
            hw.port.sensor.write(register, value as u16)?;
        }
        if std::mem::replace(&mut controls.values[at], value) != value {
            // Under the lock: who hears of two changes hears of the last one last.
            self.listeners.queue(&control.event(V4L2_EVENT_CTRL_CH_VALUE, value), Some(file));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
