//! Requests made of arbitrary bytes: some as they are, most with a head and arguments that make some sense.
use super::super::abi::*;
use zerocopy::{FromBytes, IntoBytes};

/// Reads `input` as a list of requests. Learns from the answers which inodes and files there are.
pub(super) struct Script<'a> {
    input: &'a [u8],
    unique: u64,
    nodeids: Vec<u64>,
    files: Vec<u64>,
}

/// What there are arguments for.
const OPCODES: [u32; 24] = [
    FUSE_LOOKUP,
    FUSE_LOOKUP,
    FUSE_LOOKUP,
    FUSE_OPEN,
    FUSE_OPEN,
    FUSE_OPENDIR,
    FUSE_READ,
    FUSE_WRITE,
    FUSE_IOCTL,
    FUSE_IOCTL,
    FUSE_POLL,
    FUSE_LSEEK,
    FUSE_READDIR,
    FUSE_RELEASE,
    FUSE_RELEASEDIR,
    FUSE_FORGET,
    FUSE_BATCH_FORGET,
    FUSE_GETATTR,
    FUSE_SETATTR,
    FUSE_READLINK,
    FUSE_FSYNC,
    FUSE_FLUSH,
    FUSE_INTERRUPT,
    FUSE_INIT,
];

const NAMES: [&[u8]; 21] = [
    b"dev\0",
    b"sys\0",
    b"plain0\0",
    b"mapped0\0",
    b"bus\0",
    b"b\0",
    b"drivers\0",
    b"d\0",
    b"bind\0",
    b"unbind\0",
    b"devices\0",
    b"d0\0",
    b"uevent\0",
    b"driver\0",
    b"char\0",
    b"0:0\0",
    b"81:0\0",
    b"class\0",
    b"c\0",
    b"..\0",
    b"\xff\xfe\0",
];

impl<'a> Script<'a> {
    /// There are these inodes and files, those of the device last.
    pub(super) const fn new(input: &'a [u8], nodeids: Vec<u64>, files: Vec<u64>) -> Self {
        Self { input, unique: 100, nodeids, files }
    }

    /// The next request; `None` at the end of the input.
    pub(super) fn next_request(&mut self) -> Option<Vec<u8>> {
        let kind = self.byte()?;
        if kind < 16 {
            let len = usize::from(self.byte()?).min(self.input.len());
            let (raw, rest) = self.input.split_at(len);
            self.input = rest;
            return Some(raw.to_vec());
        }
        let known = OPCODES[usize::from(self.byte()?) % OPCODES.len()];
        let opcode = if kind < 32 { u32::from(kind) + 256 * (known & 31) } else { known };
        self.unique += 2;
        let unique = if kind < 34 { 0 } else { self.unique };
        let nodeid = self.one_of(&self.nodeids.clone())?;
        let body = self.body(opcode)?;
        let len = (size_of::<fuse_in_header>() + body.len()) as u32;
        // No caller: its memory is somebody's.
        let header = fuse_in_header { len, opcode, unique, nodeid, ..Default::default() };
        let mut request = [header.as_bytes(), &body].concat();
        if kind < 64 {
            self.spoil(&mut request)?;
        }
        Some(request)
    }

    /// Changes bytes or the length of a request, with and without a length that says so.
    fn spoil(&mut self, request: &mut Vec<u8>) -> Option<()> {
        let (how, at, to) = (self.byte()?, usize::from(self.byte()?), self.byte()?);
        match how % 4 {
            0 => request.truncate(at),
            1 => request.resize(request.len() + at, to),
            // Not the number of the caller's thread.
            2 => *request.get_mut(at).filter(|_| !(32..36).contains(&at))? = to,
            _ => {
                request.truncate(at.max(4));
                let len = request.len() as u32;
                request[..4].copy_from_slice(&len.to_ne_bytes());
            }
        }
        Some(())
    }

