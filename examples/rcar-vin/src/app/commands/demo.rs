//! The main job, shown: clients of every kind, and the devices unbound under them.
mod host;
mod timeline;

use super::{FAILED, Outcome, ops};
use fops_host::Answer;
use host::{Client, Host};
use rcar_vin::client::Role;
use rcar_vin::driver::core::DRIVER;
use rcar_vin::driver::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use rcar_vin::machine::Machine;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use timeline::Timeline;

/// The VINs, and what the clients of each do. The last one's sensor delivers nothing.
const VINS: [(&str, &[Role]); 3] = [
    ("e6ef0000.video", &[Role::Stream, Role::Hold]),
    ("e6ef1000.video", &[Role::Read]),
    ("e6ef2000.video", &[Role::Sleep, Role::Poll]),
];

/// How long anything may take here before the demonstration says that it hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the clients stream.
const SHOW: Duration = Duration::from_millis(1500);

pub(crate) fn run() -> Outcome {
    let machine = Machine::new(&VINS.map(|(vin, _)| vin))?;
    let stalled = VINS[VINS.len() - 1].0;
    if let Some(vin) = machine.board.vin(stalled) {
        vin.set_stalled(true);
    }
    let host = Host::choose(&machine)?;
    crate::log::say(format_args!("{}", host.describe()));
    crate::log::say(format_args!(""));
    let mut show = Show { timeline: Timeline::start(), broken: 0 };
    let clients = show.start_clients(&machine, &host)?;
    std::thread::sleep(SHOW);
    show.wait_for_sleepers(&machine);
    let answers = show.unbind_all(&machine)?;
    show.fates(clients, &answers);
    show.plug_again(&machine, &host)?;
    for fault in machine.faults() {
        show.broken(&fault);
    }
    machine.unbind_all()?;
    drop(host);
    crate::log::say(format_args!(""));
    ops::print();
    crate::log::say(format_args!(""));
    Ok(show.conclude())
}

struct Show {
    timeline: Timeline,
    /// Promises that were not kept.
    broken: u32,
}

impl Show {
    fn start_clients(&mut self, machine: &Machine, host: &Host) -> Result<Vec<Client>, Box<dyn std::error::Error>> {
        let mut clients = Vec::new();
        for (number, (_, roles)) in VINS.into_iter().enumerate() {
            for &role in roles {
                let client = host.client(machine, role, &format!("video{number}"))?;
                let doing = match role {
                    Role::Stream => "streams frames, in mapped buffers",
                    Role::Hold => "holds a file open",
                    Role::Read => "reads frames",
                    Role::Sleep => "sleeps in DQBUF: the sensor delivers nothing",
                    Role::Poll => "sleeps in poll",
                    Role::Select => "sleeps in select",
                    Role::Epoll => "sleeps in epoll",
                    Role::Event => "sleeps in DQEVENT: no frame begins",
                    Role::StreamOff => "sleeps in STREAMOFF: the frame is long",
                    Role::LogStatus => "sleeps in LOG_STATUS: the console is slow",
                };
                client.ready(PATIENCE)?;
                self.timeline.say(client.node(), &format!("{} {doing}", client.name()));
                clients.push(client);
            }
        }
        Ok(clients)
    }

    /// A client says that it is ready before it sleeps: wait until it does.
    fn wait_for_sleepers(&mut self, machine: &Machine) {
        let began = Instant::now();
        // In poll nothing runs: the caller sleeps in the kernel, or in the host.
        while machine.devices.get("video2").is_some_and(|node| node.running() == 0) {
            if began.elapsed() > PATIENCE {
                self.broken("the client of video2 does not sleep in DQBUF");
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Unbinds every device, and returns what the server measured of each answer.
    fn unbind_all(&mut self, machine: &Machine) -> Result<Vec<Answer>, Box<dyn std::error::Error>> {
        let nodes = machine.devices.all();
        for (number, (vin, _)) in VINS.into_iter().enumerate() {
            let removal = machine.bus.unbind(DRIVER, vin)?;
            match removal.wait_for(PATIENCE)? {
                Some(took) => {
                    let node = format!("video{number}");
                    self.timeline.say(&node, &format!("unbound {vin} in {took:.1?}"));
                    removal.records().lines().for_each(|record| self.timeline.say(&node, record));
                }
                None => self.broken(&format!("unbind of {vin} waits for\n{}", removal.stragglers())),
            }
        }
        Ok(nodes.iter().flat_map(|node| node.answers()).collect())
    }

    fn fates(&mut self, clients: Vec<Client>, answers: &[Answer]) {
        for mut client in clients {
            client.release();
            let (node, name) = (client.node().to_owned(), client.name().to_owned());
            match client.fate(PATIENCE) {
                Ok(fate) => {
                    let after = answers.iter().find(|answer| client.is(answer)).map(|answer| answer.after);
                    let after = after.map_or(String::new(), |after| format!(", {after:.1?} after the flag"));
                    self.timeline.say(&node, &format!("{name}: {fate}{after}"));
                    if !client.role().is_promised(&fate) {
                        self.broken(&format!("{name} should have been told that the device is gone"));
                    }
                }
                Err(error) => self.broken(&format!("{name}: {error}")),
            }
        }
    }

    /// The devices come back, and work; then the receiver that feeds them goes, and takes all nodes with it.
    fn plug_again(&mut self, machine: &Machine, host: &Host) -> Result<(), Box<dyn std::error::Error>> {
        let mut clients = Vec::new();
        for (number, (vin, _)) in VINS.into_iter().take(2).enumerate() {
            machine.bus.bind(DRIVER, vin)?;
            let client = host.client(machine, Role::Stream, &format!("video{number}"))?;
            client.ready(PATIENCE)?;
            self.timeline.say(client.node(), &format!("bound {vin} again; {} gets frames", client.name()));
            clients.push(client);
        }
        let nodes = machine.devices.all();
        let removal = machine.bus.unbind(CSI2_DRIVER, CSI2_DEVICE)?;
        match removal.wait_for(PATIENCE)? {
            Some(took) => {
                let names: Vec<_> = nodes.iter().map(|node| node.name()).collect();
                let what = format!("unbound {CSI2_DEVICE} in {took:.1?}: {} went with it", names.join(", "));
                self.timeline.say("all", &what);
            }
            None => self.broken(&format!("unbind of {CSI2_DEVICE} waits for\n{}", removal.stragglers())),
        }
        let answers: Vec<_> = nodes.iter().flat_map(|node| node.answers()).collect();
        self.fates(clients, &answers);
        Ok(())
    }

    fn broken(&mut self, what: &str) {
        self.broken += 1;
        self.timeline.say("BROKEN", what);
    }

    fn conclude(&self) -> ExitCode {
        match self.broken {
            0 => {
                crate::log::say(format_args!(
                    "every client was told that its device is gone, and nothing was touched after it went"
                ));
                ExitCode::SUCCESS
            }
            n => {
                crate::log::say(format_args!("{n} promises were broken; RUST_LOG=debug shows more"));
                ExitCode::from(FAILED)
            }
        }
    }
}
