//! An operation sleeps or is brief, and has a section.
use fops_runtime::{DeviceLifetime, File, FileOperations, Result, SeekFrom, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl FileOperations for Device {
    type Open = ();

    #[fop(sleeps, brief)]
    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    #[fop(unguarded, reason = "moves the file position", brief)]
    fn llseek(&self, _: &File, _: SeekFrom) -> Result<u64> {
        Ok(0)
    }
}

fn main() {}
