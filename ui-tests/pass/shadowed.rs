//! Names that an author may have: those of the prelude, and those that the macro gives to its own.
#![deny(warnings)]
#![allow(dead_code)]
#![forbid(unsafe_code)]
use std::sync::Arc;
mod core {}
struct Ok;
struct Result;
struct Option;
struct Some;
struct Err;
struct Access;
struct Device {
    lifetime: fops_runtime::DeviceLifetime<u8>,
}
struct Rack {
    devices: Vec<Arc<Device>>,
}
impl Rack {
    fn find(&self, n: usize) -> ::core::option::Option<Arc<Device>> {
        self.devices.get(n).cloned()
    }
}
const OPS: u8 = 1;

#[fops_runtime::guarded_fops(lifetime = lifetime, via = self.find(op), not_found = 1, unplugged = 2, default = guarded)]
impl Rack {
    fn read(&self, #[device] device: &Device, #[access] hw: &fops_runtime::Access<'_, u8>, op: usize) -> u32 {
        let guard = 1;
        let _ = (device, guard, op);
        u32::from(**hw) + u32::from(OPS)
    }
    fn write(
        &self,
        #[device] mut device: &Device,
        #[access] mut hw: &fops_runtime::Access<'_, u8>,
        op: usize,
        resources: String,
    ) -> u32 {
        let other = device;
        device = other;
        let h = hw;
        hw = h;
        let _ = (device, hw, resources);
        op as u32
    }
    #[fop(always)]
    fn release(
        &self,
        #[device] _d: ::core::option::Option<&Device>,
        #[access] _hw: ::core::option::Option<&fops_runtime::Access<'_, u8>>,
        op: usize,
    ) {
        let _ = op;
    }
}
#[fops_runtime::guarded_fops(lifetime = lifetime, via = op, unplugged = 7, default = guarded)]
impl Device {
    fn read(op: &Device, #[access] op2: &fops_runtime::Access<'_, u8>) -> u32 {
        let _ = op;
        u32::from(**op2)
    }
}
fn main() {
    let device = Arc::new(Device { lifetime: fops_runtime::DeviceLifetime::new(5) });
    let rack = Rack { devices: vec![device.clone()] };
    assert_eq!((rack.read(0), rack.read(1), rack.write(0, String::new()), Device::read(&device)), (6, 1, 0, 5));
    rack.release(1);
    let ops = <Rack as fops_runtime::Guarded<{ fops_runtime::OpTable::key("Rack") }>>::OPS;
    for op in ops {
        println!("{op}");
    }
}
