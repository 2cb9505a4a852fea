#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Lifetime {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime)]
impl Lifetime {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct List {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime(lifetime))]
impl List {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct Default {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default)]
impl Default {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct Resources {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, resources)]
impl Resources {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct Hook {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop, wake(kick)))]
impl Hook {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct Unplug {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug = quiesce)]
impl Unplug {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct NoType {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, resources = 5, unplug)]
impl NoType {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct NotFound {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, not_found)]
impl NotFound {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
