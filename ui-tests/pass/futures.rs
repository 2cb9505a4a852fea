//! Operations that work when they are polled: their section opens at the first poll and sleeps with them.
use std::{
    future::{Future, poll_fn, ready},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use async_trait::async_trait;
use fops_runtime::{Cause, DeviceLifetime, Errno, Guarded, OpTable, OwnedAccess, Policy, Result, Unplug, guarded_fops};

struct Hw {
    number: u8,
}

/// A future that is ready when it is polled for the second time.
fn later() -> impl Future<Output = ()> + Send {
    let mut polled = false;
    poll_fn(move |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
}

trait Operations {
    fn read(&self, add: u8) -> impl Future<Output = Result<u8>> + Send;

    fn write<'a>(&'a self, bytes: Vec<u8>) -> Pin<Box<dyn Future<Output = Result<usize>> + Send + 'a>>;
}

struct Device {
    lifetime: Arc<DeviceLifetime<Hw>>,
    opens: u8,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce), resources = Hw, default = guarded)]
impl Operations for Device {
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<Hw>, add: u8) -> Result<u8> {
        later().await;
        if add == u8::MAX {
            return Err(Errno::EINVAL);
        }
        Ok(hw.number + add)
    }

    #[fop(guarded, polled)]
    fn write<'a>(
        &'a self,
        #[access] hw: &OwnedAccess<Hw>,
        bytes: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<usize>> + Send + 'a>> {
        let number = usize::from(hw.number + self.opens);
        Box::pin(async move {
            later().await;
            Ok(bytes.len() + number)
        })
    }
}

impl Device {
    fn quiesce(&self, _hw: &Hw, _cause: Cause) {}
}

#[guarded_fops(lifetime = lifetime, default = guarded, name = inherent)]
impl Device {
    #[fop(polled)]
    fn borrowed<'a>(
        &'a self,
        #[access] hw: &OwnedAccess<Hw>,
        text: &'a str,
    ) -> impl Future<Output = Result<usize>> + 'a {
        let length = text.len() + usize::from(hw.number);
        async move {
            later().await;
            Ok(length)
        }
    }

    /// Its future is made inside a section and works outside.
    #[fop(guarded, unplugged = ready(0))]
    fn made(&self, #[access] hw: &fops_runtime::Access<'_, Hw>) -> impl Future<Output = u8> + use<> {
        ready(hw.number)
    }

    #[fop(always, polled)]
    async fn release(&self, #[access] hw: Option<&OwnedAccess<Hw>>, file: String) -> (bool, usize) {
        later().await;
        (hw.is_some(), file.len())
    }

    #[fop(polled, unplugged = 0)]
    async fn mmap(&self) -> u8 {
        1
    }
}

#[async_trait]
trait Boxed {
    async fn read(&self, add: u8) -> Result<u8>;

    fn write(&self) -> Result<u8>;
}

/// `#[async_trait]` is expanded second: it boxes what has its guard.
struct Above(Device);

#[guarded_fops(lifetime = self.0.lifetime, default = guarded)]
#[async_trait]
impl Boxed for Above {
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<Hw>, add: u8) -> Result<u8> {
        later().await;
        Ok(hw.number + add)
    }

    fn write(&self) -> Result<u8> {
        Ok(1)
    }
}

/// `#[async_trait]` is expanded first: the guard goes around the box that it made. An access would have to live as
/// long as the box, so there is none here.
struct Below(Device);

#[async_trait]
#[guarded_fops(lifetime = self.0.lifetime, default = guarded)]
impl Boxed for Below {
    #[fop(polled)]
    async fn read(&self, add: u8) -> Result<u8> {
        later().await;
        Ok(add)
    }

    fn write(&self) -> Result<u8> {
        Ok(2)
    }
}

fn device() -> Device {
    Device { lifetime: Arc::new(DeviceLifetime::new(Hw { number: 5 })), opens: 0 }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls twice, which is what `later` needs.
fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    assert!(poll(future.as_mut()).is_pending());
    match poll(future) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it pends for a second time"),
    }
}

fn is_send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let plugged = device();
    assert_eq!(finish(is_send(plugged.read(1))), Ok(6));
    assert_eq!(finish(plugged.read(u8::MAX)), Err(Errno::EINVAL));
    assert_eq!(finish(plugged.write(vec![0; 3])), Ok(8));
    assert_eq!(finish(plugged.borrowed("ab")), Ok(7));
    assert_eq!(finish(plugged.release("file".into())), (true, 4));
    assert_eq!(poll(pin!(plugged.made())), Poll::Ready(5));

    // Unplug waits for a future that has been polled, until it is dropped. One that has not opens no section.
    let unpolled = plugged.read(1);
    let mut polled = Box::pin(plugged.read(1));
    assert!(poll(polled.as_mut()).is_pending());
    thread::scope(|scope| {
        let remover = scope.spawn(|| plugged.unplug(Cause::Unbind).map(|hw| hw.number));
        while !plugged.lifetime.is_unplugged() {
            thread::yield_now();
        }
        assert!(!remover.is_finished());
        let report = plugged.lifetime.report().to_string();
        assert!(report.contains("Device::read"), "{report}");
        drop(polled);
        assert_eq!(remover.join().unwrap(), Ok(5));
    });
    assert_eq!(poll(pin!(unpolled)), Poll::Ready(Err(Errno::ENODEV)));
    assert_eq!(poll(pin!(plugged.write(vec![]))), Poll::Ready(Err(Errno::ENODEV)));
    assert_eq!(poll(pin!(plugged.borrowed(""))), Poll::Ready(Err(Errno::ENODEV)));
    assert_eq!(poll(pin!(plugged.mmap())), Poll::Ready(0));
    assert_eq!(poll(pin!(plugged.made())), Poll::Ready(0));
    assert_eq!(finish(plugged.release("file".into())), (false, 4));

    let (above, below) = (Above(device()), Below(device()));
    assert_eq!((finish(is_send(above.read(1))), finish(is_send(below.read(1)))), (Ok(6), Ok(1)));
    assert_eq!((above.write(), below.write()), (Ok(1), Ok(2)));
    for device in [&above.0, &below.0] {
        assert!(device.unplug(Cause::Unbind).is_ok());
    }
    assert_eq!(poll(above.read(1).as_mut()), Poll::Ready(Err(Errno::ENODEV)));
    assert_eq!(poll(below.read(1).as_mut()), Poll::Ready(Err(Errno::ENODEV)));

    let policies = <Device as Guarded<{ OpTable::key("Operations") }>>::OPS.iter().map(|op| (op.name(), op.policy()));
    assert!(policies.eq([("read", Policy::Guarded), ("write", Policy::Guarded)]));
}
