//! What `fail/unplug` gets wrong, done right: each block, or module, is named after its case.
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use fops_runtime::{Access, Cause, DeviceLifetime, Errno, Result, Unplug, guarded_fops};

/// Counts the calls of hooks: of the driver's own, and of others.
#[derive(Default)]
struct Calls([AtomicU8; 2]);

impl Calls {
    fn own(&self) {
        self.0[0].fetch_add(1, SeqCst);
    }

    fn other(&self) {
        self.0[1].fetch_add(1, SeqCst);
    }

    fn seen(&self) -> [u8; 2] {
        [self.0[0].load(SeqCst), self.0[1].load(SeqCst)]
    }
}

/// A trait whose methods have the names of hooks.
trait Stream {
    fn stop(&self, hw: &u8, cause: Cause);
    fn wake(&self, hw: &u8) -> bool;
}

/// The driver's methods are called, whatever traits have methods of these names.
struct HookOfATrait {
    lifetime: DeviceLifetime<u8>,
    calls: Calls,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop, wake = wake), default = guarded)]
impl HookOfATrait {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

impl HookOfATrait {
    fn stop(&self, hw: &u8, cause: Cause) {
        assert_eq!((*hw, cause), (7, Cause::Removal));
        self.calls.own();
    }

    fn wake(&self, hw: &u8) -> Result<u8> {
        self.calls.own();
        Ok(*hw)
    }
}

impl Stream for HookOfATrait {
    fn stop(&self, _hw: &u8, _cause: Cause) {
        self.calls.other();
    }

    fn wake(&self, _hw: &u8) -> bool {
        self.calls.other();
        false
    }
}

/// Hooks of a generic driver, beside the block. They run although the device is closed.
struct HookInTheBlock<'a, T: Copy + PartialEq, const N: usize> {
    lifetime: DeviceLifetime<[T; N]>,
    expected: &'a [T; N],
    calls: Calls,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), default = guarded)]
impl<T: Copy + PartialEq, const N: usize> HookInTheBlock<'_, T, N>
where
    [T; N]: Sync,
{
    fn read(&self, #[access] hw: &Access<'_, [T; N]>) -> Result<T> {
        Ok(hw[0])
    }
}

impl<T: Copy + PartialEq, const N: usize> HookInTheBlock<'_, T, N>
where
    [T; N]: Sync,
{
    fn quiesce(&self, hw: &[T], _cause: Cause) {
        assert!(hw == self.expected && self.read().err() == Some(Errno::ENODEV));
        self.calls.own();
    }

    fn kick(me: &Self, _hw: &[T; N]) {
        me.calls.own();
    }
}

/// An `unplug` of another device's, and one of another name.
struct SecondUnplug {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
impl SecondUnplug {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

impl SecondUnplug {
    fn remove(&self) -> u8 {
        self.unplug(Cause::Unbind).unwrap()
    }
}

/// Hooks that are still to be written.
struct Unwritten {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), resources = u8, default = guarded)]
impl Unwritten {}

impl Unwritten {
    fn quiesce(&self, _: &u8, _: Cause) -> ! {
        todo!("stop the hardware")
    }

    fn kick(&self, _: &u8) -> ! {
        todo!()
    }
}

struct Socket(SecondUnplug);

#[guarded_fops(lifetime = self.0.lifetime, default = guarded)]
impl Socket {
    #[fop(unguarded, reason = "unplugs the device, and would wait for itself")]
    fn unplug(&self) -> u8 {
        self.0.remove()
    }
}

fn main() {
    let device = HookOfATrait { lifetime: DeviceLifetime::new(7), calls: Calls::default() };
    assert_eq!((device.read(), device.unplug(Cause::Removal)), (Ok(7), Ok(7)));
    assert_eq!(device.calls.seen(), [2, 0]);

    let expected = &['a', 'b'];
    let device = HookInTheBlock { lifetime: DeviceLifetime::new(*expected), expected, calls: Calls::default() };
    assert_eq!((device.read(), device.unplug(Cause::Unbind)), (Ok('a'), Ok(*expected)));
    assert_eq!(device.calls.seen(), [2, 0]);

    let unwritten = Unwritten { lifetime: DeviceLifetime::new(5) };
    assert_eq!(unwritten.unplug(Cause::Unbind), Ok(5));

    let socket = Socket(SecondUnplug { lifetime: DeviceLifetime::new(3) });
    assert_eq!((socket.0.read(), socket.unplug(), socket.0.read()), (Ok(3), 3, Err(Errno::ENODEV)));
}
