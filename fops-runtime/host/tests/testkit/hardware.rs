//! Hardware that notices when it is used by a driver that has let go of it, and a bus driver for it.
use fops_host::testkit::{Finding, Hotplug, Report, may_fail};
use fops_host::{Driver, Probe, Removable};
use fops_runtime::{Errno, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// A chip with one register and one interrupt.
#[derive(Default)]
pub(crate) struct Hardware {
    is_mapped: AtomicBool,
    late: AtomicUsize,
    handler: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

/// The registers of the chip, mapped. Unmapped when they are dropped.
pub(crate) struct Registers(pub(crate) Arc<Hardware>);

impl Hardware {
    pub(crate) fn map(self: &Arc<Self>) -> Result<Registers> {
        may_fail("ioremap")?;
        if self.is_mapped.swap(true, SeqCst) { Err(Errno::EBUSY) } else { Ok(Registers(self.clone())) }
    }

    pub(crate) fn unmap(&self) {
        if !self.is_mapped.swap(false, SeqCst) {
            self.late.fetch_add(1, SeqCst);
        }
    }

    /// By its address, as a pointer that nobody checks.
    pub(crate) fn touch(&self) {
        if !self.is_mapped.load(SeqCst) {
            self.late.fetch_add(1, SeqCst);
        }
    }

    pub(crate) fn request_irq(&self, handler: impl Fn() + Send + Sync + 'static) {
        *self.handler.lock().unwrap() = Some(Arc::new(handler));
    }

    pub(crate) fn interrupt(&self) {
        let handler = self.handler.lock().unwrap().clone();
        if let Some(handler) = handler {
            handler();
        }
    }

    /// What has to hold while no driver is bound.
    pub(crate) fn is_left_alone(&self) {
        assert_eq!(self.late.load(SeqCst), 0, "accesses to registers that were unmapped");
        assert!(!self.is_mapped.load(SeqCst), "the registers are mapped");
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        self.0.unmap();
    }
}

type ProbeFn<D> = dyn Fn(&mut Probe, &Arc<Hardware>) -> Result<Arc<D>> + Send + Sync;

/// A driver whose probe is a closure.
pub(crate) struct Chip<D> {
    pub(crate) hardware: Arc<Hardware>,
    probe: Arc<ProbeFn<D>>,
}

impl<D: Removable> Driver for Chip<D> {
    type Device = D;

    fn name(&self) -> &str {
        "chip"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<D>> {
        (self.probe)(probe, &self.hardware)
    }
}

/// A test of the driver, with the hardware's interrupt and what has to hold while the device is away.
pub(crate) fn hotplug<D: Removable>(
    probe: impl Fn(&mut Probe, &Arc<Hardware>) -> Result<Arc<D>> + Send + Sync + 'static,
) -> Hotplug<Chip<D>> {
    let probe: Arc<ProbeFn<D>> = Arc::new(probe);
    Hotplug::of(move || Chip { hardware: Arc::default(), probe: probe.clone() }, "chip.0")
        .disturb(|chip| chip.hardware.interrupt())
        .away(|chip| chip.hardware.is_left_alone())
}

/// The kit has found this.
#[track_caller]
pub(crate) fn finds(report: &Report, problem: &str) -> Finding {
    let found = report.findings().iter().find(|finding| finding.problem.contains(problem));
    found.unwrap_or_else(|| panic!("nothing of {problem:?} in\n{report}")).clone()
}