    fn body(&mut self, opcode: u32) -> Option<Vec<u8>> {
        let fh = self.one_of(&self.files.clone())?;
        Some(match opcode {
            FUSE_LOOKUP => NAMES[usize::from(self.byte()?) % NAMES.len()].to_vec(),
            FUSE_OPEN => fuse_open_in { flags: self.byte()?.into(), ..Default::default() }.as_bytes().to_vec(),
            FUSE_READ | FUSE_READDIR => {
                let (offset, size) = (self.number()?, self.number()? as u32);
                // One that sleeps is for another test.
                let size = if size as usize == super::device::SLEEPS { 0 } else { size };
                let (read_flags, flags) = (u32::from(self.byte()?), self.number()? as u32);
                fuse_read_in { fh, offset, size, read_flags, flags, ..Default::default() }.as_bytes().to_vec()
            }
            FUSE_WRITE => {
                let names: [&[u8]; 3] = [b"d0\n", b"d1", b"\xff"];
                let data = names[usize::from(self.byte()?) % 3];
                let size = if self.byte()? < 240 { data.len() as u32 } else { self.number()? as u32 };
                let (offset, write_flags, flags) = (self.number()?, u32::from(self.byte()?), self.number()? as u32);
                let args = fuse_write_in { fh, offset, size, write_flags, flags, ..Default::default() };
                [args.as_bytes(), data].concat()
            }
            FUSE_IOCTL => self.ioctl(fh)?,
            FUSE_POLL => {
                let (kh, flags, events) = (self.number()?, self.byte()?.into(), self.number()? as u32);
                fuse_poll_in { fh, kh, flags, events }.as_bytes().to_vec()
            }
            FUSE_LSEEK => {
                let (offset, whence) = (self.number()?, u32::from(self.byte()?) % 8);
                fuse_lseek_in { fh, offset, whence, ..Default::default() }.as_bytes().to_vec()
            }
            FUSE_RELEASE | FUSE_RELEASEDIR => fuse_release_in { fh, ..Default::default() }.as_bytes().to_vec(),
            FUSE_FORGET => fuse_forget_in { nlookup: self.number()? }.as_bytes().to_vec(),
            FUSE_BATCH_FORGET => {
                let one = fuse_forget_one { nodeid: self.one_of(&self.nodeids.clone())?, nlookup: self.number()? };
                let count = if self.byte()? < 200 { 9 } else { self.number()? as u32 };
                let args = fuse_batch_forget_in { count, ..Default::default() };
                [args.as_bytes(), [one; 9].as_bytes()].concat()
            }
            FUSE_SETATTR => fuse_setattr_in { valid: self.byte()?.into(), ..Default::default() }.as_bytes().to_vec(),
            FUSE_FSYNC => {
                fuse_fsync_in { fh, fsync_flags: self.byte()?.into(), ..Default::default() }.as_bytes().to_vec()
            }
            FUSE_FLUSH => fuse_flush_in { fh, ..Default::default() }.as_bytes().to_vec(),
            FUSE_INTERRUPT => {
                // Its own, one that was answered, and any.
                let unique = match self.byte()? % 3 {
                    0 => self.unique,
                    1 => self.unique.wrapping_sub(2),
                    _ => self.number()?,
                };
                fuse_interrupt_in { unique }.as_bytes().to_vec()
            }
            FUSE_INIT => fuse_init_in { major: self.byte()?.into(), ..Default::default() }.as_bytes().to_vec(),
            _ => Vec::new(),
        })
    }

    /// As the kernel sends one, or with sizes that are not the command's.
    fn ioctl(&mut self, fh: u64) -> Option<Vec<u8>> {
        let (number, way) = (u32::from(self.byte()?) % 8, u32::from(self.byte()?));
        let size = if way & 4 == 0 { u32::from(self.byte()?) } else { self.number()? as u32 & 0x3fff };
        let cmd = way << 30 | size << 16 | u32::from(b'W') << 8 | number;
        let sized = |used: bool| if used { size } else { 0 };
        let (mut in_size, mut out_size) = (sized(way & 1 != 0), sized(way & 2 != 0));
        let data = vec![0x5a; in_size as usize];
        if way & 0xf0 == 0xf0 {
            (in_size, out_size) = (self.number()? as u32, self.number()? as u32);
        }
        // Compatible, now and then; unrestricted, rarely.
        let flags = if way & 8 == 0 { 0 } else { u32::from(self.byte()?) };
        let args = fuse_ioctl_in { fh, flags, cmd, arg: self.number()?, in_size, out_size };
        Some([args.as_bytes(), &data].concat())
    }

    /// What a request has brought: inodes and files to speak of.
    pub(super) fn answered(&mut self, request: &[u8], error: i32, body: &[u8]) {
        let Ok((header, _)) = fuse_in_header::read_from_prefix(request) else { return };
        if error != 0 {
            return;
        }
        match header.opcode {
            FUSE_LOOKUP => self.nodeids.extend(fuse_entry_out::read_from_prefix(body).ok().map(|(out, _)| out.nodeid)),
            FUSE_OPEN | FUSE_OPENDIR => {
                self.files.extend(OpenOut::read_from_prefix(body).ok().map(|(out, _)| out.fh));
            }
            _ => {}
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.input.split_first()?;
        self.input = rest;
        Some(byte)
    }

    /// Mostly one that there is, the newest more often; else the root's, or any.
    fn one_of(&mut self, known: &[u64]) -> Option<u64> {
        let byte = usize::from(self.byte()?);
        match (byte, known.len()) {
            (250.., _) => self.number(),
            (0..200, len) if len > 0 => Some(known[len - 1 - (byte / 50).min(len - 1)]),
            (_, len) if len > 0 && byte < 230 => Some(known[byte % len]),
            _ => Some(1),
        }
    }

    /// A small number, one at an edge, or any.
    fn number(&mut self) -> Option<u64> {
        let byte = self.byte()?;
        Some(match byte {
            0..160 => byte.into(),
            160..176 => 1 << ((byte - 160) * 4 + 3),
            176..192 => (1 << ((byte - 176) * 4 + 3)) - 1,
            192..200 => u64::MAX - u64::from(byte - 192),
            200..208 => u64::from(u32::MAX) - u64::from(byte - 200),
            208..216 => 4096 * 3 - 4 + u64::from(byte - 208),
            _ => {
                let mut number = u64::from(byte);
                for _ in 0..byte % 8 {
                    number = number << 8 | u64::from(self.byte()?);
                }
                number
            }
        })
    }
}
