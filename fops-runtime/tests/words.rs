//! What is said to people: errors, causes, reports, and what `{:?}` shows.
#![cfg(feature = "std")]
mod common;

use common::Device;
use fops_runtime::op::op;
use fops_runtime::{Cause, Client, DeviceLifetime, Request, Unplug, UnplugError, Unplugged, WaitError, WaitQueue};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn errors_and_causes_say_what_they_are() {
    assert_eq!(Unplugged.to_string(), "the device is unplugged");
    assert_eq!(UnplugError::AlreadyUnplugged.to_string(), "the device was unplugged by somebody else");
    assert_eq!(WaitError::Unplugged.to_string(), Unplugged.to_string());
    assert_eq!(WaitError::Interrupted.to_string(), "interrupted by a signal");
    let causes = [Cause::Unbind, Cause::Removal, Cause::SurpriseRemoval];
    assert_eq!(causes.map(|cause| cause.to_string()), ["unbind", "removal", "surprise removal"]);
    assert_eq!(causes.map(Cause::hardware_present), [true, true, false]);
}

#[test]
fn a_report_has_a_line_for_each_straggler_and_names_the_client() {
    let device = Device::new();
    // A process that there is not.
    let client = Client::new(u32::MAX, 0, 0);
    let request = Request::new(Some(client));
    assert_eq!(request.client(), Some(client));
    request.run(|| {
        assert_eq!(device.lifetime.report().to_string(), "nothing in flight");
        assert_eq!(device.lifetime.unplug_began(), None);
        let first = device.lifetime.enter(op!("first")).unwrap();
        let second = device.lifetime.enter(op!("second")).unwrap();
        // Before anybody waits for them, too.
        let text = device.lifetime.report().to_string();
        assert!(text.lines().count() == 2 && !text.contains("waited for"), "{text}");
        assert!(device.lifetime.report().stragglers().all(|straggler| straggler.waited().is_none()));
        std::thread::scope(|scope| {
            let remover = || drop(device.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err());
            scope.spawn(remover).join().unwrap();
        });
        assert!(device.lifetime.unplug_began().is_some());
        let report = device.lifetime.report();
        let text = report.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].contains("first") && lines[1].contains("second"), "{text}");
        assert!(lines.iter().all(|line| line.contains("client 4294967295, waited for")), "{text}");
        assert!(report.stragglers().all(|straggler| straggler.client() == Some(client)));
        drop((first, second));
    });
    drop(device.unplug(Cause::Unbind).unwrap());
}

/// The thread that opened it serves another client by now.
#[test]
fn an_owned_section_is_named_as_such_and_without_a_client() {
    let lifetime = Arc::new(DeviceLifetime::new(5));
    let access = lifetime.enter_owned(op!("transfer")).unwrap();
    Request::new(Some(Client::new(u32::MAX, 0, 0))).run(|| {
        let report = lifetime.report();
        let text = report.to_string();
        assert!(text.contains("transfer") && text.contains(", owned, opened by thread "), "{text}");
        assert!(!text.contains(", client"), "{text}");
        assert!(report.stragglers().all(|straggler| straggler.is_owned() && straggler.client().is_none()));
    });
    drop(access);
}

#[test]
#[cfg(target_os = "linux")]
fn a_client_that_runs_is_named() {
    let client = Client::new(std::process::id(), 0, 0);
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_eq!(client.to_string(), format!("{} ({})", client.pid, name.trim_end()));
}

#[test]
fn debug_names_the_device_and_what_it_is_doing() {
    let lifetime = Arc::new(DeviceLifetime::new(5));
    let id = lifetime.id();
    assert_eq!(format!("{lifetime:?}"), format!("DeviceLifetime {{ id: {id}, phase: Plugged, .. }}"));
    assert_eq!(format!("{:?}", lifetime.enter(op!("debug")).unwrap()), format!("Access {{ device: {id}, .. }}"));
    let access = lifetime.enter_owned(op!("debug")).unwrap();
    assert_eq!(format!("{access:?}"), format!("OwnedAccess {{ device: {id}, .. }}"));
    assert_eq!(format!("{:?}", access.on_unplug(|| ())), format!("OnUnplug {{ device: {id}, .. }}"));
    let pending = access.into_pending((), |_, ()| ());
    assert_eq!(format!("{pending:?}"), format!("Pending {{ device: {id}, .. }}"));
    drop(pending);
    assert_eq!(format!("{:?}", WaitQueue::new()), "WaitQueue { sections: 0, pollers: 0 }");
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap();
    assert_eq!(format!("{draining:?}"), "Draining([])");
    assert_eq!(draining.wait(), 5);
    assert_eq!(format!("{lifetime:?}"), format!("DeviceLifetime {{ id: {id}, phase: Gone, .. }}"));
}

#[test]
#[cfg(feature = "async")]
fn debug_of_futures() {
    use fops_runtime::UnplugAsync as _;
    let lifetime = Arc::new(DeviceLifetime::new(5));
    let id = lifetime.id();
    let section = lifetime.section(op!("debug"), async |access| *access);
    assert_eq!(format!("{section:?}"), format!("Section {{ device: {id}, .. }}"));
    assert_eq!(format!("{:?}", lifetime.until_unplugged()), format!("UntilUnplugged {{ device: {id}, .. }}"));
    let draining = futures_executor::block_on(lifetime.alone().begin_unplug_async(Cause::Unbind)).unwrap();
    assert_eq!(format!("{draining:?}"), "DrainingAsync([])");
    assert_eq!(futures_executor::block_on(draining), 5);
}
