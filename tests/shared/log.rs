//! What drivers and hosts write to the log.
use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps what is logged in this process from here on.
pub fn capture_log() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_writer(|| Log).with_ansi(false).without_time().init();
    });
}

/// Whether a line was logged that has all of `parts` in it.
pub fn logged(parts: &[&str]) -> bool {
    times_logged(parts) > 0
}

/// How many lines were logged that have all of `parts` in them.
pub fn times_logged(parts: &[&str]) -> usize {
    fops_runtime::flush_log(crate::DEADLINE);
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log).lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}
