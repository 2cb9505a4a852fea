//! What `fail/access` gets wrong, done right: each method is named after its case.
use std::{sync::Mutex, thread};

use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
    name: String,
}

struct Device<'a> {
    lifetime: DeviceLifetime<Hw>,
    last: Mutex<Option<&'a u8>>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl<'a> Device<'a> {
    /// A copy may be returned, what outlives the section too.
    fn returned(&self, #[access] hw: &Access<'_, Hw>, outlives: &'a u8) -> Result<(String, &'a u8)> {
        Ok((hw.name.clone(), outlives))
    }

    fn stored(&self, outlives: &'a u8) -> Result<u8> {
        *self.last.lock().unwrap() = Some(outlives);
        Ok(*outlives)
    }

    /// What `R` lends may go to a thread that ends within the section, where `R` allows it.
    fn sent_to_thread(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        let hw: &Hw = hw;
        Ok(thread::scope(|scope| scope.spawn(|| hw.status).join().unwrap()))
    }

    #[fop(unguarded, reason = "reads what outlives the device")]
    fn on_unguarded(&self) -> Option<u8> {
        self.last.lock().unwrap().copied()
    }

    #[fop(always)]
    fn plain_on_always(&self, #[access] hw: Option<&Access<'_, Hw>>) -> u8 {
        hw.map_or(0, |hw| hw.status)
    }

    fn option_on_guarded(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        Ok(hw.status)
    }

    fn twice(&self, first: &u8, #[access] hw: &Access<'_, Hw>, last: &u8) -> Result<u8> {
        Ok(first + hw.status + last)
    }

    fn missing(&self) -> Result<u8> {
        self.option_on_guarded()
    }
}

fn main() {
    let outlives = 7;
    let lifetime = DeviceLifetime::new(Hw { status: 1, name: "a".into() });
    let device = Device { lifetime, last: Mutex::default() };
    assert_eq!(device.returned(&outlives), Ok(("a".into(), &7)));
    assert_eq!(device.stored(&outlives), Ok(7));
    assert_eq!(device.sent_to_thread(), Ok(1));
    assert_eq!((device.on_unguarded(), device.plain_on_always()), (Some(7), 1));
    assert_eq!((device.twice(&1, &2), device.missing()), (Ok(4), Ok(1)));
}
