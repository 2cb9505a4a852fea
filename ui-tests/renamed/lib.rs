//! Authors who know the runtime by another name: by a rename, by a re-export, and through a macro of such a crate.
//! There is no `::fops_runtime` here.

pub mod subsystem {
    //! A subsystem that has the runtime as a part of its own.
    pub use ::unplug as devices;
}

/// By the name it is given in `Cargo.toml`. Lints of pedantic authors say nothing of an access that is not used, nor of
/// hooks.
#[warn(clippy::used_underscore_binding, clippy::shadow_same, clippy::shadow_reuse, clippy::shadow_unrelated)]
#[warn(clippy::trivially_copy_pass_by_ref, clippy::diverging_sub_expression)]
pub mod renamed {
    use unplug::{
        Access, Cause, DeviceLifetime, File, FileOperations, PollEvents, PollTable, Result, UserSliceReader,
        guarded_fops,
    };

    /// A device.
    pub struct Device {
        /// Owns a number.
        pub lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), crate = ::unplug)]
    impl FileOperations for Device {
        type Open = ();

        fn open(&self, _file: &File) -> Result {
            Ok(())
        }

        fn flush(&self, #[access] _hw: Option<&Access<'_, u8>>, _file: &File) -> Result {
            Ok(())
        }

        fn write(&self, #[access] _hw: &Access<'_, u8>, _file: &File, buf: UserSliceReader<'_>) -> Result<usize> {
            Ok(buf.remaining())
        }

        #[fop(unplugged = unreachable!("nobody polls a device that is gone"))]
        fn poll(&self, _file: &File, _table: &PollTable<'_>) -> PollEvents {
            PollEvents::IN
        }

        #[fop(unguarded, reason = "touches no device resources")]
        fn fsync(&self, _file: &File, _datasync: bool) -> Result {
            Ok(())
        }
    }

    impl Device {
        fn quiesce(&self, _: u8, _: Cause) {}

        fn kick(&self, _: u8) {}
    }
}

/// By a path of this crate.
pub mod reexported {
    use crate::subsystem::devices::{Access, DeviceLifetime, Result};

    /// A device.
    pub struct Device {
        /// Owns a number.
        pub lifetime: DeviceLifetime<u8>,
    }

    #[crate::subsystem::devices::guarded_fops(lifetime = lifetime, unplug(), crate = crate::subsystem::devices, default = guarded)]
    impl Device {
        /// Reads the number.
        ///
        /// # Errors
        /// `ENODEV`.
        pub fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
            Ok(**hw)
        }
    }
}

/// A device whose operation reads its number, for users who need not know the runtime at all.
#[macro_export]
macro_rules! device {
    ($device:ident) => {
        #[allow(missing_docs)]
        pub struct $device {
            pub lifetime: $crate::subsystem::devices::DeviceLifetime<u8>,
        }

        #[$crate::subsystem::devices::guarded_fops(lifetime = lifetime, unplug(), crate = $crate::subsystem::devices, default = guarded)]
        impl $device {
            #[allow(missing_docs)]
            pub fn read(
                &self,
                #[access] hw: &$crate::subsystem::devices::Access<'_, u8>,
            ) -> $crate::subsystem::devices::Result<u8> {
                Ok(**hw)
            }
        }
    };
}
device!(Made);

#[test]
fn all_are_guarded() {
    use unplug::{Cause, DeviceLifetime, Errno, FileOperations, Unplug};

    let renamed = renamed::Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!(renamed.open(&unplug::File::default()), Ok(()));
    assert_eq!(renamed.unplug(Cause::Unbind), Ok(1));
    assert_eq!(renamed.open(&unplug::File::default()), Err(Errno::ENODEV));

    let reexported = reexported::Device { lifetime: DeviceLifetime::new(2) };
    assert_eq!((reexported.read(), reexported.unplug(Cause::Unbind)), (Ok(2), Ok(2)));
    assert_eq!(reexported.read(), Err(Errno::ENODEV));

    let made = Made { lifetime: DeviceLifetime::new(3) };
    assert_eq!((made.read(), made.unplug(Cause::Unbind)), (Ok(3), Ok(3)));
    assert_eq!(made.read(), Err(Errno::ENODEV));
}

/// Where the path of the runtime is written says nothing of where an operation is.
#[test]
fn operations_are_at_their_lines() {
    use unplug::{Guarded, OpTable};

    let line = include_str!("lib.rs").lines().position(|line| line.contains("fn open(&self")).map(|at| at + 1);
    let open = &<renamed::Device as Guarded<{ OpTable::key("FileOperations") }>>::OPS[0];
    assert!(open.to_string().contains(&format!("lib.rs:{}", line.expect("it is there"))), "{open}");
}

/// An access that is used has one name, and so has a device.
#[warn(clippy::shadow_same)]
pub mod used {
    use unplug::{Access, DeviceLifetime, Errno, Result, guarded_fops};

    /// A device.
    pub struct Device {
        lifetime: DeviceLifetime<u8>,
    }

    /// Several devices.
    pub struct Devices(Vec<Device>);

    #[guarded_fops(
        lifetime = lifetime,
        via = self.0.get(minor),
        not_found = Err(Errno::ENXIO),
        crate = unplug,
        default = guarded
    )]
    impl Devices {
        /// Reads.
        ///
        /// # Errors
        /// There is no such device.
        pub fn read(&self, #[access] hw: &Access<'_, u8>, minor: usize) -> Result<u8> {
            Ok(**hw)
        }

        /// Which one it is.
        ///
        /// # Errors
        /// There is no such device.
        pub fn number(&self, #[device] device: &Device, minor: usize) -> Result<u64> {
            Ok(device.lifetime.id())
        }
    }
}
