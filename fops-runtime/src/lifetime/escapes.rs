//! Clones of the resources' handles that are left when the last section has ended.
use super::notes::Note;
use super::parts::{Member, Parts};
use super::resources::{Escape, Handle, Handles, OnEscape};
use super::state::{Phase, Role};
use super::work::Work;
use crate::platform;
use core::time::Duration;

/// Waits for clones, where the driver asks for that: for at most `limit`, once no section is left. Whether none is left that
/// it would wait for.
pub(super) fn wait(role: &Role, parts: &impl Parts, limit: Option<Duration>) -> bool {
    let (began, mut pause) = (limit.and_then(|_| platform::now()), Duration::ZERO);
    while let Some(member) = still_out(role, parts) {
        pause = (pause * 2).clamp(Duration::from_millis(1), Duration::from_millis(100));
        let left = limit.map(|limit| limit.saturating_sub(began.map_or(limit, platform::elapsed)));
        if left == Some(Duration::ZERO) {
            return false;
        }
        let gate = &member.core().gate;
        gate.wait_event(gate.event(), Some(left.map_or(pause, |left| left.min(pause))));
    }
    true
}

/// Looks at the handles of all devices, once no section is left and under the remover's role. A device whose clones are
/// waited for, with a note of each for the report; if there is none, the escapes of the others are logged.
///
/// # Panics
/// If an escape is left, and the driver asks for that.
pub(super) fn still_out<'m>(role: &Role, parts: &'m impl Parts) -> Option<Member<'m>> {
    let mut waits = None;
    for member in parts.members().filter(|member| may_look(role, member)) {
        member.core().cold().lock().notes.remove(role.0);
        if member.on_escape() == OnEscape::Wait {
            each(&member, &mut |escape| {
                let note = Note { key: role.0, work: Work::Escape(escape), thread: 0 };
                member.core().cold().lock().notes.add(note);
                waits = Some(member);
            });
        }
    }
    if waits.is_some() {
        return waits;
    }
    let mut must_panic = false;
    for member in parts.members().filter(|member| may_look(role, member)) {
        let (name, device) = (member.name(), member.core().gate.number());
        each(&member, &mut |escape| {
            platform::log_error(format_args!(
                "{name} (device {device}) gives its resources back, and {escape}; help: borrow it within sections, or say \
                 `unplug(escapes = wait)`"
            ));
            crate::gate::points::note_escape(device, escape);
            must_panic |= member.on_escape() == OnEscape::Panic;
        });
    }
    // A panic ends a kernel and a `no_std` program.
    if must_panic && cfg!(all(feature = "std", debug_assertions)) {
        panic!("resources have escaped from their device; the log says which");
    }
    None
}

/// Whether the resources of this device are in place, and this unplug is about to hand them back.
fn may_look(role: &Role, member: &Member<'_>) -> bool {
    let cold = member.core().cold().lock();
    cold.phase == Phase::Unplugging && cold.is_held_by(role)
}

/// The handles of one device that have clones outside. A panic of a driver's own `Resources` ends the look.
fn each(member: &Member<'_>, tell: &mut dyn FnMut(Escape)) {
    let look = |see: &mut dyn FnMut(Handle)| {
        // SAFETY: the caller has asked `may_look`, and hands nothing back meanwhile.
        let _ = platform::catch(|| unsafe { member.handles(&mut Handles::new(see)) });
    };
    look(&mut |handle| {
        // A second look, at most: a handle that is alone has no clones among the resources either.
        let mut own = 1;
        if handle.strong > 1 {
            own = 0;
            look(&mut |other| own += usize::from(other.address == handle.address));
        }
        let clones = handle.strong.saturating_sub(own);
        if clones > 0 || handle.weak > 0 {
            tell(Escape::of(&handle, clones));
        }
    });
}
