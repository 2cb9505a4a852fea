//! The memory of another process: what of it may be read and written, and how.
//!
//! What is here takes nothing from the heap: it runs in a process that was forked from one with many threads.
use fops_runtime::{Errno, Result};
use rustix::io::Errno as Sys;
use rustix::ioctl::{Opcode, Updater, opcode};
use std::fs::File;
use std::io::{Read, Seek};
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

/// The memory of the process that a thread belonged to when this was opened.
pub(super) struct Memory {
    mem: File,
    /// Which parts of it there are, and what may be done with each: writes through `mem` heed no protection.
    maps: File,
}

impl Memory {
    /// Touches none of it: no page can keep this waiting.
    pub(super) fn open(thread: u32) -> Result<Self> {
        let mem = File::options().read(true).write(true).open(format!("/proc/{thread}/mem"))?;
        Ok(Self { mem, maps: File::open(format!("/proc/{thread}/maps"))? })
    }

    /// Of two files that were those of another `Memory`.
    pub(super) const fn of(mem: File, maps: File) -> Self {
        Self { mem, maps }
    }

    pub(super) fn files(&self) -> [BorrowedFd<'_>; 2] {
        [self.mem.as_fd(), self.maps.as_fd()]
    }

    /// Fills `out`.
    pub(super) fn read(&mut self, address: u64, out: &mut [u8]) -> Result {
        self.check(address, out.len(), Access::Read)?;
        self.mem.read_exact_at(out, address).map_err(|_| Errno::EFAULT)
    }

    pub(super) fn write(&mut self, address: u64, data: &[u8]) -> Result {
        self.check(address, data.len(), Access::Write)?;
        self.mem.write_all_at(data, address).map_err(|_| Errno::EFAULT)
    }

