//! Among other attributes, above them and below.
use fops_runtime::{Access, Cause, DeviceLifetime, Guarded, Result, Unplug, guarded_fops, OpTable};
use tracing::instrument;
use vtable::vtable;

#[vtable]
trait Operations {
    fn read(&self, first: u8) -> Result<u8>;

    fn write(&self) -> Result<u8> {
        Ok(0)
    }
}

struct Above {
    lifetime: DeviceLifetime<u8>,
}

#[vtable]
#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
impl Operations for Above {
    fn read(&self, #[access] hw: &Access<'_, u8>, first: u8) -> Result<u8> {
        Ok(**hw + first)
    }
}

struct Below {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
#[vtable]
impl Operations for Below {
    fn read(&self, #[access] hw: &Access<'_, u8>, first: u8) -> Result<u8> {
        Ok(**hw + first)
    }
}

struct Instrumented {
    lifetime: DeviceLifetime<u8>,
}

/// Its attribute is expanded after ours: it sees the guard, and not the access.
#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Instrumented {
    #[instrument(skip(self))]
    fn read(&self, #[access] hw: &Access<'_, u8>, by_value: String) -> Result<u8> {
        tracing::info!(%by_value);
        Ok(**hw)
    }

    #[instrument(level = "debug", skip_all, err, fields(kind = "write"))]
    #[fop(guarded)]
    fn write(&self, (a, b): (u8, u8)) -> Result<u8> {
        self.read((a + b).to_string())
    }

    #[fop(always)]
    #[instrument(skip_all, ret)]
    fn release(&self, #[access] hw: Option<&Access<'_, u8>>) -> bool {
        hw.is_some()
    }
}

fn main() {
    let above = Above { lifetime: DeviceLifetime::new(1) };
    let below = Below { lifetime: DeviceLifetime::new(1) };
    const { assert!(<Above as Operations>::HAS_READ && !<Above as Operations>::HAS_WRITE) };
    const { assert!(<Below as Operations>::HAS_READ && !<Below as Operations>::HAS_WRITE) };
    assert_eq!((above.read(1), below.read(2), above.write()), (Ok(2), Ok(3), Ok(0)));
    assert_eq!(<Above as Guarded<{ OpTable::key("Operations") }>>::OPS.len(), 1);
    assert_eq!((above.unplug(Cause::Unbind), below.unplug(Cause::Unbind)), (Ok(1), Ok(1)));
    assert!(above.read(1).is_err() && below.read(1).is_err());

    let instrumented = Instrumented { lifetime: DeviceLifetime::new(5) };
    assert_eq!(instrumented.write((1, 2)), Ok(5));
    assert!(instrumented.release());
    assert!(instrumented.lifetime.alone().begin_unplug(Cause::Unbind).is_ok());
    assert!(instrumented.write((1, 2)).is_err() && !instrumented.release());
}
