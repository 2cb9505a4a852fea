//! What an unplug waits for besides sections, as long as it does.
use super::work::Work;
#[cfg(feature = "std")]
extern crate std;

/// The driver's code that an unplug runs, or a role that it waits for.
#[derive(Clone)]
pub(super) struct Note {
    /// Whose note it is: a number from [`next_number`](crate::platform::next_number).
    pub(super) key: u64,
    pub(super) work: Work,
    /// The thread that runs the code or has the role; 0 if that is a task.
    pub(super) thread: u64,
}

#[cfg(feature = "std")]
type Places = std::vec::Vec<Option<Note>>;
/// Without an allocator, a report may miss those that are more.
#[cfg(not(feature = "std"))]
type Places = [Option<Note>; 4];

/// The notes of one device: several unplugs may wait at once, and several may run its cancellations.
pub(super) struct Notes(Places);

impl Notes {
    pub(super) const fn new() -> Self {
        #[cfg(feature = "std")]
        return Self(Places::new());
        #[cfg(not(feature = "std"))]
        Self([const { None }; 4])
    }

    /// Adds the note, in place of one with the same key.
    pub(super) fn put(&mut self, note: Note) {
        self.remove(note.key);
        self.add(note);
    }

    /// Adds the note beside those with the same key.
    pub(super) fn add(&mut self, note: Note) {
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(note),
            #[cfg(feature = "std")]
            None => self.0.push(Some(note)),
            #[cfg(not(feature = "std"))]
            None => {}
        }
    }

    /// Takes the note out, if there is one.
    pub(super) fn remove(&mut self, key: u64) {
        for place in &mut self.0 {
            place.take_if(|note| note.key == key);
        }
    }

    /// A copy, so that no lock is held while a report is written.
    pub(super) fn all(&self) -> impl Iterator<Item = Note> + use<> {
        self.0.clone().into_iter().flatten()
    }
}
