//! What `fail/options` gets wrong, done right: each block, or module, is named after its case.
use fops_runtime::{Access, Cause, DeviceLifetime, Result, Unplug, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), resources = u8, name = unknown, default = guarded)]
impl Device {
    fn read(&self) -> Result<usize> {
        Ok(0)
    }

    #[fop(unguarded, reason = "touches no device resources")]
    fn llseek(&self) -> u64 {
        0
    }
}

impl Device {
    fn quiesce(&self, _hw: &u8, _cause: Cause) {}

    fn kick(&self, _hw: &u8) {}
}

#[guarded_fops(lifetime = lifetime, via = me, name = wrong_values)]
impl Device {
    #[fop(always)]
    fn write(me: &Self) -> u64 {
        me.llseek()
    }
}

struct Bare {
    lifetime: DeviceLifetime<Vec<(u8, u16)>>,
}

#[guarded_fops(lifetime = lifetime, resources = Vec<(u8, u16)>, unplug, default = guarded)]
impl Bare {
    fn read(&self) -> Result {
        Ok(())
    }
}

struct Inferred {
    lifetime: DeviceLifetime<Vec<u8>>,
}

#[guarded_fops(lifetime = (&self.lifetime), unplug(), default = guarded)]
impl Inferred {
    #[fop(unplugged = ())]
    fn read(&self) {}

    #[fop(guarded)]
    fn reset(&self, #[access] hw: &fops_runtime::Access<'_, Vec<u8>>) -> Result<u8> {
        Ok(hw[0])
    }

    #[fop(always)]
    fn release(&self, #[access] hw: Option<&Access<'_, Vec<u8>>>) {
        let _ = hw;
    }
}

mod half_typed {
    use super::{DeviceLifetime, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = lifetime, default = guarded)]
    impl Device {
        pub fn read(&self) -> Result<u8> {
            Ok(1)
        }
    }

    #[guarded_fops(lifetime = lifetime, name = other, default = guarded)]
    impl Device {
        #[fop(always)]
        pub fn write(&self) -> Result<u8> {
            Ok(2)
        }
    }
}

mod key_value {
    use super::{Access, DeviceLifetime, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = lifetime, default = guarded)]
    impl Device {
        pub fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
            Ok(**hw)
        }
    }
}

mod literal {
    use super::{DeviceLifetime, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = self.lifetime, default = guarded)]
    impl Device {
        #[fop(via = _me)]
        pub fn read(_me: &Device) -> Result<u8> {
            Ok(1)
        }

        #[fop(via = self)]
        pub fn write(&self) -> Result<u8> {
            Ok(2)
        }
    }
}

mod no_such_runtime_often {
    use super::{Access, DeviceLifetime, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = lifetime, crate = fops_runtime, unplug, resources = u8, default = guarded)]
    impl Device {
        pub fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
            Ok(**hw)
        }

        pub fn write(&self) -> Result<u8> {
            Ok(1)
        }

        #[fop(unguarded, reason = "touches no device resources")]
        pub fn llseek(&self) -> Result<u8> {
            Ok(1)
        }
    }
}

fn main() {
    let half_typed = half_typed::Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!((half_typed.read(), half_typed.write()), (Ok(1), Ok(2)));
    assert_eq!(key_value::Device { lifetime: DeviceLifetime::new(5) }.read(), Ok(5));
    let literal = literal::Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!((literal::Device::read(&literal), literal.write()), (Ok(1), Ok(2)));
    let often = no_such_runtime_often::Device { lifetime: DeviceLifetime::new(7) };
    assert_eq!((often.read(), often.write(), often.llseek()), (Ok(7), Ok(1), Ok(1)));
    assert_eq!(often.unplug(Cause::Unbind), Ok(7));
    let device = Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!(device.read(), Ok(0));
    assert_eq!(Device::write(&device), 0);
    assert_eq!(device.unplug(Cause::Unbind), Ok(1));
    let bare = Bare { lifetime: DeviceLifetime::new(vec![]) };
    assert_eq!(bare.read(), Ok(()));
    assert_eq!(bare.unplug(Cause::Unbind), Ok(vec![]));
    let inferred = Inferred { lifetime: DeviceLifetime::new(vec![1]) };
    inferred.read();
    assert_eq!(inferred.reset(), Ok(1));
    inferred.release();
    assert_eq!(inferred.unplug(Cause::Unbind), Ok(vec![1]));
}
