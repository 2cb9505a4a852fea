//! Clones of the resources' handles that are left when the last section has ended.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, eventually};
use fops_runtime::op::op;
use fops_runtime::{Access, Cause, DeviceLifetime, Resources, Result, Unplug, Work, flush_log, guarded_fops};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

#[derive(Debug)]
struct Clock;

#[derive(Debug, Resources)]
struct Port {
    clock: Arc<Clock>,
}

/// Generic, with fields that are not looked at.
#[derive(Debug, Resources)]
struct Hw<T> {
    port: Port,
    spare: Option<Arc<str>>,
    lanes: Vec<Arc<Clock>>,
    #[resources(shared, reason = "it feeds other devices")]
    supply: Arc<u8>,
    other: T,
}

fn hw<T>(other: T) -> Hw<T> {
    Hw { port: Port { clock: Arc::new(Clock) }, spare: None, lanes: Vec::new(), supply: Arc::new(5), other }
}

macro_rules! device {
    ($name:ident $(<$generic:ident>)?, $resources:ty, $($escapes:tt)*) => {
        struct $name $(<$generic>)? {
            lifetime: DeviceLifetime<$resources>,
        }

        #[guarded_fops(lifetime = lifetime, default = guarded, unplug($($escapes)*))]
        impl $(<$generic: Send + Sync>)? $name $(<$generic>)? {
            fn clock(&self, #[access] hw: &Access<'_, $resources>) -> Result<Arc<Clock>> {
                Ok(hw.port.clock.clone())
            }
        }
    };
}
device!(Logs, Hw<Arc<str>>,);
device!(Panics, Hw<u8>, escapes = panic);
device!(Waits, Hw<u8>, escapes = wait);

fn escapes<R>(lifetime: &DeviceLifetime<R>) -> String {
    let report = lifetime.report();
    let escapes = report.stragglers().filter_map(|straggler| match straggler.work() {
        Work::Escape(escape) => Some(format!("{escape}\n")),
        _ => None,
    });
    escapes.collect()
}

#[test]
fn a_clone_is_waited_for_and_named() {
    let device = Waits { lifetime: DeviceLifetime::new(hw(0)) };
    let clock = device.clock().unwrap();
    let draining = device.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::from_millis(1)).unwrap_err();
    let text = escapes(&device.lifetime);
    let line = text.strip_prefix("`Port::clock` (fops-runtime/tests/escapes.rs:").expect(&text);
    let line = line.split_once("), ").expect(&text).1;
    assert_eq!(line, "an `alloc::sync::Arc<escapes::Clock>`, has a clone outside\n");
    // The second limit covers the wait too, and the line is not there twice.
    let draining = draining.wait_for(Duration::from_millis(1)).unwrap_err();
    assert_eq!(escapes(&device.lifetime), text);
    let report = draining.report().to_string();
    assert!(report.contains("has a clone outside, waited for "), "{report}");
    drop(clock);
    assert!(draining.wait_for(DEADLINE).is_ok());
    assert_eq!(escapes(&device.lifetime), "");
}

#[test]
fn an_unplug_without_a_limit_ends_with_the_last_clone() {
    let device = Waits { lifetime: DeviceLifetime::new(hw(0)) };
    let clock = device.clock().unwrap();
    std::thread::scope(|s| {
        let remover = s.spawn(|| device.unplug(Cause::Unbind).map(drop));
        eventually("the clone is waited for", || !escapes(&device.lifetime).is_empty());
        drop(clock);
        assert_eq!(remover.join().unwrap(), Ok(()));
    });
}

#[test]
fn who_gives_up_waits_for_no_clone() {
    let device = Waits { lifetime: DeviceLifetime::new(hw(0)) };
    let clock = device.clock().unwrap();
    drop(device.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err());
    assert_eq!(escapes(&device.lifetime), "");
    drop(clock);
    assert!(device.unplug(Cause::Unbind).is_ok());
}

