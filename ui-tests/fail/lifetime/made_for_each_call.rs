use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct ByMethod;

impl ByMethod {
    fn lifetime(&self) -> DeviceLifetime<u8> {
        DeviceLifetime::new(1)
    }

    fn find(&self, minor: u8) -> Option<DeviceLifetime<u8>> {
        (minor == 0).then(|| self.lifetime())
    }

    fn number(&self) -> u8 {
        1
    }
}

#[guarded_fops(lifetime = self.lifetime(), default = guarded)]
impl ByMethod {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    fn write(&self) -> Result<u8> {
        Ok(1)
    }

    #[fop(always)]
    fn release(&self) {}
}

#[guarded_fops(lifetime = self.find(minor), not_found = Err(Errno::ENXIO), name = found, default = guarded)]
impl ByMethod {
    fn ioctl(&self, minor: u8) -> Result<u8> {
        Ok(minor)
    }

    fn flush(&self, minor: u8) -> Result<u8> {
        Ok(minor)
    }
}

#[guarded_fops(lifetime = self.lifetime(), via = me, name = via, default = guarded)]
impl ByMethod {
    fn mmap(me: &Self) -> Result<u8> {
        Ok(me.number())
    }
}

#[guarded_fops(lifetime = self.number(), name = number, default = guarded)]
impl ByMethod {
    fn fsync(&self) -> Result<u8> {
        Ok(1)
    }
}

struct Unpluggable;

#[guarded_fops(lifetime = DeviceLifetime::new(1), unplug(), resources = u8, default = guarded)]
impl Unpluggable {
    fn read(&self) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
