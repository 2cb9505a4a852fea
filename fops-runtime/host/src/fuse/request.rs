//! Requests as the kernel sends them: a pure function from bytes to what is asked.
use super::abi::*;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// One request.
#[derive(Clone, Copy)]
pub(super) struct Parsed<'a> {
    pub(super) header: fuse_in_header,
    pub(super) operation: Operation<'a>,
}

/// What is asked, with the arguments that somebody looks at.
#[derive(Clone, Copy)]
pub(super) enum Operation<'a> {
    Lookup {
        name: &'a [u8],
    },
    Forget {
        lookups: u64,
    },
    BatchForget(Forgets<'a>),
    Getattr,
    Setattr(fuse_setattr_in),
    Readlink,
    Open(fuse_open_in),
    Read(fuse_read_in),
    Write {
        args: fuse_write_in,
        data: &'a [u8],
    },
    Statfs,
    Release {
        fh: u64,
    },
    Fsync {
        fh: u64,
        datasync: bool,
    },
    Flush {
        fh: u64,
    },
    Init {
        args: fuse_init_in,
        flags2: u32,
    },
    Opendir,
    Readdir(fuse_read_in),
    Releasedir {
        fh: u64,
    },
    Access,
    Interrupt {
        unique: u64,
    },
    Destroy,
    Ioctl {
        args: fuse_ioctl_in,
        data: &'a [u8],
    },
    Poll(fuse_poll_in),
    Lseek(fuse_lseek_in),
    /// Makes, removes or renames something.
    Modify,
    Unknown,
}

/// The entries of a `FUSE_BATCH_FORGET`.
#[derive(Clone, Copy)]
pub(super) struct Forgets<'a>(&'a [u8]);

impl Forgets<'_> {
    /// Inode numbers, and how many lookups of each are forgotten.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        let entries = self.0.chunks_exact(size_of::<fuse_forget_one>());
        entries.filter_map(|entry| fuse_forget_one::read_from_bytes(entry).ok()).map(|one| (one.nodeid, one.nlookup))
    }
}

/// A request that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Whom to answer; `None` where the kernel expects no answer, or nothing could be read.
    pub(super) unique: Option<u64>,
    /// The request's number, where it could be read.
    pub(super) opcode: Option<u32>,
    /// What is wrong.
    pub(super) reason: &'static str,
}

const TOO_SHORT: &str = "too short";

/// Takes a request apart. Never panics, whatever the bytes.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Malformed> {
    let Ok((header, rest)) = fuse_in_header::read_from_prefix(bytes) else {
        return Err(Malformed { unique: None, opcode: None, reason: TOO_SHORT });
    };
    let malformed = |reason| Malformed { unique: answered(&header), opcode: Some(header.opcode), reason };
    if header.len as usize != bytes.len() {
        return Err(malformed("its length is not the one it claims"));
    }
    if header.unique == 0 {
        // Its answer would be taken for a notification.
        return Err(malformed("it has no number"));
    }
    let operation = operation(header.opcode, rest).map_err(malformed)?;
    Ok(Parsed { header, operation })
}

/// Whom to answer.
fn answered(header: &fuse_in_header) -> Option<u64> {
    let silent = matches!(header.opcode, FUSE_FORGET | FUSE_BATCH_FORGET);
    (header.unique != 0 && !silent).then_some(header.unique)
}

