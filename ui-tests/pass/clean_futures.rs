//! Nothing that the macro writes around a future trips a lint.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, clippy::pedantic)]
#![forbid(unsafe_code)]

use std::{
    future::{Future, ready},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use fops_runtime::{DeviceLifetime, OwnedAccess, Result, guarded_fops};

/// Operations that are polled.
trait Operations {
    fn read(&self, buf: Vec<u8>) -> impl Future<Output = Result<usize>> + Send;

    fn write<'a>(&'a self, bytes: &'a [u8]) -> Pin<Box<dyn Future<Output = Result<usize>> + Send + 'a>>;
}

/// A device.
pub struct Device {
    lifetime: Arc<DeviceLifetime<u8>>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Operations for Device {
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<u8>, buf: Vec<u8>) -> Result<usize> {
        ready(()).await;
        Ok(buf.len() + usize::from(**hw))
    }

    #[fop(polled)]
    fn write<'a>(
        &'a self,
        #[access] hw: &OwnedAccess<u8>,
        bytes: &'a [u8],
    ) -> Pin<Box<dyn Future<Output = Result<usize>> + Send + 'a>> {
        let number = usize::from(**hw);
        Box::pin(async move { Ok(bytes.len() + number) })
    }
}

/// Methods of no trait.
#[guarded_fops(lifetime = lifetime, default = guarded, name = inherent)]
impl Device {
    /// Adds.
    ///
    /// # Errors
    /// Where the device is gone.
    #[fop(polled)]
    pub fn sum(
        &self,
        #[access] hw: &OwnedAccess<u8>,
        (a, _b): (u8, String),
    ) -> impl Future<Output = Result<u8>> + use<'_> {
        ready(Ok(a + **hw))
    }

    /// Counts, by arguments that it has no use for.
    #[fop(polled, unplugged = 0)]
    pub async fn count(&self, _unused: String, _: Vec<u8>) -> u8 {
        ready(1).await
    }

    #[fop(always, polled)]
    async fn release(&self, #[access] hw: Option<&OwnedAccess<u8>>, file: String) -> bool {
        ready(hw.is_some() && !file.is_empty()).await
    }
}

fn finish<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("nothing here pends"),
    }
}

fn main() {
    let device = Device { lifetime: Arc::new(DeviceLifetime::new(5)) };
    assert_eq!(finish(device.read(vec![0; 2])), Ok(7));
    assert_eq!(finish(device.write(b"abc")), Ok(8));
    assert_eq!(finish(device.sum((1, String::new()))), Ok(6));
    assert_eq!(finish(device.count(String::new(), vec![])), 1);
    assert!(finish(device.release("file".into())));
}
