//! What `fail/options` gets wrong, done right: each block is named after its case.
use fops_runtime::{Access, Cause, DeviceLifetime, Result, Unplug, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), resources = u8, name = unknown)]
impl Device {
    fn read(&self) -> Result<usize> {
        Ok(0)
    }

    #[fop(unguarded, reason = "touches no device resources")]
    fn llseek(&self) -> u64 {
        0
    }
}

impl Device {
    fn quiesce(&self, _hw: &u8, _cause: Cause) {}

    fn kick(&self, _hw: &u8) {}
}

#[guarded_fops(lifetime = lifetime, via = me, name = "wrong values")]
impl Device {
    #[fop(always)]
    fn write(me: &Self) -> u64 {
        me.llseek()
    }
}

struct Bare {
    lifetime: DeviceLifetime<Vec<(u8, u16)>>,
}

#[guarded_fops(lifetime = lifetime, resources = Vec<(u8, u16)>, unplug)]
impl Bare {
    fn read(&self) -> Result {
        Ok(())
    }
}

struct Inferred {
    lifetime: DeviceLifetime<Vec<u8>>,
}

#[guarded_fops(lifetime = (&self.lifetime), unplug())]
impl Inferred {
    #[fop(unplugged = ())]
    fn read(&self) {}

    #[fop(guarded)]
    fn reset(&self, #[access] hw: &fops_runtime::Access<'_, Vec<u8>>) -> Result<u8> {
        Ok(hw[0])
    }

    fn release(&self, #[access] hw: Option<&Access<'_, Vec<u8>>>) {
        let _ = hw;
    }
}

fn main() {
    let device = Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!(device.read(), Ok(0));
    assert_eq!(Device::write(&device), 0);
    assert_eq!(device.unplug(Cause::Unbind), Ok(1));
    let bare = Bare { lifetime: DeviceLifetime::new(vec![]) };
    assert_eq!(bare.read(), Ok(()));
    assert_eq!(bare.unplug(Cause::Unbind), Ok(vec![]));
    let inferred = Inferred { lifetime: DeviceLifetime::new(vec![1]) };
    inferred.read();
    assert_eq!(inferred.reset(), Ok(1));
    inferred.release();
    assert_eq!(inferred.unplug(Cause::Unbind), Ok(vec![1]));
}
