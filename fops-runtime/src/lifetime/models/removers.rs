//! Removers: against one another, and of several devices.
use super::{Arc, Device, Registers, device, model, operate, spawn, unplug};
use crate::lifetime::{self, Cause, DeviceLifetime, Part, Parts, Unplug, UnplugError, Unpluggable};
use crate::op::op;
use crate::platform::is_weak;
use crate::wait::{WaitError, WaitQueue};
use loom::sync::{Condvar, Mutex};

#[test]
fn two_unplugs() {
    model(|| {
        let device = device();
        let removed = |device: &Device, cause| match device.alone().begin_unplug(cause) {
            Ok(draining) => {
                draining.wait().destroy();
                1
            }
            Err(UnplugError::AlreadyUnplugged) => 0,
            Err(error) => panic!("{error}"),
        };
        let second = spawn!(|device| removed(&device, Cause::Unbind));
        let first = removed(&device, Cause::Removal);
        assert_eq!(first + second.join().unwrap(), 1, "the resources come back once");
    });
}

#[test]
fn one_gives_up_and_another_takes_over() {
    model(|| {
        let device = device();
        let second = spawn!(|device| unplug(&device));
        drop(device.alone().begin_unplug(Cause::Unbind).ok());
        second.join().unwrap();
    });
}

#[test]
fn one_gives_up_while_a_section_is_open() {
    model(|| {
        let device = device();
        let operation = spawn!(|device| operate(&device));
        drop(device.alone().begin_unplug(Cause::Unbind).unwrap());
        unplug(&device);
        operation.join().unwrap();
    });
}

struct Node(Device);

impl lifetime::Device for Node {
    type Resources = Registers;

    fn lifetime(&self) -> &Device {
        &self.0
    }
}

impl Unpluggable for Node {
    type Resources = Registers;

    fn parts(&self) -> impl Parts<Resources = Registers> {
        Part::of(self)
    }
}

fn node() -> Arc<Node> {
    Arc::new(Node(DeviceLifetime::new(Registers::new())))
}

#[test]
fn a_group_has_one_fence_for_all() {
    model(|| {
        let (parent, child) = (node(), node());
        let operation = spawn!(|parent, child| {
            operate(&child.0);
            operate(&parent.0);
        });
        let (registers, others) = (&*parent, &*child).unplug(Cause::Unbind).unwrap();
        registers.destroy();
        others.destroy();
        operation.join().unwrap();
    });
}

/// An operation of the parent waits for one of the child, which sleeps until its own device goes.
#[test]
fn all_of_a_group_are_flagged_before_any_is_drained() {
    super::bounded(2, || {
        let (parent, child) = (node(), node());
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let waits = spawn!(|parent, done| {
            if let Ok(access) = parent.0.enter(op!("streamoff")) {
                let mut is_done = done.0.lock().unwrap();
                while !*is_done {
                    is_done = done.1.wait(is_done).unwrap();
                }
                assert_eq!(access.read(), 7);
            }
        });
        let sleeps = spawn!(|child, done| {
            if let Ok(access) = child.0.enter(op!("dqbuf")) {
                let queue = WaitQueue::new();
                assert_eq!(access.wait_event(&queue, || None::<()>), Err(WaitError::Unplugged));
            }
            *done.0.lock().unwrap() = true;
            done.1.notify_all();
        });
        if is_weak("flags of a group") {
            unplug(&parent.0);
            unplug(&child.0);
        } else {
            (&*parent, &*child).unplug(Cause::Unbind).unwrap();
        }
        waits.join().unwrap();
        sleeps.join().unwrap();
    });
}

