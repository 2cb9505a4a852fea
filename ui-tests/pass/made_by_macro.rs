//! Impl blocks that a macro writes, with fragments in all places, also by a macro of edition 2021.
use fops_runtime::{Access, DeviceLifetime, Errno, File, FileOperations, Result, guarded_fops};

pub struct Regs {
    value: u8,
}

macro_rules! driver {
    ($device:ident, $field:ident, $op:ident, $hw:ty, $arg:ident, $answer:expr => $body:block) => {
        pub struct $device {
            $field: DeviceLifetime<$hw>,
        }

        #[guarded_fops(lifetime = $field, unplug())]
        impl FileOperations for $device {
            type Open = ();

            fn $op(&self, #[access] $arg: &Access<'_, $hw>, _file: &File) -> Result<()> $body

            #[fop(unplugged = $answer)]
            fn fsync(&self, #[access] hw: &Access<'_, $hw>, _file: &File, _datasync: bool) -> Result {
                if hw.value == 0 { Err(Errno::EIO) } else { Ok(()) }
            }
        }
    };
}

driver!(Made, life, open, Regs, regs, Err(Errno::EAGAIN) => {
    let _ = regs.value;
    Ok(())
});

macro_rules! whole_items {
    (#[$attribute:meta]: $block:item) => {
        #[$attribute]
        $block
    };
}

pub struct Passed {
    lifetime: DeviceLifetime<Regs>,
}

whole_items! {
    #[guarded_fops(lifetime = lifetime, default = guarded)]:
    impl Passed {
        fn read(&self, #[access] hw: &Access<'_, Regs>) -> Result<u8> {
            Ok(hw.value)
        }
    }
}

macro_rules! methods {
    ($device:ty { $($method:item)* }) => {
        #[guarded_fops(lifetime = self.lifetime, name = methods)]
        impl $device {
            $($method)*
        }
    };
}

methods!(Passed {
    #[fop(guarded)]
    fn by_item(&self) -> Result<u8> {
        self.read()
    }
});

edition_2021::device!(Foreign, Regs, hw => hw.value);

fn main() {
    let made = Made { life: DeviceLifetime::new(Regs { value: 0 }) };
    assert_eq!(made.open(&File::default()), Ok(()));
    assert_eq!(made.fsync(&File::default(), false), Err(Errno::EIO));
    assert!(fops_runtime::Unplug::unplug(&made, fops_runtime::Cause::Unbind).is_ok());
    assert_eq!(made.open(&File::default()), Err(Errno::ENODEV));
    assert_eq!(made.fsync(&File::default(), false), Err(Errno::EAGAIN));

    let passed = Passed { lifetime: DeviceLifetime::new(Regs { value: 5 }) };
    assert_eq!(passed.by_item(), Ok(5));

    let foreign = Foreign { lifetime: DeviceLifetime::new(Regs { value: 6 }) };
    assert_eq!(foreign.read(), Ok(6));
}
