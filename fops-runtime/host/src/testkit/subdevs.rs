//! The subdevs that probe makes: what they can do, and that their release ops run.
use crate::lock::Lock;
use crate::testkit::suite::Suite;
use fops_runtime::Op;
use fops_runtime::points::{Point, at_points, release_op_has_run};
use std::sync::Arc;

/// A subdev that probe has made.
#[derive(Clone, Copy)]
pub(super) struct MadeSubdev {
    /// The number of its lifetime.
    device: u64,
    /// The operations that other drivers call.
    ops: &'static [Op],
}

/// `step`, and the subdevs that it will have made.
pub(super) fn noted<T>(step: impl FnOnce() -> T) -> (Arc<Lock<Vec<MadeSubdev>>>, impl FnOnce() -> T) {
    let made = Arc::<Lock<Vec<MadeSubdev>>>::default();
    let notes = made.clone();
    let note = move |point| {
        if let Point::SubdevMade { device, ops } = point {
            notes.lock().push(MadeSubdev { device, ops });
        }
    };
    (made, || at_points(Arc::new(note), step))
}

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// Probe has made these.
    pub(super) fn note_subdevs(&mut self, made: &mut Vec<MadeSubdev>) {
        // That a release op runs is looked at below; it has no section.
        self.know(made.iter().flat_map(|subdev| subdev.ops).filter(|op| op.name() != "release"));
        self.subdevs.append(made);
    }

    /// The device is gone, and its last file is closed: nobody refers to its subdevs.
    pub(super) fn subdevs_are_released(&mut self) {
        let subdevs = std::mem::take(&mut self.subdevs);
        let is_kept = |subdev: &&MadeSubdev| !release_op_has_run(subdev.device);
        if !self.patience.until(|| subdevs.iter().all(|subdev| !is_kept(&subdev)))
            && let Some(subdev) = subdevs.iter().find(is_kept)
        {
            self.has_leaked = true;
            let name = subdev.ops.first().map_or("one", Op::type_name);
            self.find(
                format!("the last file is closed, and the release op of the subdev `{name}` has not run"),
                "somebody has kept a handle to it: keep those in the device's own structure",
            );
        }
    }
}
