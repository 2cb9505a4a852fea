//! Events: what happens to the device, told to the files that have subscribed to it. After `v4l2-event.c`.
//!
//! They are state: what is pending when the device goes is freed with its file.
use crate::driver::core::{RcarVin, VinHw};
use crate::uapi::*;
use fops_runtime::{Access, Errno, File, Result, WaitQueue};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Frames that a file may be behind, as `rvin_subscribe_event` has it; then it loses the oldest.
const FRAME_SYNCS: usize = 2;
/// The same for changes of the source.
const SOURCE_CHANGES: usize = 4;

/// All files that may subscribe: `vdev->fh_list`.
#[derive(Default)]
pub struct Listeners(Mutex<Vec<Arc<Listener>>>);

/// One open file, as far as events go: `struct v4l2_fh`.
pub struct Listener {
    file: u64,
    events: Mutex<Events>,
    /// Woken when an event is pending.
    pub(crate) wait: WaitQueue,
}

/// What a file has subscribed to, and what has come of that.
#[derive(Default)]
pub(crate) struct Events {
    subscriptions: Vec<Subscription>,
    pending: VecDeque<Event>,
    /// Of the next event; the first of a file has 0.
    sequence: u32,
}

struct Subscription {
    type_: u32,
    id: u32,
    /// Whether the file wants to hear of what it has done itself.
    feedback: bool,
    /// How many events are kept for it.
    room: usize,
}

impl Listeners {
    pub(crate) fn open(&self, file: u64) -> Arc<Listener> {
        let listener = Arc::new(Listener { file, events: Mutex::default(), wait: WaitQueue::new() });
        self.0.lock().push(listener.clone());
        listener
    }

    pub(crate) fn close(&self, file: u64) {
        self.0.lock().retain(|listener| listener.file != file);
    }

    /// `v4l2_event_queue`: tells everybody who has subscribed; `cause` is the file that has brought it about.
    ///
    /// May be called by an interrupt handler; wakes, so without locks that a waker's caller could need.
    pub(crate) fn queue(&self, event: &Event, cause: Option<u64>) {
        let told: Vec<_> = {
            let listeners = self.0.lock();
            listeners.iter().filter(|listener| listener.push(event, cause == Some(listener.file))).cloned().collect()
        };
        told.iter().for_each(|listener| listener.wait.wake_all());
    }
}

impl Listener {
    pub(crate) fn is_pending(&self) -> bool {
        !self.events.lock().pending.is_empty()
    }

    fn push(&self, event: &Event, own: bool) -> bool {
        self.events.lock().push(event, own)
    }
}

impl Events {
    /// Whether it was not subscribed to before.
    fn subscribe(&mut self, wanted: &v4l2_event_subscription, room: usize) -> bool {
        let &v4l2_event_subscription { type_, id, flags, .. } = wanted;
        let new = self.find(type_, id).is_none();
        if new {
            let feedback = flags & V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK != 0;
            self.subscriptions.push(Subscription { type_, id, feedback, room });
        }
        new
    }

    fn unsubscribe(&mut self, unwanted: &v4l2_event_subscription) {
        let &v4l2_event_subscription { type_, id, .. } = unwanted;
        let stays = |of: (u32, u32)| type_ != V4L2_EVENT_ALL && of != (type_, id);
        self.subscriptions.retain(|subscription| stays((subscription.type_, subscription.id)));
        self.pending.retain(|event| stays((event.type_, event.id)));
    }

    /// `__v4l2_event_queue_fh`. Whether the file is told.
    fn push(&mut self, event: &Event, own: bool) -> bool {
        let Some(subscription) = self.find(event.type_, event.id).filter(|it| !own || it.feedback) else {
            return false;
        };
        let room = subscription.room;
        let mut event = *event;
        event.sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let same = |other: &Event| (other.type_, other.id) == (event.type_, event.id);
        if self.pending.iter().filter(|other| same(other)).count() == room
            && let Some(oldest) = self.pending.iter().position(same).and_then(|at| self.pending.remove(at))
            && event.type_ == V4L2_EVENT_CTRL
        {
            // The value is the last one; what has changed is told all of.
            let changes: u32 = Uapi::get(&oldest.data);
            (changes | u32::get(&event.data)).put(&mut event.data);
        }
        self.pending.push_back(event);
        true
    }

    fn dequeue(&mut self) -> Option<Event> {
        let event = self.pending.pop_front()?;
        Some(Event { pending: self.pending.len() as u32, ..event })
    }

    fn find(&self, type_: u32, id: u32) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| (subscription.type_, subscription.id) == (type_, id))
    }
}

