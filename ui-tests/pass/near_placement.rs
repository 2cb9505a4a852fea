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

#[guarded_fops(lifetime = lifetime)]
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
#[guarded_fops(lifetime = lifetime)]
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

fn main() {
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

    #[guarded_fops(lifetime = lifetime)]
    impl Operations for Local {
        const LIMIT: usize = 0;

        fn read(&self) -> Result<usize> {
            Ok(1)
        }
    }
    assert_eq!(Local { lifetime: DeviceLifetime::new(1) }.read(), Ok(1));
}
