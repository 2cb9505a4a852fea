//! The driver of these tests: a bell whose reads sleep until somebody rings it.
use fops_host::{BufferMemory, Driver, Probe};
use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, PollEvents, PollTable,
    Result, UserSliceReader, UserSliceWriter, VmArea, WaitQueue, guarded_fops,
};
use rustix::ioctl::{Opcode, opcode};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

pub(crate) const MEMORY: usize = 3 * 4096;

pub(crate) const REVERSE: Opcode = opcode::read_write::<[u8; 8]>(b'B', 1);
pub(crate) const FILL: Opcode = opcode::write::<u32>(b'B', 2);
pub(crate) const WEDGE: Opcode = opcode::none(b'B', 3);
pub(crate) const PANIC: Opcode = opcode::none(b'B', 4);
/// How many [`Chime`]s there are, and where.
pub(crate) const CHIMES: Opcode = opcode::read_write::<[u64; 2]>(b'B', 5);
/// An address and a length: answers the sum of the bytes there.
pub(crate) const SUM: Opcode = opcode::write::<[u64; 2]>(b'B', 6);
/// An address and a length: fills what is there with 0xab.
pub(crate) const PAINT: Opcode = opcode::write::<[u64; 2]>(b'B', 7);

/// In the caller's memory: a number, and `size` bytes at `payload`.
pub(crate) struct Chime {
    pub(crate) id: u32,
    pub(crate) payload: (u64, u32),
}

impl Chime {
    pub(crate) const SIZE: usize = 16;

    pub(crate) fn to_bytes(&self) -> [u8; Self::SIZE] {
        let (address, size) = self.payload;
        let parts = [self.id.to_ne_bytes(), size.to_ne_bytes()].concat();
        [&parts[..], &address.to_ne_bytes()].concat().try_into().unwrap()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |at| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        Self { id: word(0), payload: (u64::from_ne_bytes(bytes[8..].try_into().unwrap()), word(4)) }
    }
}

