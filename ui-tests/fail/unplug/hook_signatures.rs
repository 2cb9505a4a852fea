//! Each is one error, and rustc does not offer to edit the attribute.
#![allow(dead_code)]
use fops_runtime::{Cause, DeviceLifetime, Result, guarded_fops};

struct Alone(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Alone {}

impl Alone {
    fn halt() {}
}

struct Short(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Short {}

impl Short {
    fn halt(&self) {}
}

struct Consumed(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Consumed {}

impl Consumed {
    fn halt(self) {}
}

struct Changed(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Changed {}

impl Changed {
    fn halt(&mut self, _: &u8, _: Cause) {}
}

struct Swapped(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Swapped {}

impl Swapped {
    fn halt(&self, _: Cause, _: &u8) {}
}

struct Associated(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Associated {}

impl Associated {
    fn halt(_: &u8, _: Cause) {}
}

struct Taken(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Taken {}

impl Taken {
    fn halt(&self, _: String, _: Cause) {}
}

struct Longer(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Longer {}

impl Longer {
    fn halt(&self, _: &u8, _: Cause, _: u8) {}
}

struct Later(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Later {}

impl Later {
    async fn halt(&self, _: &u8, _: Cause) {}
}

struct Counted(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = halt), resources = u8)]
impl Counted {}

impl Counted {
    fn halt(&self, _: &u8, _: Cause) -> u32 { 1 }
}

struct Ambiguous<T>(DeviceLifetime<u8>, T);

#[guarded_fops(lifetime = 0, unplug(stop = halt, wake = kick), resources = u8)]
impl<T> Ambiguous<T> {}

impl Ambiguous<u8> {
    fn halt(&self, _: &u8, _: Cause) {}
}

impl Ambiguous<u16> {
    fn halt(&self, _: &u8, _: Cause) {}
}

trait Kick {
    fn kick(&self, hw: &u8);
}

impl<T> Kick for Ambiguous<T> {
    fn kick(&self, _: &u8) {}
}

struct NotShared(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(wake = kick), resources = u8)]
impl NotShared {
    #[fop(guarded, polled)]
    async fn read(&self) -> Result {
        Ok(())
    }
}

impl NotShared {
    fn kick(&mut self, _: &u8) {}
}

fn main() {}
