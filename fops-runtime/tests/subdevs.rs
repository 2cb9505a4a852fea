//! A device is unplugged with its subdevs, whichever way it is unplugged.
#![cfg(feature = "std")]
mod common;

use common::eventually;
use fops_runtime::op::op;
use fops_runtime::{
    Access, Cause, Device as _, DeviceLifetime, Errno, Result, Subdev, SubdevOperations, Unplug, UnplugError,
    guarded_fops,
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

const ALL: (&str, (u8,)) = ("registers", (4,));

/// Unplugs in this way, and sees that the subdev has gone too.
#[track_caller]
fn takes_the_subdev(unplug: impl FnOnce(Vin) -> std::result::Result<(&'static str, (u8,)), UnplugError>) {
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

#[test]
fn a_subdev_that_is_in_use_here_refuses_the_whole() {
    let (csi2, vin) = vin();
    let access = csi2.lifetime().enter(op!("s_stream")).unwrap();
    assert_eq!(vin.unplug(Cause::Unbind), Err(UnplugError::Deadlock));
    assert!(!vin.lifetime.is_unplugged());
    drop(access);
    assert_eq!(vin.unplug(Cause::Unbind), Ok(ALL));
}
