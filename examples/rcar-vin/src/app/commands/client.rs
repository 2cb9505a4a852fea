//! `client`: one process of the demonstration. It tells its parent how it fares on standard output.
use super::Outcome;
use rcar_vin::client::{Fate, RealFile, Role};
use std::io::{Read as _, stdin};
use std::path::Path;
use std::process::ExitCode;

const READY: &str = "ready";

pub(crate) fn run(role: Role, path: &Path) -> Outcome {
    let file = RealFile::open(path).map_err(|errno| format!("{}: {errno}", path.display()))?;
    let fate = role.act(file, || {
        crate::log::say(format_args!("{READY}"));
        if role == Role::Hold {
            // The parent closes the pipe when the device is gone.
            let _ = stdin().read_to_end(&mut Vec::new());
        }
    })?;
    crate::log::say(format_args!("{}", fate.to_line()));
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
    Fate::from_line(line).map(Said::End)
}
