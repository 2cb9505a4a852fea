use fops_runtime::{DeviceLifetime, Result, guarded_fops};

macro_rules! operation {
    ($name:ident) => {
        fn $name(&self) -> Result<u8> {
            Ok(0)
        }
    };
}

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    operation!(read);
    crate::operation! { write }

    fn ioctl(&self) -> Result<u8> {
        Ok(self.read()? + self.write()?)
    }
}

pub(crate) use operation;

fn main() {}