/// A bell: reads sleep until somebody rings it, by writing.
pub(crate) struct Bell {
    pub(crate) lifetime: DeviceLifetime<()>,
    pub(crate) memory: Arc<BufferMemory>,
    pub(crate) rung: WaitQueue,
    pub(crate) rings: Mutex<usize>,
    pub(crate) reads: AtomicUsize,
    pub(crate) polls: AtomicUsize,
    /// How often it was asked for a sum.
    pub(crate) copies: AtomicUsize,
    pub(crate) released: Arc<AtomicUsize>,
    /// Whether operations hang where the runtime cannot see it.
    pub(crate) wedged: Mutex<usize>,
    pub(crate) unwedged: Condvar,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
impl FileOperations for Bell {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] access: &Access<'_, ()>, file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        self.reads.fetch_add(1, SeqCst);
        let ring = || {
            let mut rings = self.rings.lock().unwrap();
            (*rings > 0).then(|| *rings -= 1)
        };
        if file.is_nonblocking() {
            ring().ok_or(Errno::EAGAIN)?;
        } else {
            access.wait_event(&self.rung, ring)?;
        }
        buf.write_slice(b"ding\n")
    }

    fn write(&self, _file: &File, buf: UserSliceReader<'_>) -> Result<usize> {
        *self.rings.lock().unwrap() += 1;
        self.rung.wake_all();
        Ok(buf.remaining())
    }

    fn poll(&self, _file: &File, table: &PollTable<'_>) -> PollEvents {
        table.wait(&self.rung);
        self.polls.fetch_add(1, SeqCst);
        if *self.rings.lock().unwrap() > 0 { PollEvents::IN | PollEvents::RDNORM } else { PollEvents::EMPTY }
    }

    fn ioctl(&self, _file: &File, command: Command, mut arg: IoctlArg<'_>) -> Result<i32> {
        match (command.direction(), command.kind(), command.number()) {
            (Direction::ReadWrite, b'B', 1) => {
                arg.data_mut().reverse();
                Ok(3)
            }
            (Direction::Write, b'B', 2) => {
                let byte = arg.read::<4>()?[0];
                self.memory.write_at(0, &[byte; MEMORY])?;
                self.memory.publish(0..MEMORY as u64);
                Ok(0)
            }
            (Direction::None, b'B', 3) => {
                let mut wedged = self.wedged.lock().unwrap();
                *wedged += 1;
                while *wedged > 0 {
                    wedged = self.unwedged.wait(wedged).unwrap();
                }
                Ok(0)
            }
            (Direction::None, b'B', 4) => panic!("asked to"),
            (Direction::ReadWrite, b'B', 5) => self.chimes(&arg),
            (Direction::Write, b'B', 6) => {
                let [address, len] = pair(&arg)?;
                self.copies.fetch_add(1, SeqCst);
                let bytes = arg.memdup_user(address, len as usize)?;
                Ok(bytes.iter().map(|&byte| i32::from(byte)).sum())
            }
            (Direction::Write, b'B', 7) => {
                let [address, len] = pair(&arg)?;
                arg.copy_to_user(address, &vec![0xab; len as usize])?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn mmap(&self, _file: &File, _area: &VmArea) -> Result {
        Ok(())
    }

    #[fop(always)]
    fn release(&self, _file: File) {
        self.released.fetch_add(1, SeqCst);
    }
}

/// An argument of two words.
fn pair(arg: &IoctlArg<'_>) -> Result<[u64; 2]> {
    let words = arg.read::<16>()?;
    Ok([&words[..8], &words[8..]].map(|word| u64::from_ne_bytes(word.try_into().unwrap())))
}

impl Bell {
    /// Adds 100 to each number, and turns each payload around.
    fn chimes(&self, arg: &IoctlArg<'_>) -> Result<i32> {
        let [count, address] = pair(arg)?;
        let len = (count as usize).checked_mul(Chime::SIZE).ok_or(Errno::EINVAL)?;
        let mut array = arg.memdup_user(address, len)?;
        for bytes in array.chunks_exact_mut(Chime::SIZE) {
            let chime = Chime::from_bytes(bytes);
            let (address, size) = chime.payload;
            let mut payload = arg.memdup_user(address, size as usize)?;
            payload.reverse();
            arg.copy_to_user(address, &payload)?;
            bytes.copy_from_slice(&Chime { id: chime.id + 100, ..chime }.to_bytes());
        }
        arg.copy_to_user(address, &array)?;
        Ok(0)
    }
}

#[derive(Default)]
pub(crate) struct Foundry {
    /// The bell that was cast last.
    pub(crate) bell: Mutex<Option<Arc<Bell>>>,
    pub(crate) removed: AtomicUsize,
    pub(crate) released: Arc<AtomicUsize>,
}

pub(crate) struct Foundries(pub(crate) Arc<Foundry>);

impl Driver for Foundries {
    type Device = Bell;

    fn name(&self) -> &str {
        "bells"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Bell>> {
        let memory = BufferMemory::new(MEMORY)?;
        let bell = Arc::new(Bell {
            lifetime: DeviceLifetime::new(()),
            memory: memory.clone(),
            rung: WaitQueue::new(),
            rings: Mutex::new(0),
            reads: AtomicUsize::new(0),
            polls: AtomicUsize::new(0),
            copies: AtomicUsize::new(0),
            released: self.0.released.clone(),
            wedged: Mutex::new(0),
            unwedged: Condvar::new(),
        });
        probe.register_node("bell", &bell, Some(memory));
        *self.0.bell.lock().unwrap() = Some(bell.clone());
        Ok(bell)
    }

    fn remove(&self, _device: &Arc<Bell>, (): (), _cause: Cause) {
        self.0.removed.fetch_add(1, SeqCst);
    }
}
