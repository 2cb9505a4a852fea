//! All that the author wrote is dropped inside the section: locals, temporaries of the tail, arguments by value.
use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
};

use fops_runtime::{Access, Cause, DeviceLifetime, Result, Unplug, UnplugError, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

static DEVICE: LazyLock<Arc<Device>> = LazyLock::new(|| Arc::new(Device { lifetime: DeviceLifetime::new(1) }));

thread_local!(static DROPS: RefCell<Vec<(&'static str, bool)>> = const { RefCell::new(Vec::new()) });

/// Records its drop, and whether that happens inside a section of the device: there, unplug is refused.
struct Witness(&'static str);

impl Witness {
    fn value(&self) -> Result<u8> {
        Ok(0)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let unplug = DEVICE.lifetime.alone().begin_unplug(Cause::Unbind);
        let inside = matches!(unplug, Err(UnplugError::Deadlock(_)));
        DROPS.with_borrow_mut(|drops| drops.push((self.0, inside)));
    }
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn tail(&self) -> Result<u8> {
        let _local = Witness("local");
        Witness("tail").value()
    }

    fn returned(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        let _local = Witness("local");
        if **hw == 1 {
            return Witness("returned").value();
        }
        Ok(1)
    }

    fn arguments(&self, _a: Witness, _: Witness, (c, _): (Witness, Witness), used: Witness) -> Result<u8> {
        let _ = &c;
        used.value()
    }

    fn moved(&self, mut a: Witness) -> Result<u8> {
        a.0 = "moved";
        drop(a);
        Ok(0)
    }

    #[allow(clippy::needless_pass_by_value)]
    #[fop(always)]
    fn release(&self, #[access] hw: Option<&Access<'_, u8>>, file: Witness) {
        assert!(hw.is_some() && file.value().is_ok());
    }

    fn inner_attribute(&self) -> Result<u8> {
        #![allow(unused_variables)]
        let unused = 1;
        match Witness("scrutinee").value() {
            Ok(value) => Ok(value),
            Err(error) => Err(error),
        }
    }
}

fn drops(op: impl FnOnce(&Device)) -> Vec<&'static str> {
    op(&DEVICE);
    let drops = DROPS.take();
    let outside: Vec<_> = drops.iter().filter(|(_, inside)| !inside).collect();
    assert!(outside.is_empty(), "dropped outside of the section: {outside:?}");
    drops.into_iter().map(|(name, _)| name).collect()
}

fn main() {
    let tail = drops(|device| assert!(device.tail().is_ok()));
    assert_eq!(tail, ["tail", "local"]);
    let returned = drops(|device| assert!(device.returned().is_ok()));
    assert_eq!(returned, ["returned", "local"]);
    let arguments = drops(|device| {
        let pair = (Witness("c"), Witness("d"));
        assert!(device.arguments(Witness("a"), Witness("b"), pair, Witness("used")).is_ok());
    });
    assert_eq!(arguments.len(), 5);
    assert_eq!(drops(|device| assert!(device.moved(Witness("a")).is_ok())), ["moved"]);
    assert_eq!(drops(|device| device.release(Witness("file"))), ["file"]);
    assert_eq!(drops(|device| assert!(device.inner_attribute().is_ok())), ["scrutinee"]);
}
