//! Names that some structure of the kernel has mean nothing in a block without a trait, or of another trait.
use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Cache {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl Cache {
    fn lock(&self) -> Result {
        Ok(())
    }

    fn flush(&self) -> Result {
        Ok(())
    }

    fn release(&self) {}

    #[fop(polled)]
    async fn fetch(&self) -> Result {
        Ok(())
    }

    async fn store(&self) -> Result {
        Ok(())
    }

    fn later(&self) -> impl Future<Output = Result> {
        async { Ok(()) }
    }
}

trait Lookup {
    fn lookup(&self) -> Result;
}

#[guarded_fops(lifetime = lifetime)]
impl Lookup for Cache {
    fn lookup(&self) -> Result {
        Ok(())
    }
}

fn main() {}