/// Of two unplugs that name both devices, one gets both.
fn one_gets_both(answers: [Result<(Registers, Registers), UnplugError>; 2]) {
    let mut got = 0;
    for answer in answers {
        match answer {
            Ok((one, other)) => {
                one.destroy();
                other.destroy();
                got += 1;
            }
            Err(UnplugError::AlreadyUnplugged) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(got, 1, "the resources come back once");
}

#[test]
fn groups_that_name_the_same_devices_in_another_order() {
    super::bounded(2, || {
        let (one, other) = (node(), node());
        let back = spawn!(|one, other| (&*other, &*one).unplug(Cause::Unbind));
        let forth = (&*one, &*other).unplug(Cause::Unbind);
        one_gets_both([forth, back.join().unwrap()]);
    });
}

#[test]
fn a_group_takes_over_from_one_that_gives_up() {
    super::bounded(2, || {
        let (one, other) = (node(), node());
        let first = spawn!(|one, other| {
            drop((&*other, &*one).begin_unplug(Cause::Unbind).ok());
            // It may go on by itself, too.
            operate(&other.0);
        });
        let (registers, others) = (&*one, &*other).unplug(Cause::Unbind).unwrap();
        registers.destroy();
        others.destroy();
        first.join().unwrap();
    });
}

/// One device is unplugged by itself, and waited for; the operation that it waits for waits for one of the other device.
#[test]
fn a_group_against_an_unplug_of_one_of_its_devices() {
    super::bounded(2, || {
        let (waits, sleeps) = (node(), node());
        let operation = spawn!(|waits, sleeps| {
            let Ok(_outer) = waits.0.enter(op!("streamoff")) else { return };
            let Ok(access) = sleeps.0.enter(op!("dqbuf")) else { return };
            assert_eq!(access.read(), 7);
        });
        let alone = spawn!(|waits| waits.unplug(Cause::Unbind));
        let group = (&*waits, &*sleeps).unplug(Cause::Unbind);
        let alone = alone.join().unwrap();
        assert!(alone.is_ok() != group.is_ok(), "the resources come back once");
        for registers in alone.into_iter().chain(group.ok().into_iter().flat_map(|(one, other)| [one, other])) {
            registers.destroy();
        }
        operation.join().unwrap();
    });
}

/// Two operations that unplug each other's device. If both are let in, they wait for ever, which loom finds.
#[test]
fn of_two_that_would_wait_for_each_other_one_is_refused() {
    fn unplugs(mine: &Device, others: &Device) -> bool {
        let Ok(_access) = mine.enter(op!("ioctl")) else { return false };
        match others.alone().unplug(Cause::Unbind) {
            Ok(registers) => {
                registers.destroy();
                false
            }
            Err(UnplugError::Deadlock(_)) => true,
            Err(error) => panic!("{error}"),
        }
    }

    super::bounded(2, || {
        let (one, other) = (device(), device());
        let second = spawn!(|one, other| unplugs(&other, &one));
        let refused = [unplugs(&one, &other), second.join().unwrap()];
        assert_ne!(refused, [true, true]);
        [one, other].iter().filter(|device| !device.is_unplugged()).for_each(|device| unplug(device));
    });
}

/// A group sets the flag of a device whose role it does not get, and another unplug takes that role before the group has
/// passed its fence.
#[test]
fn a_device_that_was_flagged_without_its_role_is_fenced_with_it() {
    super::bounded(2, || {
        let (held, other) = (node(), node());
        let draining = held.begin_unplug(Cause::Unbind).unwrap();
        let group = spawn!(|held, other| (&*held, &*other).unplug(Cause::Unbind).map(drop));
        let operation = spawn!(|other| operate(&other.0));
        other.unplug(Cause::Unbind).unwrap().destroy();
        drop(draining);
        assert_eq!(group.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
        operation.join().unwrap();
        held.unplug(Cause::Unbind).unwrap().destroy();
    });
}

/// A device and its child.
struct Family(Node, Node);

impl Unpluggable for Family {
    type Resources = (Registers, Option<Registers>);

    fn parts(&self) -> impl Parts<Resources = Self::Resources> {
        (Part::of(&self.0), Part::child(&self.1))
    }
}

/// The child goes by itself or with its parent, and the parent goes in either case.
#[test]
fn a_parent_against_an_unplug_of_its_child() {
    super::bounded(2, || {
        let new = || Node(DeviceLifetime::new(Registers::new()));
        let family = Arc::new(Family(new(), new()));
        let alone = spawn!(|family| family.1.unplug(Cause::Unbind));
        let operation = spawn!(|family| operate(&family.1.0));
        let (parent, child) = family.unplug(Cause::Unbind).unwrap();
        let alone = alone.join().unwrap();
        assert!(alone.is_ok() != child.is_some(), "the child's resources come back once");
        parent.destroy();
        child.into_iter().chain(alone).for_each(|registers| registers.destroy());
        operation.join().unwrap();
    });
}

/// A device and its child, which has a child.
struct Clan(Node, Family);

impl Unpluggable for Clan {
    type Resources = (Registers, Option<(Registers, Option<Registers>)>);

    fn parts(&self) -> impl Parts<Resources = Self::Resources> {
        (Part::of(&self.0), Part::child(&self.1))
    }
}

/// The devices of the child go one after the other.
#[test]
fn a_parent_against_an_unplug_of_a_child_with_children() {
    super::bounded(2, || {
        let new = || Node(DeviceLifetime::new(Registers::new()));
        let clan = Arc::new(Clan(new(), Family(new(), new())));
        let alone = spawn!(|clan| clan.1.unplug(Cause::Unbind));
        let (parent, child) = clan.unplug(Cause::Unbind).unwrap();
        let alone = alone.join().unwrap();
        assert!(alone.is_ok() != child.is_some(), "the child's resources come back once");
        parent.destroy();
        for (child, grandchild) in child.into_iter().chain(alone) {
            child.destroy();
            grandchild.unwrap().destroy();
        }
    });
}
