//! The rcar-vin driver as a program: shows what unplug does, or serves the device to other programs.
mod commands;
mod log;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A V4L2 capture driver that can be unplugged under its users.
///
/// Without a command it shows the main job: clients stream and sleep, the devices are unbound under them, and
/// everybody's fate is printed. Nothing has to be set up for that.
#[derive(Parser)]
#[command(
    version,
    after_help = "RUST_LOG=info shows what the driver and the host do, RUST_LOG=debug each failed ioctl."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve two VINs, their receiver and their media node as files, until Ctrl-C, which unplugs them and unmounts.
    Serve {
        /// An empty directory to mount on [default: a new one under the temporary directory]
        #[arg(long, value_name = "DIR")]
        mount: Option<PathBuf>,
        /// Let other users open the device.
        #[arg(long)]
        allow_other: bool,
        #[command(flatten)]
        sensor: Sensor,
    },
    /// Run a command that sees the nodes in /dev: video0, video1, v4l-subdev0, media0.
    ///
    /// In a private mount namespace: unmodified programs such as v4l2-ctl work. The root of the served files is in
    /// RCAR_VIN_ROOT, so that the command can write to
    /// $RCAR_VIN_ROOT/sys/bus/platform/drivers/rcar-vin/unbind. Exits as the command does.
    Exec {
        #[command(flatten)]
        sensor: Sensor,
        /// The command and its arguments.
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<std::ffi::OsString>,
    },
    /// Print the table of operations with their policies.
    Ops,
    /// One client of the demonstration.
    #[command(hide = true)]
    Client {
        #[arg(long)]
        role: rcar_vin::client::Role,
        path: PathBuf,
    },
}

#[derive(Args)]
struct Sensor {
    /// Make the sensor stop delivering frames, so that DQBUF sleeps.
    #[arg(long)]
    stall: bool,
    /// Frames a second.
    #[arg(long, default_value_t = 30.0, value_name = "FPS")]
    frame_rate: f64,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Who serves is told what happens to the device, as by the kernel's log.
    let log = if matches!(cli.command, Some(Command::Serve { .. } | Command::Exec { .. })) { "info" } else { "warn" };
    log::init(log);
    let result = match cli.command {
        None => commands::demo::run(),
        Some(Command::Serve { mount, allow_other, sensor }) => commands::serve::run(mount, allow_other, &sensor),
        Some(Command::Exec { sensor, command }) => commands::exec::run(&command, &sensor),
        Some(Command::Ops) => commands::ops::run(),
        Some(Command::Client { role, path }) => commands::client::run(role, &path),
    };
    let code = result.unwrap_or_else(|error| {
        log::complain(format_args!("{error}"));
        ExitCode::from(commands::FAILED)
    });
    // A reader that sleeps does not keep the program from ending.
    fops_runtime::flush_log(Duration::from_secs(1));
    code
}
