//! Models of the gate, run by loom in every order that the memory model allows; those of the unplug sequence and of the
//! waits stand beside them, in `lifetime/models`:
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p fops-runtime --features async --release --lib models`
//!
//! The models of the gate also run on the slots that all threads share:
//!
//! `RUSTFLAGS="--cfg loom --cfg fops_shared" cargo test -p fops-runtime --release --lib gate::models`
//!
//! What a device lends is a cell that loom watches: a read that is not ordered before the write of the remover is a
//! failure, and so is a thread that sleeps for ever.
extern crate std;

mod slots;
mod weak;

use super::{Gate, Slot, heavy_fence};
use crate::op::op;
use loom::cell::UnsafeCell;
// The program's own: how it is counted is not what is looked at.
pub(crate) use std::sync::Arc;

/// Registers that must not be read once the remover writes to them.
pub(crate) struct Registers(UnsafeCell<u32>);

// SAFETY: loom checks every access.
unsafe impl Sync for Registers {}

impl Registers {
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(7))
    }

    pub(crate) fn read(&self) -> u32 {
        // SAFETY: loom checks that nobody writes meanwhile.
        self.0.with(|value| unsafe { *value })
    }

    pub(crate) fn destroy(&self) {
        // SAFETY: loom checks that nobody else looks meanwhile.
        self.0.with_mut(|value| unsafe { *value = 0xdead });
    }
}

/// Starts a thread that is given a share of each of these.
macro_rules! spawn {
    (|$($shared:ident),+| $body:expr) => {{
        $(let $shared = $shared.clone();)+
        loom::thread::spawn(move || $body)
    }};
}
pub(crate) use spawn;

/// Every interleaving that so many switches can bring about.
pub(crate) fn bounded(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

/// A gate with something behind it, and without what else belongs to a lifetime: a lock that both sides take would hide
/// an order that the gate owes.
struct Device {
    gate: Gate,
    registers: Registers,
}

impl Device {
    fn new() -> Arc<Self> {
        // What is made when it is first used orders whoever uses it next: not what is looked at.
        super::slots::entries().count();
        Arc::new(Self { gate: Gate::new(), registers: Registers::new() })
    }

    fn enter(&self, owned: bool) -> Option<Slot> {
        let slot = self.gate.enter(op!("model"), owned)?;
        assert_eq!(self.registers.read(), 7);
        Some(slot)
    }

    fn exit(&self, slot: Slot) {
        assert_eq!(self.registers.read(), 7);
        self.gate.exit(slot);
    }

    fn operate(&self) {
        if let Some(slot) = self.enter(false) {
            self.exit(slot);
        }
    }

    fn unplug(&self) {
        self.gate.close();
        assert!(heavy_fence());
        assert!(self.gate.drain(None));
        self.registers.destroy();
    }
}
