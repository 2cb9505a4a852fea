//! Whoever sleeps in a call at unplug is told at once that the device is gone: in process.
use fops_host::Devices;
use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Errno, File, FileOperations, IoctlArg, OpenFlags, PollEvents, Result,
    Unplug, UserSliceReader, UserSliceWriter, WaitQueue, guarded_fops,
};
use parking_lot::Mutex;
use rcar_vin::client::{Fate, Role, Stream};
use rcar_vin::core::DRIVER;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use system_tests::{DEADLINE, Machine, Sleeper, check, eventually, machine_with, node, torn_down, video_nodes, vin};

const VINS: [&str; 3] = ["e6ef0000.video", "e6ef1000.video", "e6ef2000.video"];
/// At once is some microseconds; a test machine may have something else to do.
const AT_ONCE: Duration = Duration::from_secs(1);

type Masked = Sleeper<Result<PollEvents>>;

/// Everybody who sleeps: two in DQBUF and poll on `video0`, one in read on `video1`, one in poll on `video2`.
struct Sleepers {
    dqbuf: Sleeper<Result>,
    read: Sleeper<Result<usize>>,
    polls: [Masked; 2],
}

fn fall_asleep(machine: &Machine) -> Sleepers {
    for name in VINS {
        vin(machine, name).set_stalled(true);
    }
    let open = |name| machine.devices.open(name, OpenFlags::RDWR).unwrap();
    let poll = |name| {
        let file = open(name);
        Sleeper::start("poll", move || file.poll(PollEvents::IN, None))
    };
    let stream = Stream::start(open("video0"), 5).unwrap();
    let dqbuf = Sleeper::start("DQBUF", move || stream.dequeue().map(drop));
    let reader = open("video1");
    let read = Sleeper::start("read", move || reader.read(&mut [0; 4096]));
    let polls = [poll("video0"), poll("video2")];
    // A poll that sleeps has been answered by the driver, and does not run in it.
    for (name, running) in [("video0", 1), ("video1", 1), ("video2", 0)] {
        eventually(&format!("{running} operations sleep in {name}"), || node(&machine.bus, name).running() == running);
    }
    Sleepers { dqbuf, read, polls }
}

fn all_are_told(machine: &Machine, unplug: impl Fn(&str)) {
    let sleepers = fall_asleep(machine);
    let nodes = video_nodes(machine);
    for name in VINS {
        unplug(name);
    }
    assert_eq!(sleepers.dqbuf.join(), Err(Errno::ENODEV));
    assert_eq!(sleepers.read.join(), Err(Errno::ENODEV));
    for poll in sleepers.polls {
        assert_eq!(poll.join(), Ok(PollEvents::ERR | PollEvents::HUP));
    }
    for (node, call) in [(&nodes[0], "ioctl"), (&nodes[1], "read")] {
        let answers = node.answers();
        let [answer] = answers.as_slice() else { panic!("{}: {answers:?}", node.name()) };
        assert_eq!((answer.call, answer.errno), (call, Some(Errno::ENODEV)));
        assert!(answer.after < AT_ONCE, "{answer:?}");
    }
    for name in VINS {
        assert_eq!(vin(machine, name).dma_mappings(), 0, "{name}");
    }
    check(machine);
}

#[test]
fn all_are_told_at_unbind() {
    let machine = machine_with(&VINS);
    all_are_told(&machine, |name| {
        torn_down(&machine.bus.unbind(DRIVER, name).unwrap());
    });
}

#[test]
fn all_are_told_when_the_hardware_is_pulled_out() {
    let machine = machine_with(&VINS);
    all_are_told(&machine, |name| {
        vin(&machine, name).surprise_remove();
        torn_down(&machine.bus.remove(name, Cause::SurpriseRemoval).unwrap());
    });
}

#[test]
fn many_pollers_of_one_file_are_all_told() {
    let machine = machine_with(&VINS[..1]);
    vin(&machine, VINS[0]).set_stalled(true);
    let file = Arc::new(machine.devices.open("video0", OpenFlags::RDWR).unwrap());
    let pollers: Vec<_> = (0..4)
        .map(|_| {
            let file = file.clone();
            Sleeper::start("poll", move || file.poll(PollEvents::IN | PollEvents::PRI, None))
        })
        .collect();
    torn_down(&machine.bus.unbind(DRIVER, VINS[0]).unwrap());
    for poller in pollers {
        assert_eq!(poller.join(), Ok(PollEvents::ERR | PollEvents::HUP | PollEvents::PRI));
    }
    check(&machine);
}

