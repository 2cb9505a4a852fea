//! The remover's role: who may stop a device, wait for its sections, and hand its resources back.
//!
//! An unplug sets the flags of all its devices first, whoever has their roles, and wakes who sleeps there. Only then it
//! waits for the roles. It takes all of them at once or none, so unplugs that name the same devices in different orders
//! never wait for one another while they hold a role.
//!
//! # Why it is right
//! A role is a number that no other unplug has. Every step that needs the role compares it, under the device's lock. So a
//! [`Device`](super::Device) or an [`Unplug`](super::Unplug) that names other devices at each call harms nobody.
//!
//! Only the holder of the role moves a device from `Unfenced` to `Unplugging`, and it passes the heavy fence after it
//! took the role and after the flag was set. So a device in `Unplugging` has no section that a look at the slots would miss.
#[cfg(feature = "std")]
extern crate std;

use super::cause::{Cause, UnplugError};
use super::circle::Circle;
use super::notes::Note;
use super::parts::{Member, Parts};
use super::record::Record;
use super::removers::Removers;
use super::state::{Core, Holder, Phase, Remover, Role};
use super::trace::{self, Step};
use super::work::Work;
use crate::gate;
use crate::platform::without::{self, without};
use crate::platform::{self, Lock};
use core::ops::DerefMut;
use core::time::Duration;

platform::shared_static! {
    /// Held while an unplug names its devices, and while it takes their roles. No code of a driver's runs under it.
    static ROLES: Lock<Removers> = Lock::new(Removers::new());
}

/// A child that is forked while another thread has the lock would wait for it at its first unplug. The removers that it
/// knows are threads of its parent.
#[cfg(feature = "std")]
static AT_FORK: platform::AtFork =
    platform::AtFork::outer(|| std::boxed::Box::new(ROLES.lock()), || *ROLES.lock() = Removers::new());

pub(super) fn lock_roles() -> impl DerefMut<Target = Removers> {
    #[cfg(feature = "std")]
    AT_FORK.register();
    ROLES.lock()
}

/// What an unplug has to wait for.
pub(super) struct Busy<'m> {
    member: Member<'m>,
    /// The device's event word, read before the role was seen taken.
    seen: u32,
    holder: Holder,
}

impl Role {
    /// Sets the flag of every device, for `holder`, who wants the roles next.
    ///
    /// # Errors
    /// [`UnplugError::Deadlock`] and [`UnplugError::NamedTwice`] before any flag is set.
    pub(super) fn flag(&self, parts: &impl Parts, cause: Cause, holder: Holder) -> Result<(), UnplugError> {
        let mut removers = lock_roles();
        for member in parts.members() {
            member.core().ask(self, holder)?;
        }
        removers.add(self, parts, holder).map_err(UnplugError::Deadlock)?;
        for member in parts.members() {
            member.core().flag(self, member.cause(cause), holder);
            let mut cold = member.core().cold().lock();
            // The first of several, until it is done: the others are found by what they wait for.
            cold.asker = cold.asker.or(Some(Remover { role: self.0, holder }));
        }
        Ok(())
    }

