//! A driver that waits: in `remove` and in probe for files to be closed, and in its own destructor for a thread.
use crate::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

#[derive(Clone, Copy, PartialEq)]
enum Waits {
    Never,
    InRemove,
    InProbe,
    InDrop,
    PanicsInDrop,
}

/// The open files of all devices.
#[derive(Default)]
struct Users {
    number: Mutex<usize>,
    changed: Condvar,
}

impl Users {
    fn add(&self, number: isize) {
        let mut users = self.number.lock().unwrap();
        *users = users.checked_add_signed(number).unwrap();
        self.changed.notify_all();
    }

    fn wait_for_none(&self) {
        drop(self.changed.wait_while(self.number.lock().unwrap(), |users| *users > 0).unwrap());
    }
}

struct Sensor {
    lifetime: DeviceLifetime<()>,
    users: Arc<Users>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        self.users.add(1);
        Ok(())
    }

    #[fop(always)]
    fn release(&self, _: File) {
        self.users.add(-1);
    }
}

struct Sensors {
    waits: Waits,
    users: Arc<Users>,
    worker: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Sensors {
    fn new(waits: Waits) -> Self {
        let (stop, stopped): (_, Receiver<()>) = channel();
        let worker = thread::spawn(move || {
            let _ = stopped.recv();
        });
        Self { waits, users: Arc::default(), worker: Some((stop, worker)) }
    }
}

impl Driver for Sensors {
    type Device = Sensor;

    fn name(&self) -> &str {
        "sensors"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        if self.waits == Waits::InProbe {
            self.users.wait_for_none();
        }
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(()), users: self.users.clone() });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    }

    fn remove(&self, _: &Arc<Sensor>, (): (), _: Cause) {
        if self.waits == Waits::InRemove {
            self.users.wait_for_none();
        }
    }
}

impl Drop for Sensors {
    fn drop(&mut self) {
        let Some((stop, worker)) = self.worker.take() else { return };
        if self.waits != Waits::InDrop {
            drop(stop);
            let _ = worker.join();
        } else {
            // In the wrong order.
            let _ = worker.join();
            drop(stop);
        }
        assert!(self.waits != Waits::PanicsInDrop, "the worker is well");
    }
}

fn report(waits: Waits) -> Report {
    Hotplug::of(move || Sensors::new(waits), "sensor.0").act("open", |node| node.open().map(drop)).run()
}

#[test]
fn wrong_in_remove() {
    let report = report(Waits::InRemove);
    let finding = finds(&report, "the removal does not end: it waits for the driver's remove");
    assert!(finding.help.contains("`remove`"), "{finding}");
}

#[test]
fn wrong_in_probe() {
    let report = report(Waits::InProbe);
    finds(&report, "bind hangs: the thread sleeps in futex(2)");
}

#[test]
fn wrong_in_its_destructor() {
    let report = report(Waits::InDrop);
    finds(&report, "the driver's destructor hangs: the thread sleeps in futex(2)");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn wrong_its_destructor_panics() {
    let report = report(Waits::PanicsInDrop);
    finds(&report, "the driver's destructor panics");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(Waits::Never).assert();
}
