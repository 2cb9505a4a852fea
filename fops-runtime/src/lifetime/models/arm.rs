//! Starts of the hardware against unplug.
use super::{Arc, model, spawn};
use crate::lifetime::{self, Cause, DeviceLifetime, Part, Parts, Unplug, Unpluggable};
use crate::op::op;
use loom::cell::UnsafeCell;

/// Whether the hardware runs. In a cell, so that a start that is not ordered against the stop hook is found.
struct Hardware(UnsafeCell<bool>);

// SAFETY: what touches it is ordered, or the model fails.
unsafe impl Sync for Hardware {}
// SAFETY: as above.
unsafe impl Send for Hardware {}

impl Hardware {
    fn set(&self, runs: bool) {
        // SAFETY: loom reports any other access at the same time.
        self.0.with_mut(|state| unsafe { *state = runs });
    }
}

struct Camera(DeviceLifetime<Hardware>);

impl lifetime::Device for Camera {
    type Resources = Hardware;

    fn lifetime(&self) -> &DeviceLifetime<Hardware> {
        &self.0
    }

    fn stop(&self, hardware: &Hardware, _: Cause) {
        hardware.set(false);
    }
}

impl Unpluggable for Camera {
    type Resources = Hardware;

    fn parts(&self) -> impl Parts<Resources = Hardware> {
        Part::of(self)
    }
}

#[test]
fn a_start_is_before_the_stop_hook_or_not_at_all() {
    model(|| {
        let camera = Arc::new(Camera(DeviceLifetime::new(Hardware(UnsafeCell::new(false)))));
        let starts = spawn!(|camera| {
            if let Ok(access) = camera.0.enter(op!("streamon")) {
                let _ = access.arm(|| access.set(true));
            }
        });
        let hardware = camera.unplug(Cause::Unbind).unwrap();
        // SAFETY: nobody else has it.
        assert!(!hardware.0.with(|state| unsafe { *state }), "handed back while it runs");
        starts.join().unwrap();
    });
}
