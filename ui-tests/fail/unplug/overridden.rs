use fops_runtime::{Cause, DeviceLifetime, Part, Parts, Unplug, UnplugError, Unpluggable};

struct Camera {
    lifetime: DeviceLifetime<u32>,
}

impl fops_runtime::Device for Camera {
    type Resources = u32;

    fn lifetime(&self) -> &DeviceLifetime<u32> {
        &self.lifetime
    }
}

impl Unpluggable for Camera {
    type Resources = u32;

    fn parts(&self) -> impl Parts<Resources = u32> {
        Part::of(self)
    }

    // The sequence of unplug is the runtime's: it is no method of this trait.
    fn unplug(&self, _: Cause) -> Result<u32, UnplugError> {
        Ok(1)
    }
}

struct Phone {
    lifetime: DeviceLifetime<u32>,
}

// Nor can it be replaced: every device has it from the runtime.
impl Unplug for Phone {
    fn unplug(&self, _: Cause) -> Result<u32, UnplugError> {
        Ok(1)
    }
}

struct Tablet {
    lifetime: DeviceLifetime<u32>,
}

impl Unpluggable for Tablet {
    type Resources = u32;

    fn parts(&self) -> impl Parts<Resources = u32> {
        self.lifetime.alone().parts()
    }
}

impl Unplug for Tablet {
    fn unplug(&self, _: Cause) -> Result<u32, UnplugError> {
        Ok(1)
    }
}

fn main() {}
