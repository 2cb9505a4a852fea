//! The subdevs that probe makes: what they can do, and that their release ops run.
use crate::lock::Lock;
use fops_runtime::Op;
use fops_runtime::points::{Point, at_points, release_op_has_run};
use std::sync::Arc;

/// A subdev that probe has made.
#[derive(Clone, Copy)]
pub(super) struct MadeSubdev {
    /// The number of its lifetime.
    device: u64,
    /// The operations that other drivers call.
    pub(super) ops: &'static [Op],
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

impl MadeSubdev {
    /// Whether its release op is still to come.
    pub(super) fn is_kept(&self) -> bool {
        !release_op_has_run(self.device)
    }

    /// The name of its type, as the table has it.
    pub(super) fn name(&self) -> &'static str {
        self.ops.first().map_or("one", Op::type_name)
    }
}
