//! `serve`: the devices as files, until Ctrl-C.
use super::Outcome;
use crate::Sensor;
use fops_host::fuse::{Options, Server};
use fops_runtime::Client;
use rcar_vin::driver::core::{DEVICE, DRIVER};
use rcar_vin::driver::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use rcar_vin::machine::Machine;
use signal_hook::iterator::Signals;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long those who have the device open may take to close it.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(mount: Option<PathBuf>, allow_other: bool, sensor: &Sensor) -> Outcome {
    let mut signals = super::ending::signals()?;
    let machine = super::machine(sensor)?;
    let place = Place::new(mount)?;
    let server = mount_at(&machine, place.path(), allow_other)?;
    let root = place.path().display();
    let nodes: Vec<_> = machine.devices.all().iter().map(|node| node.name().to_owned()).collect();
    let drivers = format!("{root}/sys/bus/platform/drivers");
    crate::log::say(format_args!("serving {} at {root}/dev (mmap: {})", nodes.join(", "), server.mmap()));
    crate::log::say(format_args!("  unplug video0      echo {DEVICE} > {drivers}/{DRIVER}/unbind"));
    crate::log::say(format_args!("  plug it in again   echo {DEVICE} > {drivers}/{DRIVER}/bind"));
    crate::log::say(format_args!("  unplug all nodes   echo {CSI2_DEVICE} > {drivers}/{CSI2_DRIVER}/unbind"));
    crate::log::say(format_args!("  stop               Ctrl-C"));
    crate::log::say(format_args!(
        "for v4l-utils, which look for a device node: rcar-vin exec -- v4l2-ctl --stream-mmap --stream-count=30"
    ));
    signals.forever().next();
    crate::log::say_later(format_args!("unplugging"));
    for removal in machine.begin_unbind() {
        while matches!(removal.wait_for(Duration::from_millis(50)), Ok(None)) {
            // One more signal: its sender does not want to wait for operations that hang.
            if signals.pending().next().is_some() {
                return Ok(ExitCode::from(super::FAILED));
            }
        }
    }
    part(&server, &mut signals);
    drop(server);
    let faults = machine.faults();
    faults.iter().for_each(|fault| crate::log::say_later(format_args!("{fault}")));
    Ok(ExitCode::from(u8::from(!faults.is_empty())))
}

/// Answers `ENODEV` to those who still have the device open, for a while: they learn nothing from a directory that is gone.
fn part(server: &Server, signals: &mut Signals) {
    let mut holders = server.wait_for_close(Duration::ZERO);
    if holders.is_empty() {
        return;
    }
    let names: BTreeSet<_> = holders.iter().map(Client::to_string).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    crate::log::say_later(format_args!(
        "waiting {PATIENCE:?} for files to be closed, opened by {names} (Ctrl-C: at once)"
    ));
    let began = Instant::now();
    while !holders.is_empty() && began.elapsed() < PATIENCE && signals.pending().next().is_none() {
        holders = server.wait_for_close(Duration::from_millis(50));
    }
}

/// Mounts the machine's files at `root`.
pub(super) fn mount_at(machine: &Machine, root: &Path, allow_other: bool) -> Result<Server, Box<dyn Error>> {
    Ok(Server::mount(root, &machine.bus, Options::new().allow_other(allow_other))?)
}

/// Where to mount: a directory of the user's, or a new one that goes with this.
pub(super) enum Place {
    Given(PathBuf),
    New(PathBuf),
}

impl Place {
    pub(super) fn new(given: Option<PathBuf>) -> Result<Self, Box<dyn Error>> {
        if let Some(path) = given {
            return Ok(Self::Given(path));
        }
        let new = tempfile::Builder::new().prefix("rcar-vin-").tempdir();
        // Removed by hand: what is still mounted must not be emptied.
        Ok(Self::New(new.map_err(|error| format!("cannot create a directory: {error}"))?.keep()))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::New(path) => path,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::New(path) = self {
            // Empty, once it is unmounted; if not, better left than lost.
            let _ = std::fs::remove_dir(path);
        }
    }
}
