//! What macros are given stands in groups without delimiters. They are seen through, wherever they stand.
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Guarded, OpTable, Policy, Result, Unplug, guarded_fops};

macro_rules! device {
    (
        $name:ident, $lt:lifetime, $field:expr, $policy:path, $hook:path, $key:path, $runtime:path, $hw:ty, $access:ty,
        $option:ty, $pattern:pat_param, $reason:literal, $whole:meta, $abi:literal, $answer:expr, $opt:meta, $trait:path,
        $this:ty
    ) => {
        struct $name {
            lifetime: DeviceLifetime<$hw>,
        }

        #[guarded_fops(lifetime = $field, default = $policy, unplug(stop = $hook), name = $key, crate = $runtime, resources = $hw)]
        impl $name {
            fn read<$lt>(&$lt self, #[access] $pattern: $access) -> Result<u8> {
                Ok(1)
            }

            fn fetch<$lt>(&$lt mut self, #[access] hw: &Access<'_, $hw>) -> Result<u8> {
                Ok(**hw)
            }

            #[fop(unguarded, reason = $reason)]
            fn seek(&self) -> u8 {
                1
            }

            #[$whole]
            fn close(&self, #[access] hw: $option) -> bool {
                hw.is_some()
            }

            #[fop($opt)]
            fn poll(self: $this) -> u8 {
                1
            }

            #[fop(unplugged = $answer)]
            extern $abi fn start(&self) -> u8 {
                1
            }
        }

        impl $name {
            fn halt(&self, _: &$hw, _: Cause) {}
        }

        #[guarded_fops(lifetime = $field)]
        impl $trait for $name {
            type Open = ();

            fn open(&self, _file: &File) -> Result {
                Ok(())
            }
        }
    };
}
device!(
    Device, 'a, lifetime, guarded, halt, inherent, ::fops_runtime, u8, &Access<'_, u8>, Option<&Access<'_, u8>>, _,
    "touches no device", fop(always), "C", 3 + 4, always, FileOperations, &Self
);

macro_rules! tuple {
    ($name:ident, $field:literal, $option:ty) => {
        struct $name(DeviceLifetime<u8>);

        #[guarded_fops(lifetime = $field, default = guarded)]
        impl $name {
            #[fop(always)]
            fn close(&self, #[access] hw: $option) -> bool {
                hw.is_some()
            }
        }
    };
}
tuple!(Tuple, 0, Option<&Access<'_, u8>>);

fn main() {
    let mut device = Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!((device.read(), device.fetch(), device.close(), device.start()), (Ok(1), Ok(1), true, 1));
    assert_eq!(device.unplug(Cause::Unbind), Ok(1));
    assert!(device.read().is_err() && device.fetch().is_err());
    assert_eq!((device.close(), device.seek(), device.poll(), device.start()), (false, 1, 1, 7));
    let policies = <Device as Guarded<{ OpTable::key("inherent") }>>::OPS.iter().map(|op| op.policy());
    let unguarded = Policy::Unguarded { reason: "touches no device" };
    let expected = [Policy::Guarded, Policy::Guarded, unguarded, Policy::Always, Policy::Always, Policy::Guarded];
    assert!(policies.eq(expected));
    assert_eq!(Device::table().ops().len(), 1);
    assert!(Tuple(DeviceLifetime::new(1)).close());
}
