#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl Device {
    #[fop(Guarded)]
    fn first(&self) -> Result {
        Ok(())
    }

    #[fop(allways)]
    fn second(&self) -> Result {
        Ok(())
    }

    #[fop("guarded")]
    fn third(&self) -> Result {
        Ok(())
    }

    #[fop(unguarded = "touches no device resources")]
    fn fourth(&self) -> Result {
        Ok(())
    }

    #[fop(unguarded("touches no device resources"))]
    fn fifth(&self) -> Result {
        Ok(())
    }

    #[fop(unguarded, because = "touches no device resources")]
    fn sixth(&self) -> Result {
        Ok(())
    }

    #[fop(guarded always)]
    fn seventh(&self) -> Result {
        Ok(())
    }

    #[fop = always]
    fn eighth(&self) -> Result {
        Ok(())
    }

    #[fop(guarded, guarded)]
    fn ninth(&self) -> Result {
        Ok(())
    }

    #[fop(unguarded, reason = concat!("touches no", "device resources"))]
    fn tenth(&self) -> Result {
        Ok(())
    }

    #[fop(unguarded, reason = " ")]
    fn eleventh(&self) -> Result {
        Ok(())
    }
}

fn main() {}
