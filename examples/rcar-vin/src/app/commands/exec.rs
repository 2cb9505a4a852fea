//! `exec`: a command that sees the nodes in `/dev`.
use super::namespace::Namespace;
use super::{FAILED, Outcome, serve};
use crate::Sensor;
use signal_hook::consts::{SIGINT, SIGQUIT};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};

pub(crate) fn run(command: &[OsString], sensor: &Sensor) -> Outcome {
    let [program, args @ ..] = command else { return Err("no command to run".into()) };
    // Before any thread exists: a user namespace is entered by a process of one thread.
    let namespace = Namespace::enter()?;
    // From here on there is something to take down.
    let mut signals = super::ending::signals()?;
    let machine = super::machine(sensor)?;
    let place = serve::Place::new(None)?;
    let server = serve::mount_at(&machine, place.path(), false)?;
    namespace.show_nodes(place.path())?;

    let child = Command::new(program).args(args).env("RCAR_VIN_ROOT", place.path()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let program = program.display();
            crate::log::complain(format_args!(
                "{program}: no such command (v4l2-ctl and v4l2-compliance: apt-get install v4l-utils)"
            ));
            return Ok(ExitCode::from(127));
        }
        Err(error) => return Err(format!("{}: {error}", program.display()).into()),
    };
    // They are the command's to heed, and this ends when that does.
    let pid = rustix::process::Pid::from_child(&child);
    std::thread::spawn(move || {
        for signal in signals.forever().filter(|signal| !came_from_terminal(*signal)) {
            // A real-time signal has no name there. It would have ended the command too.
            let signal = rustix::process::Signal::from_named_raw(signal).unwrap_or(rustix::process::Signal::TERM);
            let _ = rustix::process::kill_process(pid, signal);
        }
    });
    let status = child.wait()?;
    machine.unbind_all()?;
    drop(server);
    let faults = machine.faults();
    faults.iter().for_each(|fault| crate::log::complain(format_args!("{fault}")));
    Ok(if faults.is_empty() { exit_code(status) } else { ExitCode::from(FAILED) })
}

/// Whether the command has got the signal by itself, as Ctrl-C.
fn came_from_terminal(signal: i32) -> bool {
    let foreground = std::fs::File::open("/dev/tty").ok().and_then(|tty| rustix::termios::tcgetpgrp(tty).ok());
    matches!(signal, SIGINT | SIGQUIT) && foreground == Some(rustix::process::getpgrp())
}

/// The command's own exit code; 128 and the signal for one that was killed, as shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(FAILED.into());
    ExitCode::from(u8::try_from(code).unwrap_or(FAILED))
}