    /// Whether all of it is there, and may be used in this way.
    fn check(&mut self, address: u64, len: usize, access: Access) -> Result {
        let end = address.checked_add(len as u64).ok_or(Errno::EFAULT)?;
        let covers = match self.asks(address..end, access) {
            Err(Sys::NOTTY) => self.maps.rewind().is_ok() && covers(&self.maps, address..end, access),
            result => result.is_ok(),
        };
        if covers { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Asks the kernel for the mappings of this range alone, however many others there are.
    ///
    /// # Errors
    /// `ENOTTY` before Linux 6.11. `ENOENT` if a part is not there, or may not be used in this way.
    fn asks(&self, range: Range<u64>, access: Access) -> rustix::io::Result<()> {
        let mut next = range.start;
        while next < range.end {
            let mut query = Query {
                size: size_of::<Query>() as u64,
                flags: match access {
                    Access::Read => 1,
                    Access::Write => 2,
                },
                address: next,
                ..Query::default()
            };
            // SAFETY: `PROCMAP_QUERY` reads and writes this structure, and no name is asked for.
            unsafe { rustix::ioctl::ioctl(&self.maps, Updater::<QUERY, Query>::new(&mut query)) }?;
            next = query.end;
        }
        Ok(())
    }
}

/// What is to be done with memory.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

/// `struct procmap_query` in linux/fs.h.
#[repr(C)]
#[derive(Default)]
struct Query {
    size: u64,
    /// The permissions that the mapping must have.
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    _flags: u64,
    _page_size: u64,
    _offset: u64,
    _inode: u64,
    _device: [u32; 2],
    /// No name and no build id are asked for.
    _sizes: [u32; 2],
    _addresses: [u64; 2],
}

/// `PROCMAP_QUERY`.
const QUERY: Opcode = opcode::read_write::<Query>(b'f', 17);

/// Whether `maps`, as proc(5) has it, holds all of `range`, to be used in this way.
fn covers(mut maps: impl Read, range: Range<u64>, access: Access) -> bool {
    let (at, permission) = match access {
        Access::Read => (0, b'r'),
        Access::Write => (1, b'w'),
    };
    let number = |text: &[u8]| u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok();
    let mut next = range.start;
    // More than its longest line: a path has at most 4096 bytes, and each of them may be written as four.
    let mut buffer = [0; 20 << 10];
    let mut filled = 0;
    loop {
        let read = buffer.get_mut(filled..).map_or(0, |room| maps.read(room).unwrap_or(0));
        filled += read;
        let mut lines = buffer[..filled].split_inclusive(|&byte| byte == b'\n');
        let mut used = 0;
        // What has no end yet is looked at when it has.
        for line in lines.by_ref().take_while(|line| line.ends_with(b"\n")) {
            used += line.len();
            let mut words = line.split(|&byte| byte == b' ');
            let (Some(area), Some(permissions)) = (words.next(), words.next()) else { return false };
            let mut ends = area.split(|&byte| byte == b'-').map(number);
            let (Some(Some(start)), Some(Some(end))) = (ends.next(), ends.next()) else { return false };
            if end <= next {
                continue;
            }
            if start > next || permissions.get(at) != Some(&permission) {
                return false;
            }
            next = end;
            if next >= range.end {
                return true;
            }
        }
        if read == 0 {
            return range.is_empty();
        }
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
    use std::time::{Duration, Instant};

    const PAGE: usize = 4096;

    /// Mapped memory of so many pages.
    struct Mapped(*mut std::ffi::c_void, usize);

    impl Mapped {
        fn new(pages: usize) -> Self {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: A new mapping.
            let at = unsafe { mmap_anonymous(std::ptr::null_mut(), pages * PAGE, access, MapFlags::PRIVATE) };
            Self(at.unwrap(), pages)
        }

        fn protect(&self, page: usize, access: MprotectFlags) {
            // SAFETY: Nothing refers to it.
            unsafe { mprotect(self.0.cast::<u8>().add(page * PAGE).cast(), PAGE, access) }.unwrap();
        }

        fn at(&self, page: usize) -> u64 {
            (self.0.expose_provenance() + page * PAGE) as u64
        }
    }

    impl Drop for Mapped {
        fn drop(&mut self) {
            // SAFETY: Nothing refers to it.
            unsafe { munmap(self.0, self.1 * PAGE) }.unwrap();
        }
    }

    fn own() -> Memory {
        Memory::open(std::process::id()).unwrap()
    }

    fn read(memory: &mut Memory, address: u64, len: usize) -> Result<Vec<u8>> {
        let mut out = vec![0; len];
        memory.read(address, &mut out).map(|()| out)
    }

    #[test]
    fn permissions_are_heeded() {
        let (mapped, mut memory) = (Mapped::new(5), own());
        mapped.protect(1, MprotectFlags::READ);
        mapped.protect(3, MprotectFlags::empty());
        memory.write(mapped.at(0) + 10, b"abc").unwrap();
        assert_eq!(read(&mut memory, mapped.at(0) + 10, 3).unwrap(), b"abc");
        // Across two mappings.
        assert_eq!(read(&mut memory, mapped.at(0), 3 * PAGE).unwrap().len(), 3 * PAGE);
        assert_eq!(memory.write(mapped.at(1) - 1, b"abc"), Err(Errno::EFAULT));
        assert_eq!(memory.write(mapped.at(1), b"abc"), Err(Errno::EFAULT));
        assert_eq!(read(&mut memory, mapped.at(3) - 1, 2), Err(Errno::EFAULT));
        assert_eq!(read(&mut memory, mapped.at(3), 1), Err(Errno::EFAULT));
        assert_eq!(read(&mut memory, u64::MAX, 2), Err(Errno::EFAULT));
        assert_eq!(read(&mut memory, mapped.at(3), 0).unwrap(), b"");
    }

    #[test]
    fn a_copy_costs_the_same_whatever_the_mappings() {
        let (mapped, mut memory) = (Mapped::new(1), own());
        if memory.asks(mapped.at(0)..mapped.at(0) + 1, Access::Read) == Err(Sys::NOTTY) {
            eprintln!("SKIPPED: the kernel shows all mappings or none; it needs Linux 6.11");
            return;
        }
        // What else runs makes a copy longer, and never shorter.
        let mut shortest = || {
            let time = |_| {
                let began = Instant::now();
                read(&mut memory, mapped.at(0), 8).unwrap();
                began.elapsed()
            };
            (0..50).map(time).min().unwrap()
        };
        let few: Duration = shortest();
        // Each second page is a mapping of its own.
        let many = Mapped::new(20_000);
        (0..10_000).for_each(|page| many.protect(2 * page, MprotectFlags::READ));
        let slow = shortest();
        assert!(slow < few * 20, "{few:?} with few mappings, {slow:?} with 20,000 more");
    }

    #[test]
    fn maps_are_read_as_they_are_written() {
        let maps = b"1000-3000 rw-p 00000000 00:00 0 \n3000-4000 r--p 00000000 08:01 12 /a b\\012c\n\
                     5000-6000 ---p 00000000 00:00 0\nffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
        let reads = |range| covers(&maps[..], range, Access::Read);
        let writes = |range| covers(&maps[..], range, Access::Write);
        assert!(reads(0x1000..0x4000) && reads(0x2fff..0x3001) && reads(0x3fff..0x4000));
        assert!(!reads(0xfff..0x1001) && !reads(0x3fff..0x4001) && !reads(0x4000..0x4001) && !reads(0x5000..0x5001));
        assert!(!reads(0x1000..u64::MAX) && !reads(0xffff_ffff_ff60_0000..0xffff_ffff_ff60_0008));
        assert!(writes(0x1000..0x3000) && !writes(0x1000..0x3001) && !writes(0x3000..0x3001));
        for torn in [&b""[..], b"\n", b"1000", b"1000-", b"x-y rw-p", b"1000-2000", b"1000-2000 \n", b"1000-2000 rw-p"]
        {
            assert!(!covers(torn, 0x1000..0x1001, Access::Read));
        }
        // However it is cut when it is read, with paths as long as there are.
        struct Sip<'a>(&'a [u8], usize);
        impl Read for Sip<'_> {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                let len = self.1.min(out.len());
                self.0.read(&mut out[..len])
            }
        }
        let path = "\\012".repeat(4000);
        let long = format!("1000-2000 r--p 0 08:01 12 /{path}\n2000-3000 r--p 0 08:01 12 /{path}\n");
        for sip in [1, 7, 4096, 1 << 20] {
            assert!(covers(Sip(maps, sip), 0x1000..0x4000, Access::Read), "{sip}");
            assert!(!covers(Sip(maps, sip), 0x1000..0x4001, Access::Read), "{sip}");
            assert!(covers(Sip(long.as_bytes(), sip), 0x1800..0x3000, Access::Read), "{sip}");
        }
    }
}
