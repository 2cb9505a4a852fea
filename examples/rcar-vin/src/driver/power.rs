//! Suspend, resume and reset. The node's operations wait meanwhile: those that begin, and those that sleep for a frame. After
//! `rvin_suspend` and `rvin_resume` in `rcar-core.c`.
use crate::driver::core::RcarVin;
use fops_host::Power;
use fops_runtime::op::op;
use fops_runtime::{Errno, Result};
use std::time::Duration;

/// How long the operations in flight may take. None of them waits for a frame: those that do sleep through the runtime.
const LIMIT: Duration = Duration::from_secs(5);

impl RcarVin {
    /// Stops the hardware, starts it again, or both. A stream that is on stays on.
    ///
    /// # Errors
    /// `EBUSY` if operations have not ended in time, and the log names them; `ENODEV` when the device goes; when it goes on,
    /// as STREAMON.
    pub(crate) fn power(&self, power: Power) -> Result {
        let op = match power {
            Power::Suspend => op!("suspend"),
            Power::Resume => op!("resume"),
            Power::Reset => op!("reset"),
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let paused = self.lifetime.pause_for(op, LIMIT).map_err(|error| {
            tracing::warn!("{}: {error}", self.device.name());
            Errno::from(error)
        })?;
        match power {
            Power::Resume => {
                let result = self.go_on(&paused);
                paused.resume();
                // It came to nothing meanwhile.
                self.sensor_irq();
                self.done.wake_all();
                result
            }
            Power::Suspend => {
                self.halt(&paused);
                paused.keep();
                Ok(())
            }
            // A device that is suspended stays so.
            _ => {
                let was_running = self.halt(&paused);
                paused.port.reset.reset();
                let result = if was_running { self.go_on(&paused) } else { Ok(()) };
                drop(paused);
                self.sensor_irq();
                self.done.wake_all();
                result
            }
        }
    }
}