fn operation(opcode: u32, rest: &[u8]) -> Result<Operation<'_>, &'static str> {
    Ok(match opcode {
        FUSE_LOOKUP => Operation::Lookup { name: name(rest)? },
        FUSE_FORGET => Operation::Forget { lookups: args::<fuse_forget_in>(rest)?.0.nlookup },
        FUSE_BATCH_FORGET => {
            let (args, entries) = args::<fuse_batch_forget_in>(rest)?;
            let len = (args.count as usize).checked_mul(size_of::<fuse_forget_one>()).ok_or(TOO_SHORT)?;
            Operation::BatchForget(Forgets(entries.get(..len).ok_or(TOO_SHORT)?))
        }
        FUSE_GETATTR => Operation::Getattr,
        FUSE_SETATTR => Operation::Setattr(args(rest)?.0),
        FUSE_READLINK => Operation::Readlink,
        FUSE_OPEN => Operation::Open(args(rest)?.0),
        FUSE_READ => Operation::Read(args(rest)?.0),
        FUSE_WRITE => {
            let (args, data) = args::<fuse_write_in>(rest)?;
            Operation::Write { args, data: data.get(..args.size as usize).ok_or(TOO_SHORT)? }
        }
        FUSE_STATFS => Operation::Statfs,
        FUSE_RELEASE => Operation::Release { fh: args::<fuse_release_in>(rest)?.0.fh },
        FUSE_FSYNC => {
            let args = args::<fuse_fsync_in>(rest)?.0;
            Operation::Fsync { fh: args.fh, datasync: args.fsync_flags & FUSE_FSYNC_FDATASYNC != 0 }
        }
        FUSE_FLUSH => Operation::Flush { fh: args::<fuse_flush_in>(rest)?.0.fh },
        FUSE_INIT => {
            let (args, rest) = args::<InitIn>(rest)?;
            let flags2 = if args.flags & FUSE_INIT_EXT == 0 { 0 } else { self::args::<InitInExt>(rest)?.0.flags2 };
            Operation::Init { args, flags2 }
        }
        FUSE_OPENDIR => Operation::Opendir,
        FUSE_READDIR => Operation::Readdir(args(rest)?.0),
        FUSE_RELEASEDIR => Operation::Releasedir { fh: args::<fuse_release_in>(rest)?.0.fh },
        FUSE_ACCESS => Operation::Access,
        FUSE_INTERRUPT => Operation::Interrupt { unique: args::<fuse_interrupt_in>(rest)?.0.unique },
        FUSE_DESTROY => Operation::Destroy,
        FUSE_IOCTL => {
            let (args, data) = args::<fuse_ioctl_in>(rest)?;
            Operation::Ioctl { args, data: data.get(..args.in_size as usize).ok_or(TOO_SHORT)? }
        }
        FUSE_POLL => Operation::Poll(args(rest)?.0),
        FUSE_LSEEK => Operation::Lseek(args(rest)?.0),
        FUSE_SYMLINK | FUSE_MKNOD | FUSE_MKDIR | FUSE_UNLINK | FUSE_RMDIR | FUSE_RENAME | FUSE_LINK | FUSE_CREATE
        | FUSE_RENAME2 => Operation::Modify,
        _ => Operation::Unknown,
    })
}

/// The fixed arguments, and what comes after them. Copied: the kernel's alignment is not relied on.
fn args<T: FromBytes + KnownLayout + Immutable>(bytes: &[u8]) -> Result<(T, &[u8]), &'static str> {
    T::read_from_prefix(bytes).map_err(|_| TOO_SHORT)
}

