//! A generic impl, the lifetime by an expression, and alternatives under `#[cfg]`.
use fops_runtime::{
    Access, Cause, DeviceLifetime, File, FileOperations, Guarded, OpTable, Result, Unplug, UserSliceReader,
    guarded_fops,
};

pub trait Bus: Send + Sync + 'static {}

pub struct Pci;
impl Bus for Pci {}

pub struct Hw<B> {
    id: usize,
    pub bus: B,
}

struct Inner<B> {
    lifetime: DeviceLifetime<Hw<B>>,
}

pub struct Vin<B: Bus, const N: usize> {
    inner: Inner<B>,
}

#[guarded_fops(lifetime = self.inner.lifetime, unplug())]
#[cfg(not(any()))]
impl<B: Bus, const N: usize> FileOperations for Vin<B, N>
where
    B: Sync,
{
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    #[cfg(not(any()))]
    fn write(&self, #[access] hw: &Access<'_, Hw<B>>, _file: &File, _buf: UserSliceReader<'_>) -> Result<usize> {
        let _ = &hw.bus;
        Ok(hw.id + N)
    }

    #[cfg(any())]
    fn write(&self, _file: &File, _buf: Missing) -> Result<usize> {
        Ok(0)
    }

    #[cfg(any())]
    fn read(&self, _file: &File, _buf: Missing) -> Result<usize> {
        Ok(0)
    }

    #[cfg_attr(not(any()), inline)]
    fn fsync(&self, _file: &File, _datasync: bool) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = absent)]
#[cfg(any())]
impl FileOperations for Missing {}

pub trait Read<'a> {
    fn read(&'a self, name: &'a str) -> Result<&'a str>;
}

pub struct Named<'d> {
    lifetime: &'d DeviceLifetime<()>,
}

#[guarded_fops(lifetime = *self.lifetime, resources = (), unplug(), default = guarded)]
impl<'a> Read<'a> for Named<'_> {
    fn read(&'a self, name: &'a str) -> Result<&'a str> {
        Ok(name)
    }
}

fn main() {
    let lifetime = DeviceLifetime::new(Hw { id: 3, bus: Pci });
    let vin = Vin::<Pci, 4> { inner: Inner { lifetime } };
    assert_eq!(vin.write(&File::default(), UserSliceReader::new(&[], 0)), Ok(7));
    let _: Hw<Pci> = vin.unplug(Cause::Unbind).unwrap();
    let ops = <Vin<Pci, 4> as Guarded<{ OpTable::key("FileOperations") }>>::OPS;
    assert_eq!(ops.iter().map(|op| op.name()).collect::<Vec<_>>(), ["open", "write", "fsync"]);

    let lifetime = DeviceLifetime::new(());
    assert_eq!(Named { lifetime: &lifetime }.read("a"), Ok("a"));
}
