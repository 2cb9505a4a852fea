//! Methods of no trait: each receiver, generics, patterns, answers.
use std::sync::Arc;

use fops_runtime::{Access, Cause, DeviceLifetime, Errno, Guarded, OpTable, Result, Unplug, Unplugged, guarded_fops};

pub struct Hw {
    id: usize,
}

pub struct Device {
    lifetime: DeviceLifetime<Hw>,
    count: usize,
}

type Alias<'a> = Access<'a, Hw>;

#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
impl Device {
    pub const LIMIT: usize = { 4 };

    pub fn by_ref(&self, #[access] hw: &Access<'_, Hw>) -> Result<usize> {
        Ok(hw.id + self.count)
    }

    pub fn by_mut(&mut self, #[access] hw: &Access<'_, Hw>) -> Result<usize> {
        self.count += hw.id;
        Ok(self.count)
    }

    pub fn by_arc(self: Arc<Self>, #[access] hw: &Alias<'_>) -> std::result::Result<usize, Unplugged> {
        Ok(hw.id)
    }

    /// The resources by themselves, borrowed for as long as the access.
    pub fn resources(&self, #[access] hw: &Hw) -> Result<usize> {
        Ok(hw.id)
    }

    pub fn many<'a, const N: usize, T>(
        &self,
        #[access] Access { .. }: &Access<'_, Hw>,
        (a, ref b): (u32, Option<&'a str>),
        mut x: [T; N],
        _: String,
        #[cfg(any())] absent: String,
        #[cfg(not(any()))] present: String,
        _unused: impl FnOnce(),
    ) -> Result<(u32, Option<&'a str>, T)>
    where
        T: Copy + 'a,
    {
        #![allow(unused_variables)]
        x.reverse();
        Ok((a, *b, x[0]))
    }

    #[fop(guarded, unplugged = Vec::new().into_iter())]
    pub fn opaque(&self, #[access] hw: &Access<'_, Hw>) -> impl Iterator<Item = usize> + use<> {
        vec![hw.id].into_iter()
    }

    #[fop(guarded)]
    pub fn partly_opaque(&self) -> Result<impl Iterator<Item = usize> + use<>> {
        Ok([1].into_iter())
    }

    #[fop(unplugged = ())]
    pub fn nothing(&self) {}

    #[fop(unplugged = Some(fallback))]
    pub fn fallback(&self, fallback: String) -> Option<String> {
        Some(fallback + "!")
    }

    #[fop(unplugged = "gone")]
    pub fn string(&self) -> &'static str {
        "there"
    }

    /// # Safety
    /// None needed.
    pub unsafe fn r#unsafe(&self) -> Result<u8> {
        Ok(0)
    }

    #[fop(unguarded, reason = "opens its section itself, at the first poll")]
    pub async fn later(&self) {}
}

fn main() {
    let mut device = Device { lifetime: DeviceLifetime::new(Hw { id: 3 }), count: 1 };
    assert_eq!(device.by_ref(), Ok(4));
    assert_eq!(device.by_mut(), Ok(4));
    let device = Arc::new(device);
    assert_eq!(device.clone().by_arc(), Ok(3));
    assert_eq!(device.resources(), Ok(3));
    let many = || device.many((1, None), [7, 8], String::new(), String::new(), || ());
    assert_eq!(many(), Ok((1, None, 8)));
    assert_eq!(device.opaque().collect::<Vec<_>>(), [3]);
    assert_eq!(device.partly_opaque().unwrap().sum::<usize>(), 1);
    device.nothing();
    assert_eq!(device.fallback("a".into()).as_deref(), Some("a!"));
    assert_eq!(device.string(), "there");

    assert!(device.unplug(Cause::Unbind).is_ok());
    assert_eq!(device.by_ref(), Err(Errno::ENODEV));
    assert_eq!(device.clone().by_arc(), Err(Unplugged));
    assert_eq!(many(), Err(Errno::ENODEV));
    assert_eq!(device.opaque().count(), 0);
    assert!(device.partly_opaque().is_err());
    assert_eq!(device.fallback("a".into()).as_deref(), Some("a"));
    assert_eq!(device.string(), "gone");

    let ops = <Device as Guarded<{ OpTable::key("Device") }>>::OPS;
    assert!(ops.iter().any(|op| op.name() == "unsafe"));
    assert_eq!(Device::LIMIT, 4);
}