/// A name with its terminating zero.
fn name(bytes: &[u8]) -> Result<&[u8], &'static str> {
    match bytes.split_last() {
        Some((0, name)) if !name.is_empty() && !name.contains(&0) && !name.contains(&b'/') => Ok(name),
        _ => Err("it has no proper name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    fn bytes(opcode: u32, rest: &[u8]) -> Vec<u8> {
        let len = (size_of::<fuse_in_header>() + rest.len()) as u32;
        let header = fuse_in_header { len, opcode, unique: 7, nodeid: 1, pid: 42, ..Default::default() };
        [header.as_bytes(), rest].concat()
    }

    /// One well-formed request of each kind that has arguments.
    fn samples() -> Vec<Vec<u8>> {
        let write = fuse_write_in { size: 3, ..Default::default() };
        let ioctl = fuse_ioctl_in { in_size: 4, ..Default::default() };
        let init = InitIn { major: 7, minor: 40, max_readahead: 0, flags: FUSE_INIT_EXT };
        let batch = fuse_batch_forget_in { count: 2, dummy: 0 };
        vec![
            bytes(FUSE_LOOKUP, b"dev\0"),
            bytes(FUSE_FORGET, fuse_forget_in { nlookup: 1 }.as_bytes()),
            bytes(FUSE_BATCH_FORGET, &[batch.as_bytes(), [fuse_forget_one::default(); 2].as_bytes()].concat()),
            bytes(FUSE_SETATTR, fuse_setattr_in::default().as_bytes()),
            bytes(FUSE_OPEN, fuse_open_in::default().as_bytes()),
            bytes(FUSE_READ, fuse_read_in::default().as_bytes()),
            bytes(FUSE_WRITE, &[write.as_bytes(), b"abc"].concat()),
            bytes(FUSE_RELEASE, fuse_release_in::default().as_bytes()),
            bytes(FUSE_FSYNC, fuse_fsync_in::default().as_bytes()),
            bytes(FUSE_FLUSH, fuse_flush_in::default().as_bytes()),
            bytes(FUSE_INIT, &[init.as_bytes(), InitInExt::default().as_bytes()].concat()),
            bytes(FUSE_READDIR, fuse_read_in::default().as_bytes()),
            bytes(FUSE_RELEASEDIR, fuse_release_in::default().as_bytes()),
            bytes(FUSE_INTERRUPT, fuse_interrupt_in::default().as_bytes()),
            bytes(FUSE_IOCTL, &[ioctl.as_bytes(), &[1, 2, 3, 4]].concat()),
            bytes(FUSE_POLL, fuse_poll_in::default().as_bytes()),
            bytes(FUSE_LSEEK, fuse_lseek_in::default().as_bytes()),
        ]
    }

    #[test]
    fn what_is_whole_is_understood() {
        for sample in samples() {
            let parsed = parse(&sample).unwrap_or_else(|error| panic!("{error:?}"));
            assert!(!matches!(parsed.operation, Operation::Unknown), "opcode {}", parsed.header.opcode);
        }
        let lookup = bytes(FUSE_LOOKUP, b"video0\0");
        let Operation::Lookup { name } = parse(&lookup).unwrap_or_else(|e| panic!("{e:?}")).operation else { panic!() };
        assert_eq!(name, b"video0");
        assert!(matches!(parse(&bytes(4711, b"")).map(|parsed| parsed.operation), Ok(Operation::Unknown)));
    }

    #[test]
    fn what_is_cut_short_is_refused_and_answered() {
        for sample in samples() {
            let opcode = parse(&sample).unwrap_or_else(|error| panic!("{error:?}")).header.opcode;
            for len in 0..sample.len() {
                // Cut off, with the length that it says it has, and with the one that it has.
                let mut cut = sample[..len].to_vec();
                let malformed = parse(&cut).err().unwrap_or_else(|| panic!("opcode {opcode} of {len} bytes"));
                assert_eq!(malformed.opcode, (len >= 40).then_some(opcode));
                if len >= 40 {
                    cut[..4].copy_from_slice(&(len as u32).to_ne_bytes());
                    let malformed = parse(&cut).err().unwrap_or_else(|| panic!("opcode {opcode} of {len} bytes"));
                    let silent = matches!(opcode, FUSE_FORGET | FUSE_BATCH_FORGET);
                    assert_eq!(malformed.unique, (!silent).then_some(7));
                }
            }
        }
    }

    #[test]
    fn names_are_checked() {
        for name in [&b""[..], b"\0", b"dev", b"a\0b\0", b"a/b\0"] {
            assert!(parse(&bytes(FUSE_LOOKUP, name)).is_err(), "{name:?}");
        }
    }

    #[test]
    fn random_bytes_do_not_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let samples = samples();
        for round in 0..200_000_usize {
            let mut input = samples[round % samples.len()].clone();
            for _ in 0..random() % 8 {
                let at = random() as usize % input.len();
                input[at] = random() as u8;
            }
            input.truncate(random() as usize % (input.len() + 1));
            if round % 2 == 0 && input.len() >= 8 {
                // Past the first checks, into the arguments.
                let len = input.len() as u32;
                input[..4].copy_from_slice(&len.to_ne_bytes());
                input[4..8].copy_from_slice(&(random() as u32 % 60).to_ne_bytes());
            }
            if let Ok(Parsed { operation: Operation::BatchForget(forgets), .. }) = parse(&input) {
                assert!(forgets.iter().count() <= input.len());
            }
        }
    }
}
