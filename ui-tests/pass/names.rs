//! Constants, statics and unit structs in scope that have the names of bindings: none is one of the expansion's.
#![allow(non_upper_case_globals, non_camel_case_types, dead_code, unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, OwnedAccess, Result, Unplug, guarded_fops};
use std::sync::Arc;

mod bindings {
    pub const op: u32 = 1;
    pub const resources: u32 = 1;
    pub const cause: u32 = 1;
    pub static device: u32 = 1;
    pub static guard: u32 = 1;
    pub static work: u32 = 1;
    pub struct lifetime;
    pub struct arg1;
    pub struct arg2;
    pub const _guard: u8 = 1;
    pub const _arg1: u8 = 1;
    pub const hook: u8 = 1;
    pub const returned: u8 = 1;
}
use bindings::*;

struct Device {
    field: Arc<DeviceLifetime<u8>>,
}

impl Device {
    fn lead(&self) -> &Arc<DeviceLifetime<u8>> {
        &self.field
    }

    fn find(&self) -> Option<&Self> {
        Some(self)
    }

    fn quiesce(&self, hw: &u8, reason: Cause) {
        assert_eq!((*hw, reason), (5, Cause::Unbind));
    }

    fn kick(&self, _: &u8) {}
}

#[guarded_fops(lifetime = field, default = guarded, unplug(stop = quiesce, wake = kick))]
impl Device {
    fn read(&self, _: Vec<u8>, (a, _b): (String, u8), text: String) -> Result<usize> {
        Ok(a.len() + text.len())
    }

    #[fop(always)]
    fn close(&self, #[access] (Some(_) | None): Option<&Access<'_, u8>>) {}

    fn write(&self, #[access] _: &Access<'_, u8>) -> Result {
        Ok(())
    }

    #[fop(polled)]
    fn later(&self, #[access] hw: &OwnedAccess<u8>) -> impl Future<Output = Result<u8>> {
        let value = **hw;
        async move { Ok(value) }
    }
}

#[guarded_fops(lifetime = self.lead(), name = lead, default = guarded)]
impl Device {
    fn by_call(&self) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = field, via = self.find(), not_found = (), unplugged = (), name = find, default = guarded)]
impl Device {
    fn by_lookup(&self, _: String) {}

    #[fop(always)]
    fn always(&self, #[access] _: Option<&Access<'_, u8>>) {}
}

fn main() {
    let owner = Device { field: Arc::new(DeviceLifetime::new(5)) };
    assert_eq!(owner.read(Vec::new(), ("a".into(), 1), "b".into()), Ok(2));
    assert_eq!((owner.write(), owner.by_call()), (Ok(()), Ok(())));
    owner.close();
    owner.by_lookup(String::new());
    owner.always();
    drop(owner.later());
    assert_eq!(owner.unplug(Cause::Unbind), Ok(5));
}
