//! What the feature `points` brings. Without it, `no_points.rs` stands here. The docs are those of `crate::points`.
extern crate std;

use crate::op::Op;
use core::cell::RefCell;
use core::fmt::Display;
use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread_local;
use std::vec::Vec;

/// Where a thread is with its section.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Point {
    /// Before the section takes its slot.
    Entering(&'static Op),
    /// The section is open: an unplug waits for it from here on.
    Entered(&'static Op),
    /// The thread is about to sleep in `wait_event`.
    Sleeping,
    /// It has been woken, and will look at its condition.
    Woken,
    /// Before the section gives its slot back.
    Leaving,
    /// A subdev has been made.
    SubdevMade {
        /// The [`id`](crate::DeviceLifetime::id) of its lifetime.
        device: u64,
        /// The operations of its `SubdevOperations`.
        ops: &'static [Op],
    },
}

/// Called at each point that the thread comes to.
type Hook = Arc<dyn Fn(Point) + Send + Sync>;

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Runs `f`, and calls `hook` at each point that this thread comes to meanwhile: for test kits.
///
/// The hook may sleep. It may unwind at [`Point::Entered`] alone: the operation ends there, as if it had panicked.
///
/// ```
/// use fops_runtime::points::{Point, at_points};
/// use fops_runtime::{DeviceLifetime, op::op};
/// use std::sync::{Arc, Mutex};
///
/// let (lifetime, seen) = (DeviceLifetime::new(()), Arc::new(Mutex::new(Vec::new())));
/// let note = seen.clone();
/// at_points(Arc::new(move |point| note.lock().unwrap().push(format!("{point:?}"))), || {
///     drop(lifetime.enter(op!("read")));
/// });
/// assert!(seen.lock().unwrap().last().unwrap() == "Leaving");
/// ```
pub fn at_points<T>(hook: Arc<dyn Fn(Point) + Send + Sync>, f: impl FnOnce() -> T) -> T {
    /// Puts the hook from before back, on unwinding too.
    struct Restore(Option<Hook>);

    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            // Dropped outside the cell: the hook's own code may come to a point.
            let ours = HOOK.try_with(|current| current.replace(before));
            drop(ours);
        }
    }

    let _restore = Restore(HOOK.with(|current| current.replace(Some(hook))));
    f()
}

/// The devices whose driver's code has panicked on the way of an unplug.
static PANICKED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// Whether a hook or a cancellation of this device has panicked during its unplug: for test kits. `device` is the
/// [`id`](crate::DeviceLifetime::id) of its lifetime.
///
/// Unplug goes on after a panic of the driver's, so nothing else tells.
pub fn hook_has_panicked(device: u64) -> bool {
    panicked().contains(&device)
}

pub(crate) fn note_panic(device: u64) {
    panicked().insert(device);
}

fn panicked() -> MutexGuard<'static, BTreeSet<u64>> {
    // Nothing panics under it.
    PANICKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has escaped from devices, when their resources were handed back.
static ESCAPED: Mutex<BTreeMap<u64, Vec<String>>> = Mutex::new(BTreeMap::new());

/// The clones that were left when this device's resources were handed back, a line for each: for test kits. `device` is the
/// [`id`](crate::DeviceLifetime::id) of its lifetime. See [`Resources`](crate::Resources).
///
/// Otherwise the log alone tells.
pub fn escapes(device: u64) -> Vec<String> {
    escaped().get(&device).cloned().unwrap_or_default()
}

pub(crate) fn note_escape(device: u64, escape: impl Display) {
    escaped().entry(device).or_default().push(escape.to_string());
}

fn escaped() -> MutexGuard<'static, BTreeMap<u64, Vec<String>>> {
    // Nothing panics under it.
    ESCAPED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The subdevs whose release op has run.
static RELEASED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// Whether the release op of this subdev has run: for test kits. `device` is the [`id`](crate::DeviceLifetime::id) of its
/// lifetime.
pub fn release_op_has_run(device: u64) -> bool {
    released().contains(&device)
}

pub(crate) fn note_release_op(device: u64) {
    released().insert(device);
}

fn released() -> MutexGuard<'static, BTreeSet<u64>> {
    // Nothing panics under it.
    RELEASED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread is at `point`.
pub(crate) fn reach(point: Point) {
    // In the last moments of a thread there is no hook. While the hook runs, its own sections have none.
    let hook = HOOK.try_with(|current| current.borrow().clone());
    if let Ok(Some(hook)) = hook {
        hook(point);
    }
}
