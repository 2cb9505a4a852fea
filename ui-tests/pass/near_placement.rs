//! What `fail/placement` gets wrong, done right: each type is named after its case.
use fops_runtime::{Access, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Forgotten {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl FileOperations for Forgotten {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

trait Operations {
    const LIMIT: usize;

    fn read(&self) -> Result<usize>;
}

/// In a module, by paths, with a qualified attribute.
mod on_other_items {
    pub struct Device {
        pub lifetime: fops_runtime::DeviceLifetime<u8>,
    }

    #[fops_runtime::guarded_fops(lifetime = lifetime)]
    impl super::Operations for Device {
        const LIMIT: usize = { 5 };

        #[fop(guarded)]
        fn read(&self) -> super::Result<usize> {
            Ok(<Self as super::Operations>::LIMIT)
        }
    }
}

struct CfgAttr {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl CfgAttr {
    #[cfg(any())]
    #[fop(always)]
    fn read(&self) -> u8 {
        0
    }

    #[cfg(not(any()))]
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct MacroCall {
    lifetime: DeviceLifetime<u8>,
}

/// In a body a macro may be called.
#[guarded_fops(lifetime = lifetime, default = guarded)]
impl MacroCall {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        macro_rules! read {
            ($hw:ident) => {
                **$hw
            };
        }
        println!("{}", **hw);
        Ok(read!(hw))
    }
}

mod marks {
    use super::{Access, DeviceLifetime, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = lifetime, default = guarded)]
    impl Device {
        pub const LIMIT: u8 = 1;

        pub fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
            Ok(**hw)
        }

        #[fop(guarded)]
        pub fn write(&self, count: u8) -> Result<u8> {
            Ok(count)
        }

        #[fop(always)]
        pub fn mmap(&self) -> Result<u8> {
            Ok(1)
        }
    }
}

mod not_an_item {
    use super::{Access, DeviceLifetime, Result, guarded_fops};

    pub struct Device {
        pub lifetime: DeviceLifetime<u8>,
    }

    pub struct Inner(pub u8);

    #[guarded_fops(lifetime = lifetime, default = guarded)]
    impl Device {
        pub fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
            let x = Inner(**hw);
            Ok(x.0)
        }
    }
}

fn main() {
    let marks = marks::Device { lifetime: DeviceLifetime::new(3) };
    assert_eq!((marks.read(), marks.write(marks::Device::LIMIT), marks.mmap()), (Ok(3), Ok(1), Ok(1)));
    assert_eq!(not_an_item::Device { lifetime: DeviceLifetime::new(6) }.read(), Ok(6));
    let forgotten = Forgotten { lifetime: DeviceLifetime::new(1) };
    assert_eq!(forgotten.open(&File::default()), Ok(()));
    let on_other_items = on_other_items::Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!(on_other_items.read(), Ok(5));
    let cfg_attr = CfgAttr { lifetime: DeviceLifetime::new(1) };
    assert_eq!(cfg_attr.read(), Ok(1));
    let macro_call = MacroCall { lifetime: DeviceLifetime::new(1) };
    assert_eq!(macro_call.read(), Ok(1));

    /// Within a function too.
    struct Local {
        lifetime: DeviceLifetime<u8>,
    }

    #[guarded_fops(lifetime = lifetime, default = guarded)]
    impl Operations for Local {
        const LIMIT: usize = 0;

        fn read(&self) -> Result<usize> {
            Ok(1)
        }
    }
    assert_eq!(Local { lifetime: DeviceLifetime::new(1) }.read(), Ok(1));
}
