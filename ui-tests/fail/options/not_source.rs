#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Lifetime {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = "lifetime", default = guarded)]
impl Lifetime {
    fn read(me: &Self) -> Result {
        let _ = me;
        Ok(())
    }
}

struct Via {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, via = "me", default = guarded)]
impl Via {
    fn read(me: &Self) -> Result {
        let _ = me;
        Ok(())
    }
}

fn main() {}
