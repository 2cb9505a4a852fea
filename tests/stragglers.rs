//! An unplug that an operation holds up names it, frees nothing, and completes when it ends, whoever waits for it.
use fops_host::{Bus, Driver, Probe};
use fops_runtime::{
    Access, Command, DeviceLifetime, Direction, Errno, File, FileOperations, Guarded, IoctlArg, OpTable, OpenFlags,
    Result, guarded_fops,
};
use rcar_vin::client::Role;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use system_tests::{
    Client, DEADLINE, Served, Sleeper, bus_with, capture_log, echo, eventually, falls_asleep, logged, node,
    parse_duration, torn_down, wait_for_exit,
};

/// Resources that say when they are freed.
struct Registers(Arc<AtomicUsize>);

impl Drop for Registers {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Its ioctl blocks where nobody can wake it.
struct Wedge {
    lifetime: DeviceLifetime<Registers>,
    inside: Arc<AtomicUsize>,
    blocked: Arc<Mutex<Receiver<i32>>>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Wedge {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn ioctl(&self, #[access] hw: &Access<'_, Registers>, _: &File, _: Command, _: IoctlArg<'_>) -> Result<i32> {
        self.inside.fetch_add(1, SeqCst);
        let value = self.blocked.lock().unwrap().recv().map_err(|_| Errno::EIO)?;
        assert_eq!(hw.0.load(SeqCst), 0, "freed while it was in use");
        Ok(value)
    }
}

struct WedgeDriver {
    freed: Arc<AtomicUsize>,
    inside: Arc<AtomicUsize>,
    blocked: Arc<Mutex<Receiver<i32>>>,
}

impl Driver for WedgeDriver {
    type Device = Wedge;

    fn name(&self) -> &str {
        "wedge"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Wedge>> {
        let lifetime = DeviceLifetime::new(Registers(self.freed.clone()));
        let device = Arc::new(Wedge { lifetime, inside: self.inside.clone(), blocked: self.blocked.clone() });
        probe.register_node("wedge", &device, None);
        Ok(device)
    }
}

struct Wedged {
    bus: Arc<Bus>,
    freed: Arc<AtomicUsize>,
    /// How often the ioctl was entered.
    inside: Arc<AtomicUsize>,
    /// What the ioctl returns, when it is to return.
    end: Sender<i32>,
}

fn wedged() -> Wedged {
    capture_log();
    let (freed, inside, (end, blocked)) = (Arc::default(), Arc::default(), channel());
    let blocked = Arc::new(Mutex::new(blocked));
    let driver = WedgeDriver { freed: Arc::clone(&freed), inside: Arc::clone(&inside), blocked };
    let bus = bus_with(driver, "wedge.0");
    bus.bind("wedge", "wedge.0").unwrap();
    Wedged { bus, freed, inside, end }
}

/// The line of the ioctl above: `stragglers.rs:40`.
fn ioctl_line() -> String {
    let lines = include_str!("stragglers.rs").lines();
    format!("stragglers.rs:{}", lines.take_while(|line| !line.contains("fn ioctl(")).count() + 1)
}

/// How long the report says that the unplug waits.
fn waited(report: &str) -> Option<Duration> {
    parse_duration(report.split_once("waited for ")?.1.lines().next()?)
}

#[test]
fn an_operation_that_hangs_is_named_and_nothing_is_freed() {
    let Wedged { bus, freed, end, .. } = wedged();
    let file = bus.devices().open("wedge0", OpenFlags::RDWR).unwrap();
    let command = Command::new(Direction::Write, b'T', 1, 4);
    let caller = Sleeper::start("wedged caller", move || file.ioctl(command, &mut [0; 4]));
    let removal = bus.unbind("wedge", "wedge.0").unwrap();
    eventually("the unplug waits", || removal.stragglers().contains("waited for"));
    let report = removal.stragglers();
    for part in ["Wedge::ioctl (", &ioctl_line(), "thread ", "\"wedged caller\""] {
        assert!(report.contains(part), "no {part} in {report:?}");
    }
    assert_eq!(report.lines().count(), 1, "{report}");
    eventually("the time goes on", || waited(&removal.stragglers()) > Some(Duration::from_millis(200)));
    assert_eq!(freed.load(SeqCst), 0);
    assert_eq!(removal.wait_for(Duration::ZERO), Ok(None));

    end.send(3).unwrap();
    assert_eq!(caller.join(), Ok(3));
    assert!(torn_down(&removal) >= Duration::from_millis(200));
    assert_eq!(freed.load(SeqCst), 1);
}

#[test]
fn the_table_of_operations_has_the_line_too() {
    let ops = <Wedge as Guarded<{ OpTable::key("FileOperations") }>>::OPS;
    let ioctl = ops.iter().find(|op| op.name() == "ioctl").unwrap();
    assert!(ioctl.to_string().contains(&ioctl_line()), "{ioctl}");
}

#[test]
fn a_killed_unbind_goes_on_in_the_background_and_names_the_client() {
    let Wedged { bus, freed, inside, end } = wedged();
    let Some(served) = Served::new(&bus) else { return };
    // The client asks for the format before it is ready: it never is.
    let client = Client::start(Role::Hold, &served.node("wedge0"));
    eventually("the client's ioctl begins", || inside.load(SeqCst) == 1);
    let old = node(&bus, "wedge0");
    let mut shell = echo("wedge.0", &served.attribute("wedge", "unbind"));
    eventually("the unplug begins", || old.is_unplugged());
    falls_asleep("the shell that waits for it", shell.id());
    shell.kill().unwrap();
    assert_eq!(wait_for_exit("the killed shell", &mut shell).signal(), Some(9));

    // A second unbind is given the removal that is under way.
    let removal = bus.unbind("wedge", "wedge.0").unwrap();
    let report = removal.stragglers();
    let client_name = format!("client {} (rcar-vin)", client.pid());
    for part in ["Wedge::ioctl (", &ioctl_line(), "thread ", &client_name, "waited for "] {
        assert!(report.contains(part), "no {part} in {report:?}");
    }
    // The log says so too, without being asked.
    eventually("the report is in the log", || logged(&["Wedge::ioctl", &client_name]));
    assert!(logged(&["WARN", "wedge.0", "unbind"]));
    assert_eq!(freed.load(SeqCst), 0);
    assert_eq!(bus.bind("wedge", "wedge.0"), Err(Errno::EBUSY));

    end.send(0).unwrap();
    torn_down(&removal);
    assert_eq!(freed.load(SeqCst), 1);
    client.kill();
    eventually("the node goes", || bus.devices().all().is_empty());
    bus.bind("wedge", "wedge.0").unwrap();
    assert!(removal.wait_for(DEADLINE).unwrap().is_some());
}
