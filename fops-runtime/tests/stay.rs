//! An operation that was declared brief is named as such when it keeps an unplug waiting for longer.
#![cfg(feature = "std")]
use fops_runtime::{Cause, DeviceLifetime, Op, Stay, Unplug};
use std::time::Duration;

#[test]
fn a_brief_operation_that_is_not_is_named() {
    let lifetime = DeviceLifetime::new(());
    std::thread::scope(|s| {
        let (entered, is_inside) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let lifetime = &lifetime;
        s.spawn(move || {
            let brief = lifetime.enter(const { &Op::guarded("Dev", "brief").brief() }).unwrap();
            let sleeps = lifetime.enter(const { &Op::guarded("Dev", "sleeps").sleeps() }).unwrap();
            entered.send(()).unwrap();
            let _ = ended.recv();
            drop((sleeps, brief));
        });
        is_inside.recv().unwrap();
        assert!(!lifetime.report().to_string().contains("declared"));
        let alone = lifetime.alone();
        let draining = alone.begin_unplug(Cause::Unbind).unwrap();
        let late = draining.wait_for(Stay::BRIEF + Duration::from_millis(1)).unwrap_err();
        let report = late.report().to_string();
        let named: Vec<_> = report.lines().filter(|line| line.contains(", declared brief, waited for ")).collect();
        assert!(matches!(&*named, [line] if line.starts_with("Dev::brief (")), "{report}");
        drop(end);
        late.wait();
    });
}
