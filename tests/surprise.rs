//! Hardware that is pulled out: the first operation to see it asks for the device's own unplug, which is one however many
//! ask; and an unbind that turns into this half way.
use fops_host::Descriptor;
use fops_runtime::{Cause, Errno, OpenFlags};
use rcar_vin::client::{Stream, get};
use rcar_vin::media_uapi::{MbusFormat, VIDIOC_SUBDEV_S_FMT, v4l2_subdev_format};
use rcar_vin::uapi::zeroed;
use std::thread;
use system_tests::{
    Act, Brake, DEADLINE, Host, Machine, capture_log, check, driver_of, eventually, hosts, machine_with, node,
    times_logged, torn_down, vin,
};

/// How often the driver has removed this VIN, for this reason.
fn removed(device: &str, cause: &str) -> usize {
    times_logged(&[device, "removed", cause, "registers are unmapped"])
}

fn machines(vins: [&'static str; 2]) -> Vec<Box<dyn Host>> {
    capture_log();
    hosts(|| machine_with(&vins))
}

/// The hardware is back, and all is well.
fn comes_back(host: &dyn Host, device: &str) {
    let machine = host.machine();
    assert_eq!(machine.bus.device_names().into_iter().find(|(name, _)| name == device), None);
    vin(machine, device).insert();
    host.rescan();
    for node in machine.bus.nodes(device) {
        host.client(Act::Check, node.name()).meets_its_fate();
    }
    check(machine);
}

/// The receiver was told that the stream has ended: it counts them, and changes its format only when there is none.
fn the_receiver_is_idle(machine: &Machine) {
    let receiver = machine.devices.open("v4l-subdev0", OpenFlags::RDWR).unwrap();
    let format = v4l2_subdev_format { which: 1, format: MbusFormat::new(640, 480), ..zeroed() };
    assert_eq!(get(&receiver, VIDIOC_SUBDEV_S_FMT, format).map(drop), Ok(()));
}

#[test]
fn eight_operations_report_it_at_once_and_it_is_unplugged_once() {
    const VINS: [&str; 2] = ["e6ef4000.video", "e6ef5000.video"];
    for host in machines(VINS) {
        let (machine, before) = (host.machine(), removed(VINS[0], ""));
        let pulled = vin(machine, VINS[0]);
        for round in 1..=10 {
            let name = machine.bus.nodes(VINS[0])[0].name().to_owned();
            let other = host.client(Act::Stream, machine.bus.nodes(VINS[1])[0].name());
            let mut clients = vec![host.client(Act::Stream, &name)];
            // Those who sleep do not see it: they are told.
            pulled.set_stalled(true);
            clients[0].falls_asleep();
            let others = [Act::Hold, Act::Poll, Act::Epoll].into_iter().chain([Act::Log; 8]);
            let others: Vec<_> = others.map(|act| host.start(act, &name)).collect();
            clients.extend(others.into_iter().map(system_tests::Actor::ready));
            let old = node(&machine.bus, &name);
            pulled.surprise_remove();
            pulled.set_stalled(false);
            eventually("it is unplugged", || old.is_unplugged());
            clients.into_iter().for_each(|client| drop(client.meets_its_fate()));
            eventually("it is torn down", || machine.bus.device_names().iter().all(|(device, _)| device != VINS[0]));
            assert_eq!(removed(VINS[0], "surprise removal") - before, round);
            // Nobody touches it any more.
            let absent = pulled.absent_accesses();
            other.goes_on();
            host.unbind(VINS[1]);
            other.meets_its_fate();
            the_receiver_is_idle(machine);
            host.bind(VINS[1]);
            assert_eq!(pulled.absent_accesses(), absent);
            assert!(pulled.ioremap().is_ok() && pulled.dma_mappings() == 0);
            comes_back(&*host, VINS[0]);
        }
        assert_eq!(removed(VINS[0], ""), before + 10, "for no other reason");
    }
}

/// To start a stream, to stop it, to take an interrupt: whoever looks at the hardware sees it.
#[test]
fn whoever_touches_the_hardware_first_reports_it() {
    const VINS: [&str; 2] = ["e6ef6000.video", "e6ef7000.video"];
    capture_log();
    let machine = machine_with(&VINS);
    let pulled = vin(&machine, VINS[0]);
    let open = || machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let start = || Stream::start(open(), 5);
    let gone = |told: Errno| {
        assert_eq!(told, Errno::ENODEV);
        eventually("it is torn down", || machine.bus.device_names().iter().all(|(device, _)| device != VINS[0]));
        pulled.insert();
        assert_eq!(machine.bus.rescan(), Ok(()), "{:?}", machine.bus);
    };
    pulled.surprise_remove();
    gone(start().err().unwrap());

    let stream = start().unwrap();
    pulled.surprise_remove();
    gone(stream.stop().unwrap_err());
    the_receiver_is_idle(&machine);

    // A read would have to start the stream.
    let file = open();
    pulled.surprise_remove();
    let told = file.read(&mut [0; 64]).unwrap_err();
    drop(file);
    gone(told);

    let stream = start().unwrap();
    pulled.surprise_remove();
    pulled.raise_irq();
    gone(last_of(stream));
    the_receiver_is_idle(&machine);

    // An unbind finds it when it stops the hardware.
    let stream = start().unwrap();
    pulled.surprise_remove();
    let removal = machine.bus.unbind(driver_of(VINS[0]), VINS[0]).unwrap();
    torn_down(&removal);
    assert_eq!(removal.cause(), Cause::SurpriseRemoval);
    gone(last_of(stream));
    the_receiver_is_idle(&machine);
    assert_eq!(removed(VINS[0], "surprise removal"), 5);

    // One that is not there is not bound.
    torn_down(&machine.bus.remove(VINS[0], Cause::Removal).unwrap());
    pulled.surprise_remove();
    assert_eq!(machine.bus.rescan(), Err(Errno::ENODEV));
    pulled.insert();
    machine.bus.bind(driver_of(VINS[0]), VINS[0]).unwrap();
    check(&machine);
}

/// Takes the frames that are left, and returns what comes after them.
fn last_of(stream: Stream<Descriptor>) -> Errno {
    (0..100).find_map(|_| stream.dequeue().err()).expect("there are fewer buffers than that")
}

/// The bus has seen it first: a stream is on, and nobody looks at registers that are not there, to stop it or else.
#[test]
fn what_the_bus_reports_is_not_touched() {
    const VINS: [&str; 2] = ["e6efa000.video", "e6efb000.video"];
    for host in machines(VINS) {
        let machine = host.machine();
        let (name, pulled) = (machine.bus.nodes(VINS[0])[0].name().to_owned(), vin(machine, VINS[0]));
        let streamer = host.client(Act::Stream, &name);
        pulled.set_stalled(true);
        streamer.falls_asleep();
        let sleepers = [host.client(Act::Hold, &name), host.client(Act::Epoll, &name)];
        pulled.surprise_remove();
        torn_down(&machine.bus.remove(VINS[0], Cause::SurpriseRemoval).unwrap());
        [streamer].into_iter().chain(sleepers).for_each(|client| drop(client.meets_its_fate()));
        assert_eq!(pulled.absent_accesses(), 0);
        the_receiver_is_idle(machine);
        pulled.set_stalled(false);
        comes_back(&*host, VINS[0]);
    }
}

#[test]
fn an_unbind_turns_into_a_surprise_removal_half_way() {
    const VINS: [&str; 2] = ["e6ef8000.video", "e6ef9000.video"];
    for host in machines(VINS) {
        let (machine, before) = (host.machine(), removed(VINS[0], ""));
        let (name, pulled) = (machine.bus.nodes(VINS[0])[0].name().to_owned(), vin(machine, VINS[0]));
        let clients = [host.client(Act::Stream, &name), host.client(Act::Hold, &name)];
        let brake = Brake::new(machine.devices.open(&name, OpenFlags::RDWR).unwrap());
        brake.hold();
        thread::scope(|scope| {
            let unbind = scope.spawn(|| host.unbind(VINS[0]));
            let removal = {
                let mut removal = None;
                eventually("the unbind begins", || {
                    removal = node(&machine.bus, &name)
                        .is_unplugged()
                        .then(|| machine.bus.unbind(driver_of(VINS[0]), VINS[0]).unwrap());
                    removal.is_some()
                });
                removal.unwrap()
            };
            // The hooks have run; the interrupt handler is inside.
            eventually("the drain waits for the interrupt handler alone", || {
                let stragglers = removal.stragglers();
                stragglers.lines().count() == 1
                    && ["rvin_irq", "waited for"].iter().all(|part| stragglers.contains(part))
            });
            assert_eq!(removal.cause(), Cause::Unbind);
            assert_eq!(pulled.absent_accesses(), 0);
            pulled.surprise_remove();
            let worse = machine.bus.remove(VINS[0], Cause::SurpriseRemoval).unwrap();
            assert_eq!((removal.cause(), worse.cause()), (Cause::SurpriseRemoval, Cause::SurpriseRemoval));
            assert_eq!(removal.wait_for(std::time::Duration::ZERO), Ok(None));
            brake.release();
            assert!(removal.wait_for(DEADLINE).unwrap().is_some());
            unbind.join().unwrap();
        });
        clients.into_iter().for_each(|client| drop(client.meets_its_fate()));
        assert_eq!((removed(VINS[0], "surprise removal"), removed(VINS[0], "")), (before + 1, before + 1));
        assert_eq!(pulled.absent_accesses(), 0, "the hooks leave it alone");
        drop(brake);
        comes_back(&*host, VINS[0]);
    }
}