/// Waits for an event on `video0`, for the hardware on `video1`, and for the console on `video2`.
fn others_are_told(unplug: impl Fn(&Machine, &str)) {
    let machine = machine_with(&VINS);
    vin(&machine, VINS[0]).set_stalled(true);
    vin(&machine, VINS[1]).set_frame_rate(1.0 / 60.0);
    vin(&machine, VINS[2]).set_console_line_time(Duration::from_secs(3600));
    let sleepers: [(Role, Sleeper<Result<Fate>>); 3] =
        [("video0", Role::Event), ("video1", Role::StreamOff), ("video2", Role::LogStatus)].map(|(name, role)| {
            let file = machine.devices.open(name, OpenFlags::RDWR).unwrap();
            let (ready, wait) = mpsc::channel();
            let sleeper = Sleeper::awake(role.name(), move || role.act(file, || ready.send(()).unwrap()));
            wait.recv_timeout(DEADLINE).unwrap();
            (role, sleeper)
        });
    let nodes = video_nodes(&machine);
    nodes.iter().for_each(|node| eventually("an operation sleeps", || node.running() == 1));
    for name in VINS {
        unplug(&machine, name);
    }
    for (role, sleeper) in sleepers {
        let fate = sleeper.join().unwrap();
        assert!(role.is_promised(&fate), "{role:?}: {fate}");
    }
    for node in nodes {
        let answers = node.answers();
        let [answer] = answers.as_slice() else { panic!("{}: {answers:?}", node.name()) };
        assert_eq!((answer.call, answer.errno), ("ioctl", Some(Errno::ENODEV)));
        assert!(answer.after < AT_ONCE, "{answer:?}");
    }
    check(&machine);
}

#[test]
fn those_who_wait_for_events_for_the_hardware_and_for_the_log_are_told_at_unbind() {
    others_are_told(|machine, name| {
        torn_down(&machine.bus.unbind(DRIVER, name).unwrap());
    });
}

#[test]
fn those_who_wait_for_events_for_the_hardware_and_for_the_log_are_told_when_it_is_pulled_out() {
    others_are_told(|machine, name| {
        vin(machine, name).surprise_remove();
        torn_down(&machine.bus.remove(name, Cause::SurpriseRemoval).unwrap());
    });
}

/// A driver that wakes nobody at unplug, and does not know that anybody sleeps.
struct Sleepy {
    lifetime: DeviceLifetime<()>,
    never: WaitQueue,
    nothing: Mutex<()>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
impl FileOperations for Sleepy {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] hw: &Access<'_, ()>, _file: &File, _buf: UserSliceWriter<'_>) -> Result<usize> {
        Ok(hw.wait_event(&self.never, || None)?)
    }

    fn ioctl(&self, #[access] hw: &Access<'_, ()>, _file: &File, _command: Command, _arg: IoctlArg<'_>) -> Result<i32> {
        Ok(hw.wait_event_locked(&self.never, &mut self.nothing.lock(), |()| None)?)
    }

    /// Sleeps where the runtime cannot see it.
    fn write(&self, #[access] hw: &Access<'_, ()>, _file: &File, _buf: UserSliceReader<'_>) -> Result<usize> {
        let (cancel, cancelled) = mpsc::channel();
        hw.with_cancellation(|| cancel.send(Errno::ENODEV).unwrap(), || Err(cancelled.recv().unwrap()))
    }
}

#[test]
fn whoever_the_driver_does_not_wake_is_told_too() {
    let (never, nothing) = (WaitQueue::new(), Mutex::new(()));
    let device = Arc::new(Sleepy { lifetime: DeviceLifetime::new(()), never, nothing });
    let devices = Devices::new();
    let node = devices.register("sleepy", device.clone(), None);
    let file = devices.open("sleepy0", OpenFlags::RDWR).unwrap();
    let (reader, controller, writer) = (file.clone(), file.clone(), file);
    let sleepers = [
        Sleeper::start("read", move || reader.read(&mut [0]).map(drop)),
        Sleeper::start("ioctl", move || controller.ioctl(Command::from_raw(0), &mut []).map(drop)),
        Sleeper::start("write", move || writer.write(&[0]).map(drop)),
    ];
    assert_eq!(node.running(), 3);
    let removal = Sleeper::awake("unplug", move || device.unplug(Cause::Unbind));
    for sleeper in sleepers {
        assert_eq!(sleeper.join(), Err(Errno::ENODEV));
    }
    assert_eq!(removal.join(), Ok(()));
    assert!(node.answers().iter().all(|answer| answer.after < AT_ONCE), "{:?}", node.answers());
}
