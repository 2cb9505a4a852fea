use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Vin {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(subdevs(csi2)), name = first)]
impl Vin {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

#[guarded_fops(lifetime = lifetime, unplug(subdevs = csi2), name = second)]
impl Vin {
    fn write(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

#[guarded_fops(lifetime = lifetime, subdevs(csi2 = Csi2), subdev = true, name = third)]
impl Vin {
    fn ioctl(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
