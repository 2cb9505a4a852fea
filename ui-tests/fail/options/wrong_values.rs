//! Each option says what it wants.
use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, via, name = 1 + 1, unplug(stop = self.quiesce), "text")]
impl Device {
    #[fop(always = true)]
    fn read(&self) {}

    #[fop(unguarded, reason = 5)]
    fn llseek(&self) -> Result<u64> {
        Ok(0)
    }

    #[fop]
    fn write(&self) -> Result {
        Ok(())
    }

    #[fop()]
    fn poll(&self) -> Result {
        Ok(())
    }
}

fn main() {}
