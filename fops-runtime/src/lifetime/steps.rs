//! The steps of an unplug, for whatever goes together: tell, stop, wake, drain.
use super::cause::{Cause, UnplugError};
use super::notes::Note;
use super::parts::{Member, Parts};
use super::role::Busy;
use super::state::{Core, Holder, Phase, Role};
use super::trace::{self, Step};
use super::work::Work;
use crate::gate::{self, Section};
use crate::platform;
use crate::platform::without::{self, without};
use core::time::Duration;

#[cfg(feature = "std")]
extern crate std;

type Taken<'m> = Result<Option<Busy<'m>>, UnplugError>;

/// Has the flags seen, and wakes who sleeps: the second step. `taken` is what came of the roles.
///
/// Where this unplug has no role yet, it tells those whose flag it has set. The others are told by who set theirs.
///
/// # Errors
/// [`UnplugError::FenceRefused`]. The sleepers are woken all the same.
pub(super) fn tell(role: &Role, parts: &impl Parts, taken: &Taken<'_>) -> Result<(), UnplugError> {
    let has_roles = matches!(taken, Ok(None));
    let is_told =
        |member: &Member<'_>| if has_roles { role.has(member.core()) } else { role.has_flagged(member.core()) };
    let fenced = if has_roles {
        role.fence(parts)
    } else if !parts.members().any(|member| is_told(&member)) || gate::heavy_fence() {
        Ok(())
    } else {
        platform::log_error(format_args!("{}", UnplugError::FenceRefused));
        Err(UnplugError::FenceRefused)
    };
    // Without the fence a section may be missed here, but that section sees the flag when it next looks.
    // All sleepers first: a callback of one device may wait for a sleeper of another.
    #[cfg(all(feature = "std", target_os = "linux"))]
    if !without(without::Step::Cancel) {
        parts.members().filter(is_told).for_each(|member| member.core().raise_unplug_fd());
    }
    #[cfg(feature = "std")]
    parts.members().filter(is_told).for_each(|member| member.core().end_pause_at_unplug());
    wake_sleepers(parts, is_told);
    parts.members().filter(is_told).for_each(|member| member.core().cancel());
    fenced
}

/// Stops the devices whose role is free, while this unplug waits for another role: an operation that keeps that one
/// waiting may wait for their hardware.
pub(super) fn stop_the_free(role: &Role, parts: &impl Parts, holder: Holder) -> Result<(), UnplugError> {
    if !role.take_the_free(parts, holder) {
        return Ok(());
    }
    let fenced = role.fence(parts);
    if fenced.is_ok() {
        stop(role, parts);
        wake(role, parts, true);
    }
    // No role is held while this unplug waits.
    role.give_up(parts);
    fenced
}

/// Calls the stop hooks that have not been called yet: the third step.
pub(super) fn stop(role: &Role, parts: &impl Parts) {
    for member in parts.members() {
        let core = member.core();
        let mut cold = core.cold().lock();
        let is_due = cold.phase == Phase::Unplugging && cold.is_held_by(role) && member.has_hooks();
        if !is_due || core::mem::replace(&mut cold.stopped, true) {
            continue;
        }
        let cause = cold.cause.unwrap_or(Cause::Unbind);
        drop(cold);
        core.wait_for_starts();
        // SAFETY: this unplug has the role, so nobody else moves the resources out, and they are still in place.
        core.run_hook(Work::StopHook, || unsafe { member.stop(cause) });
        core.note(|record, since| record.stopped = since);
        trace::step(core.gate.number(), Step::Stopped);
    }
}