/// The one that is told, of an unplug with this escape.
fn told(escape: impl FnOnce(&Hw<u8>) -> Box<dyn std::any::Any>) -> String {
    let mut hw = hw(0);
    hw.spare = Some("spare".into());
    hw.lanes = vec![Arc::new(Clock), Arc::new(Clock)];
    let device = Waits { lifetime: DeviceLifetime::new(hw) };
    let escaped = escape(&device.lifetime.enter(op!("escape")).unwrap());
    let draining = device.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::from_millis(1));
    let text = escapes(&device.lifetime);
    assert_eq!(draining.is_err(), !text.is_empty());
    drop(escaped);
    text.lines().map(|line| line.split_once(" (").unwrap().0.to_owned() + line.rsplit_once(',').unwrap().1).collect()
}

#[test]
fn what_is_looked_at() {
    let none = told(|_| Box::new(()));
    assert_eq!(none, "");
    let through_option = told(|hw| Box::new(hw.spare.clone()));
    assert_eq!(through_option, "`Hw::spare` has a clone outside");
    let through_vec = told(|hw| Box::new((hw.lanes[1].clone(), hw.lanes[1].clone())));
    assert_eq!(through_vec, "`Hw::lanes` has 2 clones outside");
    let shared = told(|hw| Box::new(hw.supply.clone()));
    assert_eq!(shared, "");
    let weak = told(|hw| Box::new(Arc::downgrade(&hw.port.clock)));
    assert_eq!(weak, "`Port::clock` has a weak handle outside");
    let both =
        told(|hw| Box::<(Weak<Clock>, Arc<Clock>)>::new((Arc::downgrade(&hw.port.clock), hw.port.clock.clone())));
    assert_eq!(both, "`Port::clock` has 1 clones and 1 weak handles outside");
}

#[test]
fn clones_within_the_resources_are_no_escapes() {
    let mut hw = hw(0);
    hw.lanes = vec![hw.port.clock.clone(), hw.port.clock.clone()];
    let device = Waits { lifetime: DeviceLifetime::new(hw) };
    assert!(device.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).is_ok());
}

#[test]
fn a_generic_field_is_looked_at_where_it_says_so() {
    #[derive(Resources)]
    struct Looks<T: Resources>(T);

    let device = Rc::new(0_u8);
    struct Device(DeviceLifetime<Looks<Rc<u8>>>);
    #[guarded_fops(lifetime = 0, resources = Looks<Rc<u8>>, unplug(escapes = wait))]
    impl Device {}
    let waits = Device(DeviceLifetime::new(Looks(device.clone())));
    assert!(waits.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).is_err());
    drop(device);
    assert!(waits.unplug(Cause::Unbind).is_ok());
}

#[test]
#[cfg(debug_assertions)]
fn a_test_may_ask_for_a_panic() {
    let device = Panics { lifetime: DeviceLifetime::new(hw(0)) };
    let clock = device.clock().unwrap();
    let unplug = || device.unplug(Cause::Unbind).map(drop);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(unplug)).is_err());
    // The resources are in place.
    drop(clock);
    assert_eq!(device.unplug(Cause::Unbind).unwrap().other, 0);
}

#[test]
fn by_default_the_log_names_field_type_and_device() {
    // With the feature, the line goes to `tracing`. The tests with default features see it.
    if cfg!(feature = "tracing") {
        return;
    }
    // A child of this test: its log is the standard error stream.
    if std::env::var_os("FOPS_ESCAPES").is_none() {
        let test = "by_default_the_log_names_field_type_and_device";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("FOPS_ESCAPES", "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stderr);
        let lines: Vec<_> = text.lines().filter(|line| line.contains("gives its resources back")).collect();
        assert!(child.status.success() && lines.len() == 1, "{text}");
        for part in [
            "escapes::Logs (device ",
            "`Port::clock` (fops-runtime/tests/escapes.rs:",
            "Arc<escapes::Clock>",
            "a clone",
        ] {
            assert!(lines[0].contains(part), "no {part} in {text}");
        }
        return;
    }
    let device = Logs { lifetime: DeviceLifetime::new(hw(Arc::from("not looked at"))) };
    let escaped = (device.clock().unwrap(), device.lifetime.enter(op!("other")).unwrap().other.clone());
    assert!(device.unplug(Cause::Unbind).is_ok());
    drop(escaped);
    assert!(flush_log(DEADLINE));
}
