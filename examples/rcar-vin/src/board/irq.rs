//! The interrupt line, with the promises of `request_irq` and `free_irq`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::{Condvar, Mutex};

use super::Busy;

/// What an interrupt handler says about the interrupt (`irqreturn_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqReturn {
    /// The interrupt was not from this device.
    None,
    /// The interrupt was from this device and has been dealt with.
    Handled,
}

type Handler = dyn Fn() -> IrqReturn + Send + Sync;

#[derive(Default)]
struct State {
    handler: Option<Arc<Handler>>,
    /// The thread that runs the handler right now. A line never runs its handler twice at once.
    running: Option<ThreadId>,
    delivered: u64,
    unhandled: u64,
}

/// One interrupt line.
#[derive(Default)]
pub(super) struct IrqLine {
    state: Mutex<State>,
    idle: Condvar,
}

impl IrqLine {
    pub(super) fn request(
        self: &Arc<Self>,
        handler: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<IrqGuard, Busy> {
        let mut state = self.state.lock();
        if state.handler.is_some() {
            return Err(Busy);
        }
        state.handler = Some(Arc::new(handler));
        Ok(IrqGuard { line: Arc::clone(self) })
    }

    /// Runs the handler on this thread; returns when it has run.
    pub(super) fn raise(&self) {
        let this = thread::current().id();
        let mut state = self.state.lock();
        while let Some(runner) = state.running {
            if runner == this {
                tracing::error!("interrupt raised from within its own handler");
                return;
            }
            self.idle.wait(&mut state);
        }
        let Some(handler) = state.handler.clone() else {
            state.unhandled += 1;
            drop(state);
            tracing::debug!("irq: nobody cared (no handler)");
            return;
        };
        state.running = Some(this);
        drop(state);

        // A panic of the driver must not take the hardware with it.
        let outcome = catch_unwind(AssertUnwindSafe(|| handler()));
        // Before the line is idle: whoever waits in `free` may rely on nothing of the handler being
        // left on this thread.
        drop(handler);

        let mut state = self.state.lock();
        state.running = None;
        match outcome {
            Ok(IrqReturn::Handled) => state.delivered += 1,
            Ok(IrqReturn::None) => state.unhandled += 1,
            Err(_) => tracing::error!("the interrupt handler panicked"),
        }
        self.idle.notify_all();
    }

    fn free(&self) {
        let this = thread::current().id();
        let mut state = self.state.lock();
        // From here on no interrupt starts the handler; it is dropped below, after the last one.
        let handler = state.handler.take();
        while let Some(runner) = state.running {
            if runner == this {
                tracing::error!("interrupt freed from within its own handler: not waiting for it");
                break;
            }
            self.idle.wait(&mut state);
        }
        drop(state);
        drop(handler);
    }

    pub(super) fn delivered(&self) -> u64 {
        self.state.lock().delivered
    }

    pub(super) fn unhandled(&self) -> u64 {
        self.state.lock().unhandled
    }
}

/// A requested interrupt; dropping it is `free_irq`.
///
/// The drop waits until a handler that is running has returned, and no handler starts afterwards;
/// then the handler itself is dropped. So it must not be dropped while holding a lock that the
/// handler takes: the two would wait for each other, as in the kernel. The kernel also deadlocks if
/// a handler frees its own interrupt; here that is logged, the handler in progress is not waited
/// for, and it is dropped when it returns.
///
/// A handler that owns what owns this guard is a cycle that nothing breaks: let it hold a `Weak`.
#[must_use = "dropping it frees the interrupt"]
pub struct IrqGuard {
    line: Arc<IrqLine>,
}

impl Drop for IrqGuard {
    fn drop(&mut self) {
        self.line.free();
    }
}
