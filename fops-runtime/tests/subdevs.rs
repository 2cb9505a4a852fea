//! A device is unplugged with its subdevs, whichever way it is unplugged.
#![cfg(feature = "std")]
mod common;

use common::eventually;
use fops_runtime::op::op;
use fops_runtime::{
    Access, Cause, Device as _, DeviceLifetime, Errno, Part, Parts, Result, Subdev, SubdevOperations, Unplug,
    UnplugError, Unpluggable, guarded_fops,
};
use std::sync::Arc;
use std::time::Duration;

struct Csi2 {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl SubdevOperations for Csi2 {
    fn s_stream(&self, #[access] _lanes: &Access<'_, u8>, _enable: bool) -> Result {
        Ok(())
    }
    fn release(self) {}
}

struct Vin {
    lifetime: DeviceLifetime<&'static str>,
    csi2: Subdev<Csi2>,
}

#[guarded_fops(lifetime = lifetime, resources = &'static str, unplug(subdevs(csi2 = Csi2)), default = guarded)]
impl Vin {
    fn start(&self) -> Result {
        self.csi2.s_stream(true)
    }
}

fn vin() -> (Subdev<Csi2>, Vin) {
    let csi2 = Subdev::new(Csi2 { lifetime: DeviceLifetime::new(4) });
    (csi2.clone(), Vin { lifetime: DeviceLifetime::new("registers"), csi2 })
}

const ALL: (&str, (Option<u8>,)) = ("registers", (Some(4),));

/// Unplugs in this way, and sees that the subdev has gone too.
#[track_caller]
fn takes_the_subdev(unplug: impl FnOnce(Vin) -> std::result::Result<(&'static str, (Option<u8>,)), UnplugError>) {
    let (csi2, vin) = vin();
    assert_eq!(vin.start(), Ok(()));
    assert_eq!(unplug(vin), Ok(ALL));
    assert!(csi2.lifetime().is_unplugged());
    assert_eq!(csi2.s_stream(true), Err(Errno::ENODEV));
}

#[test]
fn by_hand() {
    takes_the_subdev(|vin| vin.unplug(Cause::Unbind));
    takes_the_subdev(|vin| Ok(vin.begin_unplug(Cause::Unbind)?.wait()));
}

#[test]
fn through_a_generic_bound() {
    fn generic<D: Unplug>(device: &D) -> std::result::Result<D::Resources, UnplugError> {
        device.unplug(Cause::Unbind)
    }
    takes_the_subdev(|vin| generic(&vin));
    takes_the_subdev(|vin| Unplug::unplug(&vin, Cause::Unbind));
    takes_the_subdev(|vin| generic(&Arc::new(vin)));
}

#[test]
fn in_a_group() {
    takes_the_subdev(|vin| (&vin,).unplug(Cause::Unbind).map(|(all,)| all));
    takes_the_subdev(|vin| vec![vin].unplug(Cause::Unbind).map(|mut all| all.remove(0)));
    let ((first, one), (second, two)) = (vin(), vin());
    assert_eq!((&one, &two).unplug(Cause::Unbind), Ok((ALL, ALL)));
    assert_eq!([first.s_stream(true), second.s_stream(true)], [Err(Errno::ENODEV); 2]);
}

#[test]
fn with_a_deadline() {
    takes_the_subdev(|vin| {
        let draining = vin.begin_unplug(Cause::Unbind)?;
        Ok(draining.wait_for(Duration::ZERO).expect("nobody is inside"))
    });
    // An operation of the subdev alone is waited for, and named.
    let (csi2, vin) = vin();
    let access = csi2.lifetime().enter(op!("s_stream")).unwrap();
    let draining = std::thread::scope(|s| {
        let waited = || {
            let draining = vin.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err();
            draining.report().to_string()
        };
        s.spawn(waited).join().unwrap()
    });
    assert!(draining.contains("s_stream"), "{draining}");
    drop(access);
    assert_eq!(vin.unplug(Cause::Unbind), Ok(ALL));
}

#[test]
fn by_whoever_takes_over() {
    let (csi2, vin) = vin();
    let access = csi2.lifetime().enter(op!("s_stream")).unwrap();
    std::thread::scope(|s| {
        let first = s.spawn(|| drop(vin.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err()));
        first.join().unwrap();
        let second = s.spawn(|| vin.unplug(Cause::Unbind));
        eventually("it is waited for", || vin.report().to_string().contains("s_stream"));
        drop(access);
        assert_eq!(second.join().unwrap(), Ok(ALL));
    });
}

#[cfg(feature = "async")]
#[test]
fn from_a_task() {
    use fops_runtime::UnplugAsync as _;
    takes_the_subdev(|vin| futures_executor::block_on(vin.unplug_async(Cause::Unbind)));
    takes_the_subdev(|vin| {
        futures_executor::block_on(async { Ok(vin.begin_unplug_async(Cause::Unbind).await?.await) })
    });
    takes_the_subdev(|vin| futures_executor::block_on((&vin,).unplug_async(Cause::Unbind)).map(|(all,)| all));
}

/// The parent goes without it, whichever way it goes.
#[test]
fn a_subdev_that_was_unplugged_by_itself_does_not_keep_its_parent() {
    let without: (_, (Option<u8>,)) = ("registers", (None,));
    let gone = || {
        let (csi2, vin) = vin();
        assert_eq!(csi2.unplug(Cause::SurpriseRemoval), Ok(4));
        vin
    };
    assert_eq!(gone().unplug(Cause::Unbind), Ok(without));
    let (one, (_, other)) = (gone(), vin());
    assert_eq!(vec![&one, &other].unplug(Cause::Unbind), Ok(vec![without, ALL]));
    // Its cause was its own.
    assert_eq!(one.cause(), Some(Cause::Unbind));
    // It is no member of its own: a group that names it is refused, and so is a second unplug of the parent.
    let (one, two) = (gone(), gone());
    assert_eq!((&one, &two.csi2).unplug(Cause::Unbind), Err(UnplugError::AlreadyUnplugged));
    assert_eq!(one.unplug(Cause::Unbind), Ok(without));
    assert_eq!(one.unplug(Cause::Unbind), Err(UnplugError::AlreadyUnplugged));
}

#[cfg(feature = "async")]
#[test]
fn a_subdev_that_was_unplugged_by_itself_does_not_keep_a_task() {
    use fops_runtime::UnplugAsync as _;
    let (csi2, vin) = vin();
    assert_eq!(csi2.unplug(Cause::Unbind), Ok(4));
    assert_eq!(futures_executor::block_on(vin.unplug_async(Cause::Unbind)), Ok(("registers", (None,))));
}

/// An operation keeps the subdev's own unplug waiting when that of the parent begins.
#[test]
fn a_subdev_that_is_being_unplugged_by_itself_is_waited_for() {
    let (csi2, vin) = vin();
    let access = csi2.lifetime().enter(op!("s_stream")).unwrap();
    std::thread::scope(|s| {
        let alone = s.spawn(|| csi2.unplug(Cause::Unbind));
        eventually("it is waited for", || csi2.report().to_string().contains("waited for"));
        let whole = s.spawn(|| vin.unplug(Cause::Unbind));
        eventually("the parent waits for its role", || vin.lifetime.report().to_string().contains("role"));
        drop(access);
        assert_eq!(alone.join().unwrap(), Ok(4));
        assert_eq!(whole.join().unwrap(), Ok(("registers", (None,))));
    });
}

/// Both at once: the subdev's resources come back to one of them, and the parent's always to the parent's unplug.
#[test]
fn of_an_unplug_of_both_and_one_of_the_subdev_each_gets_its_own() {
    let _watchdog = common::watchdog("an unplug of the whole against one of the subdev");
    for _ in 0..common::rounds(20_000) {
        let (csi2, vin) = vin();
        let start = std::sync::Barrier::new(2);
        let (alone, whole) = std::thread::scope(|s| {
            let alone = s.spawn(|| {
                start.wait();
                csi2.unplug(Cause::Unbind)
            });
            start.wait();
            let whole = vin.unplug(Cause::Unbind);
            (alone.join().unwrap(), whole)
        });
        let ("registers", (lanes,)) = whole.unwrap() else { unreachable!() };
        match lanes {
            Some(4) => assert_eq!(alone, Err(UnplugError::AlreadyUnplugged)),
            None => assert_eq!(alone, Ok(4)),
            Some(other) => panic!("{other}"),
        }
    }
}

/// Half of a child has gone: nobody could be given the other half, so the whole is refused, and stays to be unplugged.
#[test]
fn a_child_half_of_which_has_gone_refuses_the_whole() {
    struct Pair(DeviceLifetime<u8>, DeviceLifetime<u8>);
    impl Unpluggable for Pair {
        type Resources = (u8, u8);
        fn parts(&self) -> impl Parts<Resources = (u8, u8)> {
            (self.0.alone().parts(), self.1.alone().parts())
        }
    }
    struct Parent(DeviceLifetime<&'static str>, Pair);
    impl Unpluggable for Parent {
        type Resources = (&'static str, Option<(u8, u8)>);
        fn parts(&self) -> impl Parts<Resources = Self::Resources> {
            (self.0.alone().parts(), Part::child(&self.1))
        }
    }
    let pair = Pair(DeviceLifetime::new(1), DeviceLifetime::new(2));
    let parent = Parent(DeviceLifetime::new("registers"), pair);
    assert_eq!(parent.1.0.alone().unplug(Cause::Unbind), Ok(1));
    assert_eq!(parent.unplug(Cause::Unbind), Err(UnplugError::AlreadyUnplugged));
    assert_eq!(parent.1.1.alone().unplug(Cause::Unbind), Ok(2));
    assert_eq!(parent.unplug(Cause::Unbind), Ok(("registers", None)));
}

#[test]
fn a_subdev_that_is_in_use_here_refuses_the_whole() {
    let (csi2, vin) = vin();
    let access = csi2.lifetime().enter(op!("s_stream")).unwrap();
    assert!(matches!(vin.unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
    assert!(!vin.lifetime.is_unplugged());
    drop(access);
    assert_eq!(vin.unplug(Cause::Unbind), Ok(ALL));
}
