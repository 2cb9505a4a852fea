//! All that the author wrote of a future is dropped inside its section: locals, temporaries of the tail, arguments.
use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    thread,
};

use fops_runtime::{Cause, DeviceLifetime, Result, Unplug, guarded_fops};

type Lifetime = Arc<DeviceLifetime<u8>>;

struct Device {
    lifetime: Lifetime,
}

thread_local!(static DROPS: RefCell<Vec<(&'static str, bool)>> = const { RefCell::new(Vec::new()) });

/// Records its drop, and whether that happens inside a section of the device: there, unplug waits for it.
struct Witness(&'static str, Lifetime);

impl Witness {
    fn value(&self) -> Result<u8> {
        Ok(0)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let inside = self.1.report().to_string().contains("Device::");
        DROPS.with_borrow_mut(|drops| drops.push((self.0, inside)));
    }
}

/// A future that is ready when it is polled for the second time.
fn later() -> impl Future<Output = ()> {
    let mut polled = false;
    poll_fn(move |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending })
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(polled)]
    async fn tail(&self) -> Result<u8> {
        let _local = self.witness("local");
        later().await;
        self.witness("tail").value()
    }

    #[fop(polled)]
    async fn arguments(&self, _a: Witness, _: Witness, (c, _): (Witness, Witness), used: Witness) -> Result<u8> {
        later().await;
        let _ = &c;
        used.value()
    }

    #[fop(polled)]
    fn returned<'a>(&'a self, made: Witness) -> impl Future<Output = Result<u8>> + 'a {
        let _outer = self.witness("outer");
        async move {
            later().await;
            match self.witness("scrutinee").value() {
                Ok(_) => made.value(),
                Err(error) => Err(error),
            }
        }
    }

    #[fop(polled)]
    fn boxed<'a>(&'a self, _unused: Witness) -> Pin<Box<dyn Future<Output = Result<u8>> + 'a>> {
        Box::pin(async move {
            later().await;
            self.witness("tail").value()
        })
    }
}

impl Device {
    fn witness(&self, name: &'static str) -> Witness {
        Witness(name, Arc::clone(&self.lifetime))
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls an op of a new device until it is done, while somebody waits to have the device unplugged.
fn drops<F: Future<Output = Result<u8>>>(op: impl FnOnce(&'static Device) -> F) -> Vec<&'static str> {
    let device: &'static Device = Box::leak(Box::new(Device { lifetime: Arc::new(DeviceLifetime::new(1)) }));
    thread::scope(|scope| {
        let mut future = pin!(op(device));
        assert!(poll(future.as_mut()).is_pending());
        let remover =
            scope.spawn(|| device.lifetime.alone().begin_unplug(Cause::Unbind).map(|draining| draining.wait()));
        while device.lifetime.report().stragglers().next().is_none() {
            assert!(!remover.is_finished(), "it did not wait for the future");
            thread::yield_now();
        }
        // What was dropped before could not be seen: nobody waited.
        DROPS.take();
        assert_eq!(poll(future), Poll::Ready(Ok(0)));
    });
    let drops = DROPS.take();
    let outside: Vec<_> = drops.iter().filter(|(_, inside)| !inside).collect();
    assert!(outside.is_empty(), "dropped outside of the section: {outside:?}");
    drops.into_iter().map(|(name, _)| name).collect()
}

fn main() {
    assert_eq!(drops(Device::tail), ["tail", "local"]);
    let arguments = drops(|device| {
        let pair = (device.witness("c"), device.witness("d"));
        device.arguments(device.witness("a"), device.witness("b"), pair, device.witness("used"))
    });
    assert_eq!(arguments.len(), 5, "{arguments:?}");
    let returned = drops(|device| device.returned(device.witness("made")));
    assert_eq!(returned, ["scrutinee", "made"]);
    assert_eq!(drops(|device| device.boxed(device.witness("unused"))), ["tail", "unused"]);
}
