//! Which node each thread of a client has looked up last.
//!
//! All files have the same device number, 0:0. A program that wants to know what a file is calls `stat(2)`, and reads the
//! `uevent` of that number. So the answer depends on the thread that reads it.
use crate::lock::Lock;
use std::collections::VecDeque;

/// Threads that are remembered.
const THREADS: usize = 64;

/// Which node each thread of a client has looked up last.
#[derive(Default)]
pub(super) struct LookedUp(Lock<VecDeque<(u32, String)>>);

impl LookedUp {
    /// The thread has looked up `node`.
    pub(super) fn note(&self, thread: u32, node: &str) {
        let mut threads = self.0.lock();
        threads.retain(|(other, _)| *other != thread);
        if threads.len() == THREADS {
            threads.pop_front();
        }
        threads.push_back((thread, node.into()));
    }

    /// What the thread has looked up last.
    pub(super) fn by(&self, thread: Option<u32>) -> Option<String> {
        let threads = self.0.lock();
        threads.iter().find(|(other, _)| Some(*other) == thread).map(|(_, node)| node.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_last_node_and_old_threads_are_forgotten() {
        let looked_up = LookedUp::default();
        assert_eq!(looked_up.by(Some(1)), None);
        for (thread, node) in [(1, "video0"), (2, "media0"), (1, "video1")] {
            looked_up.note(thread, node);
        }
        assert_eq!(looked_up.by(Some(1)).as_deref(), Some("video1"));
        assert_eq!(looked_up.by(Some(2)).as_deref(), Some("media0"));
        assert_eq!(looked_up.by(None), None);
        (10..1000).for_each(|thread| looked_up.note(thread, "video0"));
        assert_eq!((looked_up.by(Some(1)), looked_up.0.lock().len()), (None, THREADS));
    }
}
