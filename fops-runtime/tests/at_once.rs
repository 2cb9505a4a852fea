//! Whatever unplugs at once, and however it ends: each resource comes back once, and each stop hook runs once.
#![cfg(feature = "std")]
mod common;

use common::{Device, Registers};
use fops_runtime::op::op;
use fops_runtime::{Cause, Part, Parts, Unplug, UnplugError, Unpluggable, WaitQueue};
#[cfg(feature = "async")]
use std::future::Future as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// A device with two children, the second of which has one of its own.
struct Tree {
    own: Device,
    child: Device,
    branch: Branch,
}

struct Branch {
    own: Device,
    leaf: Device,
}

impl Unpluggable for Branch {
    type Resources = (Registers, Option<Registers>);

    fn parts(&self) -> impl Parts<Resources = Self::Resources> {
        (Part::of(&self.own), Part::child(&self.leaf))
    }
}

impl Unpluggable for Tree {
    type Resources = (Registers, Option<Registers>, Option<(Registers, Option<Registers>)>);

    fn parts(&self) -> impl Parts<Resources = Self::Resources> {
        (Part::of(&self.own), Part::child(&self.child), Part::child(&self.branch))
    }
}

/// Numbers that only look random: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Unplugs in one of all ways. Whether it has come to an end: the rest was given up half-way.
fn unplug<D: Unplug + Sync>(device: &D, random: &mut Random) -> bool {
    let cause = [Cause::Unbind, Cause::Removal, Cause::SurpriseRemoval][random.below(3) as usize];
    let limit = Duration::from_micros(random.below(300));
    #[cfg(feature = "async")]
    if random.below(2) == 0 {
        return by_a_task(device, cause, random.below(3) as usize);
    }
    let begun = match random.below(3) {
        0 => return device.unplug(cause).is_ok(),
        1 => device.begin_unplug(cause),
        _ => device.begin_unplug_for(cause, limit),
    };
    let Ok(draining) = begun else { return false };
    match random.below(3) {
        0 => {
            draining.wait();
            true
        }
        1 => draining.wait_for(limit).is_ok(),
        _ => {
            drop(draining);
            false
        }
    }
}

/// The same by a task, which is dropped after some polls if it is given any.
#[cfg(feature = "async")]
fn by_a_task<D: Unplug + Sync>(device: &D, cause: Cause, polls: usize) -> bool {
    use fops_runtime::UnplugAsync as _;
    use std::task::{Context, Waker};
    let mut unplug = std::pin::pin!(device.unplug_async(cause));
    if polls == 0 {
        return futures_executor::block_on(unplug).is_ok();
    }
    let mut context = Context::from_waker(Waker::noop());
    // One that was ready must not be polled again.
    (0..polls).map(|_| unplug.as_mut().poll(&mut context)).any(|poll| poll.is_ready())
}

fn device(random: &mut Random) -> Device {
    let mut device = Device::new();
    if random.below(3) == 0 {
        device.on_stop = Some(Box::new(|_| panic!("in stop, on purpose")));
    }
    match random.below(4) {
        0 => device.on_wake = Some(Box::new(|_| panic!("in wake, on purpose"))),
        1 => device.on_wake = Some(Box::new(|_| ())),
        _ => {}
    }
    device
}

#[test]
fn every_resource_comes_back_once_and_every_stop_hook_runs_once() {
    let watchdog = common::watchdog("unplugs of parts of one tree");
    std::panic::set_hook(Box::new(|_| ()));
    for seed in 0..common::rounds(20_000) as u64 {
        watchdog.goes_on();
        let mut random = Random(seed);
        let branch = Branch { own: device(&mut random), leaf: device(&mut random) };
        let tree = Tree { own: device(&mut random), child: device(&mut random), branch };
        let other = device(&mut random);
        let (queue, whole) = (WaitQueue::new(), AtomicUsize::new(0));
        // Waits until unplug begins.
        let sees = |device: &Device| {
            device.lifetime.enter(op!("ioctl")).is_ok_and(|access| {
                let _ = access.wait_event(&queue, || None::<()>);
                true
            })
        };
        let leave = AtomicBool::new(false);
        std::thread::scope(|s| {
            for number in 0..3 {
                let mut random = Random(seed * 8 + number);
                let (tree, other, whole) = (&tree, &other, &whole);
                s.spawn(move || {
                    for _ in 0..3 {
                        let done = match random.below(6) {
                            0 => unplug(tree, &mut random),
                            1 => unplug(&(tree, other), &mut random),
                            2 => unplug(&(other, &tree.branch), &mut random),
                            3 => unplug(&tree.child, &mut random),
                            4 => unplug(&tree.branch.leaf, &mut random),
                            _ => unplug(&tree.branch, &mut random),
                        };
                        whole.fetch_add(usize::from(done), SeqCst);
                    }
                });
            }
            let (tree, other, sees, leave) = (&tree, &other, &sees, &leave);
            s.spawn(
                move || {
                    while !leave.load(SeqCst) && (sees(&tree.branch.leaf) || sees(&tree.own) || sees(other)) {}
                },
            );
            // Whatever the others have left behind can be unplugged, in the end.
            let mut ends = Random(seed * 8 + 7);
            if ends.below(2) == 0 {
                let _ = tree.unplug(Cause::Unbind);
            }
            leave.store(true, SeqCst);
            let _ = other.unplug(Cause::Unbind);
            let _ = tree.branch.leaf.unplug(Cause::Unbind);
            let _ = tree.unplug(Cause::Unbind);
        });
        let last = tree.unplug(Cause::Unbind);
        assert!(matches!(last, Ok(_) | Err(UnplugError::AlreadyUnplugged)), "{seed}: {last:?}");
        drop(last);
        for device in [&tree.own, &tree.child, &tree.branch.own, &tree.branch.leaf, &other] {
            let stops = device.stops.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len();
            assert_eq!((device.drops(), stops), (1, 1), "{seed}: {device_id:?}", device_id = device.lifetime);
        }
    }
}
