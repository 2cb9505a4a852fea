//! `exec`: a command that sees the nodes in `/dev`.
use super::namespace::Namespace;
use super::{FAILED, Outcome, serve};
use crate::Sensor;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};

pub(crate) fn run(command: &[OsString], sensor: &Sensor) -> Outcome {
    let [program, args @ ..] = command else { return Err("no command to run".into()) };
    // Before any thread exists: a user namespace is entered by a process of one thread.
    let namespace = Namespace::enter()?;
    let machine = super::machine(sensor)?;
    let place = serve::Place::new(None)?;
    let server = serve::mount_at(&machine, place.path(), false)?;
    namespace.show_nodes(place.path())?;

    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let child = Command::new(program).args(args).env("RCAR_VIN_ROOT", place.path()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let program = program.display();
            eprintln!("rcar-vin: {program}: no such command (v4l2-ctl and v4l2-compliance: apt-get install v4l-utils)");
            return Ok(ExitCode::from(127));
        }
        Err(error) => return Err(format!("{}: {error}", program.display()).into()),
    };
    // Ctrl-C reaches the command by itself; a SIGTERM is passed on.
    let pid = rustix::process::Pid::from_child(&child);
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if signal == SIGTERM {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
        }
    });
    let status = child.wait()?;
    machine.unbind_all()?;
    drop(server);
    let faults = machine.faults();
    faults.iter().for_each(|fault| eprintln!("rcar-vin: {fault}"));
    Ok(if faults.is_empty() { exit_code(status) } else { ExitCode::from(FAILED) })
}

/// The command's own exit code; 128 and the signal for one that was killed, as shells have it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(FAILED.into());
    ExitCode::from(u8::try_from(code).unwrap_or(FAILED))
}
