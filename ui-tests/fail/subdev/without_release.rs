use fops_runtime::{Access, DeviceLifetime, File, FileOperations, Result, SubdevOperations, guarded_fops};

struct NoOperations {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8, subdev)]
impl FileOperations for NoOperations {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

struct NoRelease {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl SubdevOperations for NoRelease {
    fn s_stream(&self, #[access] hw: &Access<'_, u8>, enable: bool) -> Result {
        let _ = (**hw, enable);
        Ok(())
    }
}

fn main() {}
