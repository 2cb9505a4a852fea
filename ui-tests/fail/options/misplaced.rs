#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Stop {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, stop = quiesce)]
impl Stop {
    fn read(&self) -> Result {
        Ok(())
    }

    #[fop(guarded, lifetime = other)]
    fn write(&self) -> Result {
        Ok(())
    }
}

struct Guarded {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, guarded)]
impl Guarded {
    fn read(&self) -> Result {
        Ok(())
    }

    #[fop(guarded, lifetime = other)]
    fn write(&self) -> Result {
        Ok(())
    }
}

struct Reason {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, reason = "touches no device resources")]
impl Reason {
    fn read(&self) -> Result {
        Ok(())
    }

    #[fop(guarded, lifetime = other)]
    fn write(&self) -> Result {
        Ok(())
    }
}

fn main() {}
