//! What `fail/body` gets wrong, done right: each module is named after its case.
use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
}

mod half_typed {
    use super::{Access, DeviceLifetime, Hw, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<Hw>,
    }

    #[guarded_fops(lifetime = lifetime, default = guarded)]
    impl Device {
        pub fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
            hw.status.checked_add(1).ok_or(fops_runtime::Errno::EINVAL)
        }

        pub fn write(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
            let status = hw.status;
            Ok(status)
        }

        pub fn ioctl(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
            Ok(hw.status)
        }
    }
}

mod half_typed_signature {
    use super::{Access, DeviceLifetime, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = lifetime, default = guarded)]
    impl Device {
        pub fn read(&self, #[access] _: &Access<'_, u8>) -> Result<u8> {
            Ok(1)
        }

        pub fn write(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
            Ok(**hw)
        }
    }
}

fn main() {
    let half_typed = half_typed::Device { lifetime: DeviceLifetime::new(Hw { status: 3 }) };
    assert_eq!((half_typed.read(), half_typed.write(), half_typed.ioctl()), (Ok(4), Ok(3), Ok(3)));
    let signature = half_typed_signature::Device { lifetime: DeviceLifetime::new(2) };
    assert_eq!((signature.read(), signature.write()), (Ok(1), Ok(2)));
}