/// `VIDIOC_SUBSCRIBE_EVENT` and its like.
impl RcarVin {
    /// `rvin_subscribe_event`.
    pub(crate) fn subscribe_event(&self, listener: &Listener, wanted: &v4l2_event_subscription) -> Result {
        match wanted.type_ {
            // There is one stream and one source.
            V4L2_EVENT_FRAME_SYNC | V4L2_EVENT_SOURCE_CHANGE if wanted.id != 0 => return Err(Errno::EINVAL),
            V4L2_EVENT_FRAME_SYNC => _ = listener.events.lock().subscribe(wanted, FRAME_SYNCS),
            V4L2_EVENT_SOURCE_CHANGE => _ = listener.events.lock().subscribe(wanted, SOURCE_CHANGES),
            V4L2_EVENT_CTRL => {
                // The value cannot change between the subscription and its first event.
                let controls = self.controls.lock();
                let initial = controls.initial_event(wanted.id)?;
                let mut events = listener.events.lock();
                if events.subscribe(wanted, 1)
                    && wanted.flags & V4L2_EVENT_SUB_FL_SEND_INITIAL != 0
                    && let Some(initial) = initial
                {
                    // Asked for, so it is no feedback.
                    events.push(&initial, false);
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        listener.wait.wake_all();
        Ok(())
    }

    pub(crate) fn unsubscribe_event(&self, listener: &Listener, unwanted: &v4l2_event_subscription) -> Result {
        listener.events.lock().unsubscribe(unwanted);
        Ok(())
    }

    /// Sleeps until an event is pending. No lock is held meanwhile.
    pub(crate) fn dqevent<S>(&self, hw: &Access<'_, VinHw>, file: &File<S>, listener: &Listener) -> Result<Event> {
        let mut events = listener.events.lock();
        match events.dequeue() {
            Some(event) => Ok(event),
            // Linux lets one who has not subscribed sleep for ever. Over FUSE, where an ioctl does not tell that
            // fcntl(2) has made its file non-blocking, v4l2-compliance would.
            None if file.is_nonblocking() || events.subscriptions.is_empty() => Err(Errno::ENOENT),
            None => Ok(hw.wait_event_locked(&listener.wait, &mut events, Events::dequeue)?),
        }
    }
}

impl Event {
    /// An event that happens now.
    pub(crate) fn now(type_: u32, id: u32, what: &impl Uapi) -> Event {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let mut event = Event {
            type_,
            id,
            data: [0; 64],
            pending: 0,
            sequence: 0,
            timestamp: Timespec { sec: now.tv_sec, nsec: now.tv_nsec },
        };
        what.put(&mut event.data);
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: u64 = 7;

    fn wants(type_: u32, id: u32, flags: u32) -> v4l2_event_subscription {
        v4l2_event_subscription { type_, id, flags, ..zeroed() }
    }

    fn frame(number: u32) -> Event {
        Event::now(V4L2_EVENT_FRAME_SYNC, 0, &number)
    }

    #[test]
    fn the_oldest_makes_room_and_the_sequence_shows_the_gap() {
        let mut events = Events::default();
        assert!(!events.push(&frame(0), false), "not subscribed");
        assert!(events.subscribe(&wants(V4L2_EVENT_FRAME_SYNC, 0, 0), 2));
        assert!(!events.subscribe(&wants(V4L2_EVENT_FRAME_SYNC, 0, 0), 2), "already listening");
        (1..=3).for_each(|number| assert!(events.push(&frame(number), false)));
        let told: Vec<_> =
            std::iter::from_fn(|| events.dequeue()).map(|it| (u32::get(&it.data), it.sequence, it.pending)).collect();
        assert_eq!(told, [(2, 1, 1), (3, 2, 0)], "the first is 0");
    }

    #[test]
    fn a_control_keeps_its_last_value_and_all_its_changes() {
        let mut events = Events::default();
        events.subscribe(&wants(V4L2_EVENT_CTRL, 9, 0), 1);
        let event = |changes, value| Event::now(V4L2_EVENT_CTRL, 9, &EventCtrl { changes, value, ..zeroed() });
        events.push(&event(V4L2_EVENT_CTRL_CH_FLAGS, 1), false);
        events.push(&event(V4L2_EVENT_CTRL_CH_VALUE, 2), false);
        let told: EventCtrl = Uapi::get(&events.dequeue().unwrap().data);
        assert_eq!((told.changes, told.value), (V4L2_EVENT_CTRL_CH_FLAGS | V4L2_EVENT_CTRL_CH_VALUE, 2));
        assert_eq!(events.dequeue(), None);
    }

    #[test]
    fn who_does_it_is_told_only_when_it_asks_for_that() {
        for (flags, told) in [(0, false), (V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK, true)] {
            let listeners = Listeners::default();
            let [own, other] = [FILE, FILE + 1].map(|file| listeners.open(file));
            for listener in [&own, &other] {
                listener.events.lock().subscribe(&wants(V4L2_EVENT_CTRL, 9, flags), 1);
            }
            listeners.queue(&Event::now(V4L2_EVENT_CTRL, 9, &0u32), Some(FILE));
            assert_eq!((own.is_pending(), other.is_pending()), (told, true));
            listeners.close(FILE);
            assert_eq!(listeners.0.lock().len(), 1);
        }
    }

    #[test]
    fn what_is_unsubscribed_is_not_pending_either() {
        let mut events = Events::default();
        for type_ in [V4L2_EVENT_FRAME_SYNC, V4L2_EVENT_SOURCE_CHANGE] {
            events.subscribe(&wants(type_, 0, 0), 2);
            events.push(&Event::now(type_, 0, &0u32), false);
        }
        events.unsubscribe(&wants(V4L2_EVENT_FRAME_SYNC, 0, 0));
        assert_eq!(events.pending.iter().map(|event| event.type_).collect::<Vec<_>>(), [V4L2_EVENT_SOURCE_CHANGE]);
        events.unsubscribe(&wants(V4L2_EVENT_ALL, 0, 0));
        assert_eq!((events.pending.len(), events.subscriptions.len()), (0, 0));
    }
}
