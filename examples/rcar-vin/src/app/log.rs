//! What the program writes: nothing here waits for a reader of the log, or panics because there is none.
use std::fmt;
use std::io::{self, IsTerminal as _, Write, stderr, stdout};

/// Logs to the standard error stream what `RUST_LOG` asks for, or else this level.
pub(crate) fn init(level: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Later);
    log.without_time().with_target(false).with_ansi(stderr().is_terminal()).init();
    // The hook that is there by default writes to the standard error stream itself, inside a section for example.
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        complain(format_args!("thread {} {panic}", thread.name().unwrap_or("without a name")));
    }));
}

/// The standard error stream, written by the log thread.
struct Later;

impl Write for Later {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = bytes.to_vec();
        // A log that nobody can read is no reason to stop.
        fops_runtime::log_later(move || drop(stderr().write_all(&line)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A line for the standard error stream.
pub(crate) fn complain(line: fmt::Arguments<'_>) {
    let _ = Later.write_all(format!("rcar-vin: {line}\n").as_bytes());
}

/// A line for the standard output, now. If that is gone, nobody misses it.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(stdout(), "{line}");
}

/// A line for the standard output, soon: on a way that must not wait for a reader.
pub(crate) fn say_later(line: fmt::Arguments<'_>) {
    let line = format!("{line}\n");
    fops_runtime::log_later(move || drop(stdout().write_all(line.as_bytes())));
}
