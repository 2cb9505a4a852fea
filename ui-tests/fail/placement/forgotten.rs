use fops_runtime::{DeviceLifetime, File, FileOperations, Result};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

impl FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

fn main() {}
