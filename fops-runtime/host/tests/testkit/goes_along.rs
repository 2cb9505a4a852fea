//! A hub that a port depends on: the node of the port goes with the hub, and comes back with it. The port stays bound.
use crate::prelude::*;

/// Of the hub, and what the port's clients use.
struct Sensor {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] value: &Access<'_, u8>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&[**value])
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    LeavesThePort,
    ForgetsThePort,
}

/// What both drivers know.
struct Board {
    mistake: Mistake,
    port: Mutex<Option<Arc<Nodes>>>,
    hubs: AtomicUsize,
}

struct Ports(Arc<Board>);

impl Driver for Ports {
    type Device = Sensor;

    fn name(&self) -> &str {
        "ports"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        *self.0.port.lock().unwrap() = Some(probe.nodes().clone());
        Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(0) }))
    }
}

struct Hub {
    own: Arc<Sensor>,
    of_port: Arc<Sensor>,
    board: Arc<Board>,
}

impl Removable for Hub {
    type Resources = ();

    fn take_down(&self, cause: Cause) -> Result<(), UnplugError> {
        if self.board.mistake != Mistake::LeavesThePort {
            self.of_port.unplug(cause)?;
        }
        self.own.unplug(cause)?;
        self.board.port.lock().unwrap().iter().for_each(|port| port.unregister_unplugged());
        Ok(())
    }

    fn escalate(&self, cause: Cause) {
        Unplug::escalate(&*self.own, cause);
        Unplug::escalate(&*self.of_port, cause);
    }

    fn stragglers(&self) -> String {
        format!("{}{}", self.own.report(), self.of_port.report())
    }
}

struct Hubs(Arc<Board>);

impl Driver for Hubs {
    type Device = Hub;

    fn name(&self) -> &str {
        "hubs"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Hub>> {
        let [own, of_port] = [1, 2].map(|value| Arc::new(Sensor { lifetime: DeviceLifetime::new(value) }));
        probe.register_node("hub", &own, None);
        let port = self.0.port.lock().unwrap().clone();
        let is_first = self.0.hubs.fetch_add(1, SeqCst) == 0;
        if let Some(port) = port
            && (self.0.mistake != Mistake::ForgetsThePort || is_first)
        {
            port.register("port", &of_port, None);
            probe.nodes().take_along(&port);
        }
        Ok(Arc::new(Hub { own, of_port, board: self.0.clone() }))
    }
}

fn report(mistake: Mistake) -> Report {
    let machine = move || {
        let board = Arc::new(Board { mistake, port: Mutex::default(), hubs: AtomicUsize::new(0) });
        let bus = Bus::new("platform", Devices::new());
        bus.register_driver(Ports(board.clone())).unwrap();
        bus.register_driver(Hubs(board)).unwrap();
        ["port.0", "hub.0"].into_iter().for_each(|device| bus.add_device(device).unwrap());
        bus.bind("ports", "port.0").unwrap();
        bus
    };
    Hotplug::on(machine, Arc::clone, "hubs", "hub.0")
        .act("reads the hub", |node| node.open()?.read(&mut [0]))
        .act_on("port.0", "reads the port", |node| node.open()?.read(&mut [0]))
        .run()
}

#[test]
fn wrong_it_leaves_the_port() {
    let report = report(Mistake::LeavesThePort);
    finds(&report, "the device is removed, and its node `port0` still works");
    finds(&report, "the device is gone, and the act \"reads the port\" answers success");
}

#[test]
fn wrong_it_forgets_the_port() {
    finds(&report(Mistake::ForgetsThePort), "no node for the act \"reads the port\"");
}

#[test]
fn right() {
    let report = report(Mistake::None);
    report.assert();
    assert!(report.to_string().contains("hotreplug-lateclose"), "{report}");
}
