//! A removal that does not end: who keeps it waiting, where that sleeps, and what to write.
use crate::bus::Removal;
use crate::testkit::actor::Actor;
use crate::testkit::away::ESCAPE;
use crate::testkit::suite::Suite;
use crate::testkit::whereabouts::{self, Whereabouts};

const REMOVE: &str = "`remove` and the destructors of the resources must not wait for an operation or a file";

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// The removal hangs. Says so, and leaves everything behind.
    pub(super) fn removal_hangs(&mut self, removal: &Removal, actors: &[Actor]) {
        let stragglers = removal.stragglers();
        let stragglers = if stragglers == "nothing in flight" { "" } else { &stragglers };
        let mut is_anybody = false;
        for actor in actors {
            if actor.end().is_some() {
                continue;
            }
            if actor.is_process() {
                // Its thread here is the server's: the removal names that.
                (is_anybody, _) = (true, self.hanging.insert(actor.name.clone()));
                continue;
            }
            let Some(op) = actor.trace.section() else { continue };
            is_anybody = true;
            self.hanging.insert(actor.name.clone());
            let place = actor.whereabouts();
            self.find(format!("unplug cannot end {op}: the thread {place}"), place.help());
        }
        for line in stragglers.lines().filter(|line| !actors.iter().any(|actor| is_of(line, actor))) {
            let place = thread_of(line).map_or(Whereabouts::Unknown, whereabouts::of);
            // The driver's code outside the unplug, such as its `remove`.
            let Some((work, _)) = line.split_once(", thread ") else {
                let help = if line.contains(" outside") { ESCAPE } else { REMOVE };
                self.find(format!("the removal does not end: it waits for {line}"), help);
                continue;
            };
            let help = if work.contains("hook") || work.contains("cancellation") {
                "do not hold a lock over a sleep if a hook takes it: sleep without it, by `access.wait_event_locked(..)`; a hook \
                 must not wait for an operation"
            } else {
                place.help()
            };
            self.find(format!("unplug waits for {work}: the thread {place}"), help);
        }
        if !is_anybody {
            self.hung += 1;
            if stragglers.is_empty() {
                self.find("the removal does not end, and no section is in flight".into(), REMOVE);
            }
        }
    }

    /// The removal has ended, and these acts have not.
    pub(super) fn acts_hang(&mut self, actors: &[Actor]) {
        for actor in actors.iter().filter(|actor| actor.end().is_none()) {
            self.hanging.insert(actor.name.clone());
            let (place, op) = (actor.whereabouts(), actor.trace.place());
            let op = op.unwrap_or_else(|| {
                if actor.is_process() { "its process" } else { "code of its own, outside of the driver" }.into()
            });
            self.find(
                format!(
                    "the device is gone, and the act \"{}\" does not end: it is in {op}; the thread {place}",
                    actor.name
                ),
                "an operation that sleeps has to be guarded, and to sleep as unplug can see: `access.wait_event(..)`",
            );
        }
    }
}

/// The number of the thread that a line of the stragglers names.
fn thread_of(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once(", thread ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn is_of(line: &str, actor: &Actor) -> bool {
    thread_of(line).is_some_and(|tid| actor.is_thread(tid))
}