    /// Takes all roles, or none where one is taken: that one is returned. A child that has gone has none.
    ///
    /// # Errors
    /// [`UnplugError::AlreadyUnplugged`] when one of the devices is gone that is no child, or a part of a child.
    pub(super) fn take<'m>(&self, parts: &'m impl Parts, holder: Holder) -> Result<Option<Busy<'m>>, UnplugError> {
        let mut removers = lock_roles();
        let mut busy = None;
        for member in parts.members() {
            let core = member.core();
            let cold = core.cold().lock();
            if cold.phase == Phase::Gone {
                continue;
            }
            if let Some(Remover { holder, .. }) = cold.remover {
                // Under the lock: whoever gives the role up signals afterwards.
                busy = busy.or(Some(Busy { member, seen: core.gate.event(), holder }));
            }
        }
        // After the look at the roles: a device whose role is free stays as it is while we hold the lock.
        let standing = parts.standing();
        if standing.has_gone {
            return Err(UnplugError::AlreadyUnplugged);
        }
        if busy.is_some() {
            return Ok(busy);
        }
        if standing.is_torn {
            return Err(UnplugError::AlreadyUnplugged);
        }
        for member in parts.members() {
            let mut cold = member.core().cold().lock();
            if cold.phase != Phase::Gone {
                cold.remover = Some(Remover { role: self.0, holder });
            }
        }
        removers.hold(self);
        Ok(None)
    }

    /// Takes the roles that are free. Whether there is one.
    pub(super) fn take_the_free(&self, parts: &impl Parts, holder: Holder) -> bool {
        let _others_wait = lock_roles();
        let mut any = false;
        for member in parts.members() {
            let mut cold = member.core().cold().lock();
            if cold.remover.is_none() && cold.phase != Phase::Gone && member.has_hooks() && !cold.stopped {
                cold.remover = Some(Remover { role: self.0, holder });
                any = true;
            }
        }
        any
    }

    /// Passes the heavy fence where a device needs it, under roles that this unplug has.
    ///
    /// # Errors
    /// [`UnplugError::FenceRefused`]: the devices stay closed, and nothing of them is freed.
    pub(super) fn fence(&self, parts: &impl Parts) -> Result<(), UnplugError> {
        let mut needed = false;
        for member in parts.members() {
            let mut cold = member.core().cold().lock();
            if cold.phase == Phase::Unfenced && cold.is_held_by(self) {
                // The flag was set before this, so before the fence. One that is set later does not count, which only
                // parts that change can bring about.
                cold.fenced_by = self.0;
                needed = true;
            }
        }
        if !needed {
            return Ok(());
        }
        // One for all, however many there are.
        if platform::needed_step("fence under the role") && !gate::heavy_fence() {
            platform::log_error(format_args!("{}", UnplugError::FenceRefused));
            return Err(UnplugError::FenceRefused);
        }
        for member in parts.members() {
            let core = member.core();
            let mut cold = core.cold().lock();
            if cold.phase == Phase::Unfenced && cold.fenced_by == self.0 {
                cold.phase = Phase::Unplugging;
                let cause = cold.cause;
                drop(cold);
                trace::step(core.gate.number(), Step::Closed(cause));
            }
        }
        Ok(())
    }

    /// Whether this unplug has the role of a device.
    pub(super) fn has(&self, core: &Core) -> bool {
        core.cold().lock().is_held_by(self)
    }

    /// Whether this unplug has set the flag of a device.
    pub(super) fn has_flagged(&self, core: &Core) -> bool {
        core.cold().lock().flagged_by == self.0
    }

    /// Notes in every device's report that this unplug waits, and for whom.
    pub(super) fn note(&self, parts: &impl Parts, busy: Option<&Busy<'_>>) {
        for member in parts.members() {
            let mut cold = member.core().cold().lock();
            let Some(Busy { member, holder, .. }) = busy else {
                cold.notes.remove(self.0);
                continue;
            };
            let work = Work::Role(member.core().gate.number());
            cold.notes.put(Note { key: self.0, work, thread: holder.named() });
        }
    }

    /// This unplug has its roles, or has given up.
    pub(super) fn has_asked(&self, parts: &impl Parts) {
        for member in parts.members() {
            let mut cold = member.core().cold().lock();
            cold.asker = cold.asker.filter(|asker| asker.role != self.0);
        }
    }

    /// This unplug has ended, or gives up for good.
    pub(super) fn end(&self, parts: &impl Parts) {
        self.give_up(parts);
        lock_roles().remove(self);
    }

    /// Gives the roles up: the next unplug goes on, or learns that the device is gone.
    pub(super) fn give_up(&self, parts: &impl Parts) {
        for member in parts.members() {
            let core = member.core();
            let mut cold = core.cold().lock();
            if !cold.is_held_by(self) {
                continue;
            }
            cold.remover = None;
            let given_up = cold.phase != Phase::Gone;
            drop(cold);
            if given_up {
                trace::step(core.gate.number(), Step::GivenUp);
            }
            core.gate.signal();
        }
    }
}

impl Busy<'_> {
    /// Sleeps until the role may be free, or for `limit`. May return early.
    pub(super) fn wait(&self, limit: Option<Duration>) {
        self.member.core().gate.wait_event(self.seen, limit);
    }
}

impl Core {
    /// Whether this unplug may begin. Changes nothing that anybody else sees: a refused unplug leaves the device as it was.
    fn ask(&self, role: &Role, asks: Holder) -> Result<(), UnplugError> {
        let refused = |work, thread| Err(UnplugError::Deadlock(Circle::own(work, thread)));
        if let Some(op) = self.gate.entered_here() {
            return refused(Work::Section(op), asks.thread);
        }
        let mut cold = self.cold().lock();
        // The same goes for an unplug that has set the flag and waits for another role.
        if cold.remover.iter().chain(&cold.asker).any(|remover| remover.holder.would_wait_for_itself(asks)) {
            return refused(Work::Role(self.gate.number()), asks.thread);
        }
        // An owned section is not known to be this thread's. Its start is.
        let is_start = |note: Note| matches!(note.work, Work::Start) && note.thread == asks.thread && note.thread != 0;
        if cold.notes.all().any(is_start) {
            return refused(Work::Start, asks.thread);
        }
        if core::mem::replace(&mut cold.named_by, role.0) == role.0 {
            return Err(UnplugError::NamedTwice);
        }
        Ok(())
    }

    fn flag(&self, role: &Role, cause: Cause, holder: Holder) {
        let mut cold = self.cold().lock();
        // The worst that was said before, too.
        cold.cause = cold.cause.max(Some(cause));
        if cold.phase != Phase::Plugged {
            return;
        }
        // Under the lock: a cancellation is registered before, and called, or sees the phase.
        cold.phase = Phase::Unfenced;
        cold.flagged_by = role.0;
        cold.since = platform::now();
        cold.record = Some(Record::new(self.gate.number(), holder.named()));
        #[cfg(feature = "std")]
        crate::wait::begin_closing(self.gate.number());
        if !without(without::Step::Flag) {
            self.gate.close();
        }
    }
}
