//! What pauses sleep on.
use crate::platform::atomic::{AtomicU32, Ordering};
use crate::platform::{self, needed};
use core::time::Duration;

platform::shared_static! {
    /// Changes whenever something has changed that a pause may wait for. It is one for all devices: pauses are rare, and a
    /// wake-up that is for another one costs a look.
    static EVENT: AtomicU32 = AtomicU32::new(0);
}

/// The argument for [`wait_for_pauses`]. Read it before you look at what you wait for.
pub(crate) fn pause_event() -> u32 {
    // Acquire pairs with the release in `signal_pauses`.
    EVENT.load(needed("acquire of a pause's event", Ordering::Acquire))
}

/// Sleeps until [`signal_pauses`] has run since [`pause_event`], or for `timeout`. May return early.
pub(crate) fn wait_for_pauses(seen: u32, timeout: Duration) {
    platform::wait(&EVENT, seen, Some(timeout));
}

/// Has every pause look again at what it waits for.
#[cold]
#[inline(never)]
pub(crate) fn signal_pauses() {
    // Release: what the pause waits for was changed before.
    EVENT.fetch_add(1, needed("release of a pause's event", Ordering::Release));
    platform::wake_all(&EVENT);
}