/// Calls the wake hooks: all of them the first time, then those that ask for it. Whether one asks to be called again.
pub(super) fn wake(role: &Role, parts: &impl Parts, is_first: bool) -> bool {
    let mut again = false;
    for member in parts.members() {
        let core = member.core();
        let cold = core.cold().lock();
        let is_held = cold.phase == Phase::Unplugging && cold.is_held_by(role);
        let is_due = is_held && member.has_hooks() && (is_first || cold.wakes_again);
        drop(cold);
        if !is_due {
            continue;
        }
        // SAFETY: as in `stop`.
        let asks = core.run_hook(Work::WakeHook, || unsafe { member.wake() });
        trace::step(core.gate.number(), Step::Woken);
        // A wake hook that panicked is not called again.
        let asks = asks == Some(true);
        core.cold().lock().wakes_again = asks;
        again |= asks;
    }
    again
}

/// Waits for at most `limit` until no section of any device is left: the fourth step. Whether none is.
pub(super) fn drain(parts: &impl Parts, limit: Option<Duration>) -> bool {
    let find = by_number(parts, |_| true);
    let gates = parts.members().map(|member| &member.core().gate);
    // The last one to be waited for is the last one out: the others were waited for before.
    let waits = |section: Section| {
        if let Some(core) = find(section.device) {
            core.note(|record, _| record.last_out = Some(section.op));
        }
    };
    gate::drain(gates, |number| find(number).map(|core| &core.gate), waits, limit)
}

/// Finds one of the devices that are meant by its number.
fn by_number<'m>(
    parts: &'m impl Parts,
    is_meant: impl Fn(&Member<'_>) -> bool + Copy + 'm,
) -> impl Fn(u64) -> Option<&'m Core> {
    let cores = move || parts.members().filter(move |member| is_meant(member)).map(|member| member.core());
    #[cfg(feature = "std")]
    {
        let mut sorted: std::vec::Vec<_> = cores().collect();
        sorted.sort_unstable_by_key(|core| core.gate.number());
        move |number| sorted.binary_search_by_key(&number, |core| core.gate.number()).ok().map(|at| sorted[at])
    }
    // Nothing can be allocated, and devices and slots are few.
    #[cfg(not(feature = "std"))]
    move |number| cores().find(|core| core.gate.number() == number)
}

/// Wakes the threads that sleep in sections of these devices through the runtime, in one walk. The first time, it counts
/// the sections for the record.
///
/// A thread that is not found here enlists later, and then sees that it is waited for.
fn wake_sleepers(parts: &impl Parts, is_meant: impl Fn(&Member<'_>) -> bool + Copy) {
    if without(without::Step::Cancel) {
        return;
    }
    let find = by_number(parts, is_meant);
    for section in gate::sections(|number| find(number).is_some()) {
        #[cfg(feature = "std")]
        let is_woken = crate::wait::wake_thread(section.thread) && !section.owned;
        #[cfg(not(feature = "std"))]
        let is_woken = false;
        if let Some(core) = find(section.device) {
            core.note(|record, _| {
                if record.told.is_none() {
                    record.in_flight += 1;
                    record.woken += u32::from(is_woken);
                }
            });
        }
    }
}

impl Core {
    /// Runs the cancellations, and wakes the callers that sleep in poll.
    fn cancel(&self) {
        if without(without::Step::Cancel) {
            return;
        }
        self.cancel_all();
        #[cfg(feature = "std")]
        self.run_hook(Work::Poller, || self.pollers().wake_all());
        self.note(|record, since| record.told = record.told.or(since));
        trace::step(self.gate.number(), Step::Cancelled);
    }

    /// Runs the driver's code, named in reports meanwhile. `None` when it panicked.
    fn run_hook<T>(&self, work: Work, hook: impl FnOnce() -> T) -> Option<T> {
        let key = platform::next_number();
        self.cold().lock().notes.put(Note { key, work, thread: platform::thread_id() });
        let result = platform::catch(hook);
        self.cold().lock().notes.remove(key);
        if result.is_none() {
            crate::gate::points::note_panic(self.gate.number());
            platform::log_error(format_args!("a driver's hook panicked during unplug ({work:?}); unplug goes on"));
        }
        result
    }
}
