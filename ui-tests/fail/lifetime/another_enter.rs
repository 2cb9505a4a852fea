//! A type with an `enter` of its own guards nothing.
use fops_runtime::{DeviceLifetime, File, FileOperations, Op, Result, guarded_fops};

struct Fake;

impl Fake {
    fn enter(&self, _op: &'static Op) -> std::result::Result<(), ()> {
        Ok(())
    }

    fn enter_owned(&self, _op: &'static Op) -> std::result::Result<(), ()> {
        Ok(())
    }
}

struct Device {
    gate: Fake,
}

#[guarded_fops(lifetime = gate)]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = self.gate, default = guarded)]
impl Device {
    #[fop(polled)]
    async fn wait(&self) -> Result {
        Ok(())
    }
}

struct NotYet {
    lifetime: Option<DeviceLifetime<u8>>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl NotYet {
    fn read(&self) -> Result {
        Ok(())
    }
}

fn main() {}
