//! Where a poll operation registers.
use crate::abi::PollEvents;
use core::fmt;
use core::marker::PhantomData;

/// Where a poll operation says which queues its answer depends on: `poll_table`.
///
/// A caller that sleeps in poll is woken when one of these queues is, and at unplug in any case.
#[derive(Clone, Copy)]
pub struct PollTable<'a> {
    requested: PollEvents,
    #[cfg(feature = "std")]
    poller: Option<&'a std::sync::Arc<dyn crate::wait::Poller>>,
    _life: PhantomData<&'a ()>,
}

impl<'a> PollTable<'a> {
    /// A table that registers nowhere, for hosts: the caller only wants to know which of `requested` are there.
    pub const fn none(requested: PollEvents) -> Self {
        Self {
            requested,
            #[cfg(feature = "std")]
            poller: None,
            _life: PhantomData,
        }
    }

    /// A table that registers `poller`, for hosts.
    #[cfg(feature = "std")]
    pub const fn new(requested: PollEvents, poller: &'a std::sync::Arc<dyn crate::wait::Poller>) -> Self {
        Self { requested, poller: Some(poller), _life: PhantomData }
    }

    /// What the caller asks for: `poll_requested_events` in linux/poll.h. A driver whose reads start the hardware
    /// starts it for those who ask for [`PollEvents::IN`] alone.
    pub const fn requested(&self) -> PollEvents {
        self.requested
    }

    /// The answer depends on `queue`: whenever it is woken, ask again. `poll_wait` in linux/poll.h.
    ///
    /// Call it before looking at the state that the queue guards, or a change in between is missed.
    #[cfg(feature = "std")]
    pub fn wait(&self, queue: &crate::wait::WaitQueue) {
        if let Some(poller) = self.poller {
            queue.register(poller);
        }
    }
}

impl fmt::Debug for PollTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PollTable")
    }
}
