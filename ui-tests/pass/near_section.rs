//! What `fail/section` gets wrong, done right: each method is named after its case.
use std::{future::Future, sync::Arc};

use fops_runtime::{Access, DeviceLifetime, PollEvents, Result, Unplugged, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
    opens: u8,
}

#[derive(Debug, PartialEq)]
struct Mine;

impl From<Unplugged> for Mine {
    fn from(_: Unplugged) -> Self {
        Mine
    }
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(via = me)]
    fn no_receiver(me: &Self) -> Result<u8> {
        me.outlived_by_self()
    }

    #[fop(unplugged = u32::MAX)]
    fn no_answer(&self) -> u32 {
        0
    }

    fn answer_of_its_own(&self) -> std::result::Result<u8, Mine> {
        Ok(0)
    }

    fn poll(&self) -> PollEvents {
        PollEvents::IN
    }

    #[fop(unguarded, reason = "a constant")]
    const fn at_compile_time() -> u8 {
        1
    }

    #[fop(unguarded, reason = "opens its section when it is polled")]
    fn after_return(self: &Arc<Self>) -> impl Future<Output = Result<u8>> + use<> {
        let this = self.clone();
        async move { this.outlived_by_self() }
    }

    #[fop(guarded, unplugged = None.into_iter())]
    fn work_left(&self) -> impl Iterator<Item = u8> + use<> {
        Some(1).into_iter()
    }

    #[fop(guarded)]
    fn more_work_left(&self) -> Result<(u8, Box<dyn FnOnce() -> u8>)> {
        Ok((1, Box::new(|| 1)))
    }

    /// An error is an outcome.
    #[fop(unplugged = Err(Box::new(Unplugged)))]
    fn no_work_left(&self) -> std::result::Result<u8, Box<dyn std::error::Error>> {
        Ok(1)
    }

    fn lifetime_assigned(&mut self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        self.opens += 1;
        Ok(self.opens + **hw)
    }

    fn outlived_by_self(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {
    let mut device = Device { lifetime: DeviceLifetime::new(1), opens: 0 };
    assert_eq!(device.lifetime_assigned(), Ok(2));
    let device = Arc::new(device);
    assert_eq!(Device::no_receiver(&device), Ok(1));
    assert_eq!((device.no_answer(), device.answer_of_its_own()), (0, Ok(0)));
    assert_eq!((device.poll(), Device::at_compile_time()), (PollEvents::IN, 1));
    drop(device.after_return());
    assert_eq!((device.work_left().next(), device.more_work_left().map(|(_, work)| work())), (Some(1), Ok(1)));
    assert_eq!(device.no_work_left().ok(), Some(1));
}
