//! A timer that the stop hook forgets: it fires when the registers are gone.
use crate::prelude::*;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Looks at the chip every millisecond, until it is dropped.
struct Timer(Option<Sender<()>>, Option<JoinHandle<()>>);

impl Timer {
    fn start(hardware: &Arc<Hardware>) -> Self {
        let (stop, stopped) = channel();
        let chip = Arc::downgrade(hardware);
        let fires = move || {
            while stopped.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout)
                && let Some(chip) = chip.upgrade()
            {
                chip.touch();
            }
        };
        Self(Some(stop), Some(thread::spawn(fires)))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        drop(self.0.take());
        let _ = self.1.take().map(JoinHandle::join);
    }
}

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    timer: Mutex<Option<Timer>>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        if !self.is_wrong {
            drop(self.timer.lock().unwrap().take());
        }
    }
}

fn report(is_wrong: bool) -> Report {
    let probe = hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        let timer = Mutex::new(Some(Timer::start(hardware)));
        Ok(Arc::new(Sensor { lifetime, is_wrong, timer }))
    });
    // A file that is open keeps the structure, and the timer in it.
    probe.act("open", |node| node.open().map(drop)).run()
}

#[test]
fn wrong() {
    finds(&report(true), "accesses to registers that were unmapped");
}

#[test]
fn right() {
    report(false).assert();
}
