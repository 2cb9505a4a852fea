//! Interrupts come until the very end, and once more: an interrupt, work or timer section entered by hand is drained and
//! named as any other, and one that comes after the flag is refused.
use fops_host::{Driver, Probe};
use fops_runtime::op::op;
use fops_runtime::{DeviceLifetime, File, FileOperations, OpenFlags, Result, guarded_fops};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use system_tests::{
    Act, Brake, DEADLINE, Sleeper, bus_with, check, driver_of, eventually, hosts, machine_with, node, torn_down, vin,
};

const VINS: [&str; 2] = ["e6ef0000.video", "e6ef1000.video"];
const ROUNDS: usize = 20;

/// Ends the storm, if a test fails too.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn interrupts_storm_through_unplug_and_none_is_late() {
    for host in hosts(|| machine_with(&VINS)) {
        let machine = host.machine();
        let (end, vin) = (AtomicBool::new(false), vin(machine, VINS[0]));
        let raised = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !end.load(SeqCst) {
                    vin.raise_irq();
                    raised.fetch_add(1, SeqCst);
                    // Who takes turns with the hardware must leave it some.
                    thread::yield_now();
                }
            });
            let ending = Ending(&end);
            for round in 0..ROUNDS {
                let device = if round % 2 == 0 { VINS[0] } else { rcar_vin::csi2::CSI2_DEVICE };
                let streamer = host.client(Act::Stream, machine.bus.nodes(VINS[0])[0].name());
                host.unbind(device);
                // The last to be handled is counted when its handler has returned: this one waits for that.
                vin.raise_irq();
                let handled = vin.interrupts();
                streamer.meets_its_fate();
                // It is there, or it is bound without a node: nobody takes it, and nobody is hurt.
                let before = raised.load(SeqCst);
                eventually("some more come", || raised.load(SeqCst) > before + 10);
                assert_eq!(vin.interrupts(), handled, "{}: {device}", host.name());
                host.bind(device);
            }
            drop(ending);
        });
        host.client(Act::Check, machine.bus.nodes(VINS[0])[0].name()).meets_its_fate();
        check(machine);
    }
}

#[test]
fn one_that_comes_during_the_drain_is_refused() {
    for host in hosts(|| machine_with(&VINS)) {
        let machine = host.machine();
        let (device, vin) = (VINS[0], vin(machine, VINS[0]));
        let name = machine.bus.nodes(device)[0].name().to_owned();
        let streamer = host.client(Act::Stream, &name);
        // The handler of the other VIN is its own affair.
        let other = host.client(Act::Stream, machine.bus.nodes(VINS[1])[0].name());
        let brake = Brake::new(machine.devices.open(&name, OpenFlags::RDWR).unwrap());
        // An interrupt is inside, where the unplug has to wait for it ..
        brake.hold();
        let removal = machine.bus.unbind(driver_of(device), device).unwrap();
        eventually("it is waited for, by name", || {
            let stragglers = removal.stragglers();
            stragglers.lines().count() == 1
                && ["rvin_irq (", "dma.rs:", "waited for"].iter().all(|part| stragglers.contains(part))
        });
        assert!(node(&machine.bus, &name).is_unplugged());
        assert_eq!(removal.wait_for(Duration::ZERO), Ok(None));
        assert!(vin.dma_mappings() > 0 && vin.ioremap().is_err(), "freed while an interrupt is inside");
        let (handled, unhandled) = (vin.interrupts(), vin.unhandled_interrupts());
        // .. and the next one waits for the line, as one that was raised a moment too late.
        let late = Sleeper::start("a late interrupt", {
            let vin = vin.clone();
            move || vin.raise_irq()
        });
        brake.release();
        torn_down(&removal);
        late.join();
        // The one that was inside was handled to its end; the other found nobody, by the flag or by free_irq.
        assert_eq!(vin.interrupts(), handled + 1);
        assert!(vin.unhandled_interrupts() > unhandled);
        streamer.meets_its_fate();
        other.goes_on();
        drop(brake);
        vin.raise_irq();
        assert_eq!(vin.interrupts(), handled + 1);
        host.bind(device);
        host.unbind(VINS[1]);
        other.meets_its_fate();
        check(machine);
    }
}

/// A device whose timer looks at it from time to time: nothing of the driver's knows when it does.
struct Watchdog {
    lifetime: DeviceLifetime<Registers>,
}

/// Resources that say when they are freed.
struct Registers(Arc<AtomicUsize>);

impl Drop for Registers {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Registers)]
impl FileOperations for Watchdog {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

impl Watchdog {
    /// The timer's function. Whether it may come again.
    fn expire(&self, inside: impl FnOnce()) -> bool {
        let Ok(hw) = self.lifetime.enter(op!("watchdog")) else { return false };
        assert_eq!(hw.0.load(SeqCst), 0, "freed while it is in use");
        inside();
        assert_eq!(hw.0.load(SeqCst), 0, "freed while it was in use");
        true
    }
}

struct WatchdogDriver {
    freed: Arc<AtomicUsize>,
    /// For the timer: the device that was bound.
    bound: Mutex<Sender<Arc<Watchdog>>>,
}

impl Driver for WatchdogDriver {
    type Device = Watchdog;

    fn name(&self) -> &str {
        "watchdog"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Watchdog>> {
        let device = Arc::new(Watchdog { lifetime: DeviceLifetime::new(Registers(self.freed.clone())) });
        probe.register_node("watchdog", &device, None);
        self.bound.lock().unwrap().send(device.clone()).unwrap();
        Ok(device)
    }
}

fn hold(inside: &Sender<()>, leave: &Receiver<()>) {
    inside.send(()).unwrap();
    leave.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn a_timer_that_is_inside_is_drained_and_named() {
    let (freed, (send, bound)) = (Arc::new(AtomicUsize::new(0)), channel());
    let bus = bus_with(WatchdogDriver { freed: freed.clone(), bound: Mutex::new(send) }, "watchdog.0");
    bus.bind("watchdog", "watchdog.0").unwrap();
    let device = bound.recv().unwrap();
    let ((inside, is_inside), (leave, may_leave)) = (channel(), channel());
    let timer = Sleeper::awake("timer", move || {
        assert!(device.expire(|| ()));
        assert!(device.expire(|| hold(&inside, &may_leave)));
        device.expire(|| unreachable!("the device is gone"))
    });
    is_inside.recv_timeout(DEADLINE).unwrap();
    let removal = bus.unbind("watchdog", "watchdog.0").unwrap();
    eventually("it is waited for", || {
        let stragglers = removal.stragglers();
        stragglers.contains("watchdog (") && stragglers.contains("waited for")
    });
    let report = removal.stragglers();
    assert!(report.contains("interrupts.rs:") && report.contains("\"timer\""), "{report}");
    assert_eq!((removal.wait_for(Duration::ZERO), freed.load(SeqCst)), (Ok(None), 0));
    leave.send(()).unwrap();
    torn_down(&removal);
    assert_eq!(freed.load(SeqCst), 1);
    assert!(!timer.join(), "refused");
}
