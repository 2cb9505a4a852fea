//! Which unplug waits for which: one that would close a circle is refused before it sets a flag.
//!
//! An unplug waits for the sections of its devices, and for the roles that other unplugs have. A thread that waits in an
//! unplug ends none of its sections. So there is a way from an unplug to the threads inside its devices, from these to the
//! unplugs that they are in, and so on. If it leads back to the thread that asks, nobody on it would ever go on.
//!
//! # Why none is missed
//! An unplug is entered here under the lock of all roles, together with the search and before the flags. Of the unplugs of a
//! circle one is the last, and finds all others here. Their threads opened the sections that belong to the circle before
//! they asked, so before the last one took the lock.
//!
//! Not seen: an owned section, which may be anybody's, and a lock of the driver's own. Without `std`, no more than [`MOST`]
//! devices are looked at.
use super::circle::{Circle, Link};
use super::parts::Parts;
use super::state::{Holder, Role};
use super::work::Work;
use crate::gate;
use core::cell::Cell;
#[cfg(feature = "std")]
extern crate std;

/// A device that an unplug has begun with.
struct Entry {
    role: u64,
    holder: Holder,
    device: u64,
    /// Whether the unplug has the roles of its devices. Until then it waits for them, and has none.
    is_held: bool,
    /// Of a search: how the asker would come to wait for this unplug.
    reached: Cell<Option<Reached>>,
}

#[derive(Clone, Copy)]
struct Reached {
    first: Link,
    /// Its thread keeps the asker waiting with something else than the roles of this unplug.
    is_inside: bool,
}

/// How many devices are kept without an allocator.
#[cfg(not(feature = "std"))]
const MOST: usize = 32;

#[cfg(feature = "std")]
type Places = std::vec::Vec<Option<Entry>>;
#[cfg(not(feature = "std"))]
type Places = [Option<Entry>; MOST];

/// The devices of all unplugs that have begun and have not ended.
pub(super) struct Removers(Places);

impl Removers {
    pub(super) const fn new() -> Self {
        #[cfg(feature = "std")]
        return Self(Places::new());
        #[cfg(not(feature = "std"))]
        Self([const { None }; MOST])
    }

    /// Enters an unplug of these devices, if nobody would wait for ever.
    ///
    /// # Errors
    /// The circle. The unplug is not entered then.
    pub(super) fn add(&mut self, role: &Role, parts: &impl Parts, holder: Holder) -> Result<(), Circle> {
        let is_alone = self.entries().next().is_none();
        for member in parts.members() {
            let device = member.core().gate.number();
            self.put(Entry { role: role.0, holder, device, is_held: false, reached: Cell::new(None) });
        }
        let circle = if is_alone { None } else { self.circle(role, holder) };
        match circle {
            None => Ok(()),
            Some(circle) => {
                self.remove(role);
                Err(circle)
            }
        }
    }

    /// The unplug has the roles of its devices from here on.
    pub(super) fn hold(&mut self, role: &Role) {
        self.0.iter_mut().flatten().filter(|entry| entry.role == role.0).for_each(|entry| entry.is_held = true);
    }

    /// The unplug has ended, or gives up.
    pub(super) fn remove(&mut self, role: &Role) {
        let is_its = |entry: &Entry| entry.role == role.0;
        #[cfg(feature = "std")]
        self.0.retain(|place| !place.as_ref().is_some_and(is_its));
        #[cfg(not(feature = "std"))]
        for place in &mut self.0 {
            place.take_if(|entry| is_its(entry));
        }
    }

    /// Another thread has the unplug now, or a task has.
    #[cfg(feature = "async")]
    pub(super) fn hold_as(&mut self, role: &Role, holder: Holder) {
        self.0.iter_mut().flatten().filter(|entry| entry.role == role.0).for_each(|entry| entry.holder = holder);
    }

