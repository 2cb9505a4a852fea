//! `client`: one process of the demonstration. It tells its parent how it fares on standard output.
use super::Outcome;
use fops_runtime::{Errno, PollEvents};
use rcar_vin::client::{Fate, Last, RealFile, Role};
use std::io::{Read as _, stdin};
use std::path::Path;
use std::process::ExitCode;

const READY: &str = "ready";
/// Calls that a fate may name.
const CALLS: [&str; 4] = ["DQBUF", "QBUF", "read", "G_FMT"];

pub(crate) fn run(role: Role, path: &Path) -> Outcome {
    let file = RealFile::open(path).map_err(|errno| format!("{}: {errno}", path.display()))?;
    let fate = role.act(file, || {
        println!("{READY}");
        if role == Role::Hold {
            // The parent closes the pipe when the device is gone.
            let _ = stdin().read_to_end(&mut Vec::new());
        }
    })?;
    match fate.last {
        Last::Error(call, errno) => println!("{} error {call} {}", fate.frames, errno.raw()),
        Last::Mask(mask) => println!("{} mask poll {}", fate.frames, mask.bits()),
    }
    Ok(ExitCode::SUCCESS)
}

/// What a line of a client says.
pub(super) enum Said {
    Ready,
    End(Fate),
}

pub(super) fn parse(line: &str) -> Option<Said> {
    if line == READY {
        return Some(Said::Ready);
    }
    let words: Vec<_> = line.split(' ').collect();
    let &[frames, kind, call, number] = &words[..] else { return None };
    let last = match kind {
        "error" => Last::Error(CALLS.into_iter().find(|known| *known == call)?, Errno::from_raw(number.parse().ok()?)),
        "mask" => Last::Mask(PollEvents::from_bits(number.parse().ok()?)),
        _ => return None,
    };
    Some(Said::End(Fate { frames: frames.parse().ok()?, last }))
}
