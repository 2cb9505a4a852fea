//! Authors of edition 2021: the cases of `../pass` once more, and a macro whose output is of this edition.

/// A device with one op.
#[macro_export]
macro_rules! device {
    ($device:ident, $hw:ty, $access:ident => $value:expr) => {
        #[allow(missing_docs)]
        pub struct $device {
            pub lifetime: ::fops_runtime::DeviceLifetime<$hw>,
        }

        #[::fops_runtime::guarded_fops(lifetime = lifetime, default = guarded)]
        impl $device {
            fn read(&self, #[access] $access: &::fops_runtime::Access<'_, $hw>) -> ::fops_runtime::Result<u8> {
                Ok($value)
            }
        }
    };
}
