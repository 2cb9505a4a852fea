//! Clones of the resources' handles that are left when the last section has ended.
use super::notes::Note;
use super::parts::{Member, Parts};
use super::resources::{Handle, Handles, Place};
use super::state::{Phase, Role};
use super::unplug::longer;
use super::work::Work;
use crate::platform;
use core::fmt;
use core::panic::Location;
use core::time::Duration;

/// What unplug does if clones of the resources' handles are left when the last section has ended.
///
/// The driver says it by `unplug(escapes = log)`, `panic` or `wait`. See [`Resources`](crate::Resources).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnEscape {
    /// It logs an error for each and hands the resources back. The default.
    Log,
    /// For tests: as [`Log`](Self::Log), and then the unplug panics on its thread, before it hands the resources back. They
    /// stay in place, and the next unplug looks again. Without debug assertions it does not panic, as `debug_assert!` does
    /// not.
    Panic,
    /// It waits until the last clone is dropped, and hands the resources back then. The report names each clone, and a
    /// deadline ([`Draining::wait_for`](crate::Draining::wait_for)) covers this wait too. No clone tells when it is dropped, so
    /// unplug looks every 1 to 100 ms.
    Wait,
}

/// A handle of the resources that is not the last one, when all sections have ended.
///
/// Displays as `` `VinPort::clock` (src/core.rs:42), an `alloc::sync::Arc<Clock>`, has a clone outside``.
#[derive(Clone, Copy)]
pub struct Escape {
    place: Option<Place>,
    type_name: fn() -> &'static str,
    clones: u32,
    weak: u32,
}

impl Escape {
    fn of(handle: &Handle, clones: usize) -> Self {
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let Handle { place, type_name, weak, .. } = *handle;
        Self { place, type_name, clones: count(clones), weak: count(weak) }
    }

    /// The field, such as `VinPort::clock`, where its structure derives [`Resources`](crate::Resources).
    pub fn field(&self) -> Option<&'static str> {
        self.place.map(|place| place.field)
    }

    /// The line of the field in the driver's source.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.place.map(|place| place.location)
    }

    /// The type of the handle.
    pub fn type_name(&self) -> &'static str {
        (self.type_name)()
    }

    /// How many clones there are outside of the resources, without the weak ones.
    pub const fn clones(&self) -> u32 {
        self.clones
    }

    /// How many weak handles there are.
    pub const fn weak(&self) -> u32 {
        self.weak
    }
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place { field, location }) => {
                write!(f, "`{field}` ({}:{}), an `{}`,", location.file(), location.line(), self.type_name())?;
            }
            None => write!(f, "the `{}` of the resources", self.type_name())?,
        }
        match (self.clones, self.weak) {
            (1, 0) => f.write_str(" has a clone outside"),
            (n, 0) => write!(f, " has {n} clones outside"),
            (0, 1) => f.write_str(" has a weak handle outside"),
            (0, weak) => write!(f, " has {weak} weak handles outside"),
            (n, weak) => write!(f, " has {n} clones and {weak} weak handles outside"),
        }
    }
}

impl fmt::Debug for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Escape({self})")
    }
}

/// Waits for clones, where the driver asks for that: for at most `limit`, once no section is left. Whether none is left that
/// it would wait for.
pub(super) fn wait(role: &Role, parts: &impl Parts, limit: Option<Duration>) -> bool {
    let (began, mut pause) = (limit.and_then(|_| platform::now()), Duration::ZERO);
    while let Some(member) = still_out(role, parts) {
        pause = longer(pause);
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