    fn put(&mut self, entry: Entry) {
        #[cfg(feature = "std")]
        self.0.push(Some(entry));
        #[cfg(not(feature = "std"))]
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some(entry);
        }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flatten()
    }

    /// What the unplug would wait for in vain, if there is such a thing. The unplug has been entered.
    fn circle(&self, role: &Role, asks: Holder) -> Option<Circle> {
        // Where threads cannot be told apart, nothing can be said.
        if asks.thread == 0 {
            return None;
        }
        self.entries().for_each(|entry| entry.reached.set(None));
        // Each round goes one unplug further.
        loop {
            let mut is_further = false;
            for entry in self.entries().filter(|entry| entry.role != role.0 && self.may_be_waited_for(entry, asks)) {
                let work = Work::Role(entry.device);
                let Some(first) = self.first_link(role, entry.device, Link { work, thread: entry.holder.named() })
                else {
                    continue;
                };
                if entry.holder.would_wait_for_itself(asks) {
                    return Some(Circle { first, last: Some(work) });
                }
                is_further |= self.reach(Reached { first, is_inside: false }, |other| other.role == entry.role);
                is_further |= self.reach_thread(first, [role.0, entry.role], entry.holder.thread);
            }
            for section in gate::sections(|device| self.is_waited_for(role, device)).filter(|section| !section.owned) {
                let work = Work::Section(section.op);
                let Some(first) = self.first_link(role, section.device, Link { work, thread: section.thread }) else {
                    continue;
                };
                if section.thread == asks.thread {
                    return Some(Circle { first, last: Some(work) });
                }
                is_further |= self.reach_thread(first, [role.0; 2], section.thread);
            }
            if !is_further {
                return self.rival(role);
            }
        }
    }

    /// Whether somebody may wait for the unplug's roles while the asker waits. Not if it needs a role of the asker's thread
    /// itself, because it takes all of them or none.
    fn may_be_waited_for(&self, entry: &Entry, asks: Holder) -> bool {
        let is_of = |other: &Entry| self.entries().any(|own| own.role == entry.role && own.device == other.device);
        entry.is_held
            || !self.entries().any(|other| other.is_held && other.holder.would_wait_for_itself(asks) && is_of(other))
    }

    /// After the search: an unplug that waits for a role which the asker may get first, inside a section that the asker
    /// would wait for. The asker gets no role while the thread of that unplug has one of them.
    fn rival(&self, role: &Role) -> Option<Circle> {
        let own = |device| self.entries().any(|entry| entry.role == role.0 && entry.device == device);
        let keeps_one = |holder: Holder| {
            self.entries().any(|entry| entry.is_held && entry.holder.thread == holder.thread && own(entry.device))
        };
        let may_wait = |entry: &&Entry| entry.role != role.0 && !entry.is_held && own(entry.device);
        self.entries().filter(may_wait).filter(|entry| !keeps_one(entry.holder)).find_map(|entry| {
            let Reached { first, is_inside: true } = entry.reached.get()? else { return None };
            Some(Circle { first, last: Some(Work::Role(entry.device)) })
        })
    }

    /// Whether the asker would wait until the device is free of others.
    fn is_waited_for(&self, role: &Role, device: u64) -> bool {
        self.entries().any(|entry| entry.device == device && (entry.role == role.0 || entry.reached.get().is_some()))
    }

    /// The asker's first link to the device, which is `own` for a device of its own; `None` if it waits for no such device.
    fn first_link(&self, role: &Role, device: u64, own: Link) -> Option<Link> {
        let of_device = || self.entries().filter(|entry| entry.device == device);
        if of_device().any(|entry| entry.role == role.0) {
            return Some(own);
        }
        of_device().find_map(|entry| Some(entry.reached.get()?.first))
    }

    /// The asker would wait for these. Whether one of them is new.
    fn reach(&self, reached: Reached, is_one: impl Fn(&Entry) -> bool) -> bool {
        let is_less = |known: Reached| reached.is_inside && !known.is_inside;
        let new = |entry: &&Entry| is_one(entry) && entry.reached.get().is_none_or(is_less);
        self.entries().filter(new).map(|entry| entry.reached.set(Some(reached))).count() != 0
    }

    /// The asker would wait for the thread, and so for the unplugs that it is in, besides these. A task's unplug keeps no
    /// thread.
    fn reach_thread(&self, first: Link, besides: [u64; 2], thread: u64) -> bool {
        let is_in = |entry: &Entry| entry.holder.thread == thread && !entry.holder.is_task && thread != 0;
        self.reach(Reached { first, is_inside: true }, |entry| !besides.contains(&entry.role) && is_in(entry))
    }
}
