//! Requests of bytes, random and chosen.
use super::*;

/// xorshift64*: the same inputs each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// `FOPS_WIRE_INPUTS=1000000 cargo test --release -p fops-host --features fuse --lib wire` is the long run.
#[test]
fn whatever_comes_is_answered() {
    std::panic::set_hook(Box::new(|info| {
        // The device is asked to panic now and then.
        if info.payload().downcast_ref::<&str>() != Some(&"asked to") {
            eprintln!("{info}");
        }
    }));
    let inputs =
        std::env::var("FOPS_WIRE_INPUTS").map_or(4000, |count| count.parse().expect("FOPS_WIRE_INPUTS is a number"));
    for seed in 1..=inputs {
        let mut random = Random(seed);
        let len = random.next() % 700;
        let input: Vec<u8> = (0..len).map(|_| (random.next() >> 32) as u8).collect();
        if let Err(panic) = std::panic::catch_unwind(|| check(&input)) {
            eprintln!("input {seed} is the one");
            std::panic::resume_unwind(panic);
        }
    }
}

impl Rig {
    fn ioctl(&self, fh: u64, flags: u32, command: fops_runtime::Command, arg: u64, data: &[u8]) -> (i32, Vec<u8>) {
        let (in_size, out_size) = (data.len() as u32, command.size() as u32);
        let args = fuse_ioctl_in { fh, flags, cmd: command.raw(), arg, in_size, out_size };
        self.ask(FUSE_IOCTL, 6, 0, &[args.as_bytes(), data].concat())
    }
}

const WAY: fops_runtime::Direction = fops_runtime::Direction::ReadWrite;

#[test]
fn a_32_bit_caller_reaches_compat_ioctl() {
    let rig = Rig::new();
    let fh = rig.open("dev/plain0");
    let command = fops_runtime::Command::new(WAY, b'W', 0, 4);
    let (error, body) = rig.ioctl(fh, FUSE_IOCTL_COMPAT | FUSE_IOCTL_32BIT, command, 0, &9_u32.to_ne_bytes());
    let (out, rest) = fuse_ioctl_out::read_from_prefix(&body).unwrap_or_else(|_| panic!("{body:?}"));
    assert_eq!((error, out.result, rest), (0, 9, &9_u32.to_ne_bytes()[..]));
    assert_eq!(rig.counts.compat.load(std::sync::atomic::Ordering::SeqCst), 1);
    // A 64-bit one does not, and unrestricted ones are not for files.
    assert_eq!(rig.ioctl(fh, 0, command, 0, &[0; 4]).0, -Errno::EIO.raw());
    assert_eq!(rig.ioctl(fh, FUSE_IOCTL_UNRESTRICTED, command, 0, &[0; 4]).0, -Errno::EINVAL.raw());
    assert_eq!(rig.counts.compat.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn an_error_that_the_kernel_knows_not_is_another() {
    let rig = Rig::new();
    let fh = rig.open("dev/plain0");
    let command = fops_runtime::Command::new(WAY, b'W', 5, 4);
    for (told, errno) in [(19, 19), (511, 511), (512, 4), (513, 4), (514, 4), (516, 4), (517, 5), (4095, 5), (0, 5)] {
        assert_eq!(rig.ioctl(fh, 0, command, told, &[0; 4]).0, -errno, "errno {told}");
    }
}

#[test]
fn a_read_of_any_size_takes_no_more_than_a_buffer() {
    let rig = Rig::new();
    for path in ["dev/plain0", "dev/mapped0", "sys/dev/char/0:0/uevent"] {
        let fh = rig.open(path);
        for (size, read_flags) in [(u32::MAX, FUSE_READ_LOCKOWNER), (u32::MAX, 0), (1 << 30, FUSE_READ_LOCKOWNER)] {
            let args = fuse_read_in { fh, size, read_flags, flags: 0o4000, ..Default::default() };
            let bytes = request(FUSE_READ, 8, 0, args.as_bytes());
            let mut reply = Reply::new();
            verify(&bytes, &rig.handle(&bytes, &mut reply));
            assert!(reply.capacity() <= super::super::abi::BUFFER, "{path}: {} bytes", reply.capacity());
        }
    }
}

/// An interrupt may overtake its request: it is sent back until the request is known, and then ends it.
#[test]
fn an_early_interrupt_is_sent_again_and_heeded() {
    let rig = Rig::new();
    let fh = rig.open("dev/plain0");
    let interrupt = fuse_interrupt_in { unique: 100 };
    assert_eq!(rig.ask(FUSE_INTERRUPT, 101, 0, interrupt.as_bytes()).0, -Errno::EAGAIN.raw());
    let args = fuse_read_in { fh, size: device::SLEEPS as u32, read_flags: FUSE_READ_LOCKOWNER, ..Default::default() };
    let read = request(FUSE_READ, 100, 0, args.as_bytes());
    let again = request(FUSE_INTERRUPT, 101, 0, interrupt.as_bytes());
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| rig.service.handle(&rig.kernel, &read, &mut Reply::new(), || ()));
        // As the kernel does with one that was sent back; not for ever.
        let mut tries = 0..1_000_000;
        while !reader.is_finished() && tries.next().is_some() {
            rig.service.handle(&rig.kernel, &again, &mut Reply::new(), || ());
        }
        // Or this would wait for it.
        if !reader.is_finished() {
            let _ = rig.bus.unbind("d", "d0");
        }
    });
    let replies = rig.recorder.take();
    let header =
        |reply: &Vec<u8>| fuse_out_header::read_from_prefix(reply).map(|(out, _)| (out.unique, out.error)).ok();
    let (ends, early): (Vec<_>, Vec<_>) = replies.iter().filter_map(header).partition(|(unique, _)| *unique == 100);
    assert_eq!(ends, [(100, -Errno::EINTR.raw())]);
    assert!(early.iter().all(|reply| *reply == (101, -Errno::EAGAIN.raw())), "{early:?}");
    // Answered: known no more.
    assert_eq!(rig.ask(FUSE_INTERRUPT, 103, 0, interrupt.as_bytes()).0, -Errno::EAGAIN.raw());
}

#[test]
fn a_file_is_released_once() {
    let rig = Rig::new();
    let fh = rig.open("dev/mapped0");
    let args = fuse_release_in { fh, ..Default::default() };
    assert_eq!(rig.ask(FUSE_RELEASE, 8, 0, args.as_bytes()).0, 0);
    assert_eq!(rig.ask(FUSE_RELEASE, 10, 0, args.as_bytes()).0, -Errno::EBADF.raw());
    rig.counts.assert_released();
    let args = fuse_poll_in { fh, kh: 7, flags: FUSE_POLL_SCHEDULE_NOTIFY, events: 1 };
    assert_eq!(rig.ask(FUSE_POLL, 12, 0, args.as_bytes()).0, -Errno::EBADF.raw());
}
