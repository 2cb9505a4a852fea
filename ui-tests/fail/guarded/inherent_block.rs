//! Neither does a block without a trait that is given the trait's name, nor a supertrait's.
use fops_runtime::{DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, name = FileOperations, default = guarded)]
impl Device {
    fn read(&self) -> Result<usize> {
        Ok(0)
    }
}

impl FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

fn main() {}
