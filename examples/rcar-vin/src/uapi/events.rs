//! The structures of events.

use super::*;

pub use moq_v4l::sys::{
    V4L2_EVENT_ALL, V4L2_EVENT_CTRL, V4L2_EVENT_CTRL_CH_FLAGS, V4L2_EVENT_CTRL_CH_VALUE, V4L2_EVENT_FRAME_SYNC,
    V4L2_EVENT_SOURCE_CHANGE, V4L2_EVENT_SRC_CH_RESOLUTION, V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK,
    V4L2_EVENT_SUB_FL_SEND_INITIAL, v4l2_event_subscription,
};

structures! {
    v4l2_event_subscription { type_, id, flags, reserved }
}

views! {
    /// `struct v4l2_event`.
    Event of v4l2_event {
        /// `V4L2_EVENT_…`.
        type_: u32 = type_,
        /// What the type says of it.
        data: [u8; 64] = u,
        /// How many are pending besides.
        pending: u32 = pending,
        /// Number of the event among all that this file has subscribed to.
        sequence: u32 = sequence,
        /// When it happened.
        timestamp: Timespec = timestamp,
        /// Which control, or which input.
        id: u32 = id,
    }

    /// A time since boot (`CLOCK_MONOTONIC`), as `struct timespec`.
    Timespec of timespec {
        /// Seconds.
        sec: i64 = tv_sec,
        /// Nanoseconds, less than a billion.
        nsec: i64 = tv_nsec,
    }

    /// `struct v4l2_event_ctrl`, for values of 32 bits.
    EventCtrl of v4l2_event_ctrl {
        /// `V4L2_EVENT_CTRL_CH_…`.
        changes: u32 = changes,
        /// `V4L2_CTRL_TYPE_…`.
        type_: u32 = type_,
        /// The value now.
        value: i32 = __bindgen_anon_1,
        /// `V4L2_CTRL_FLAG_…`.
        flags: u32 = flags,
        /// The least value.
        minimum: i32 = minimum,
        /// The greatest value.
        maximum: i32 = maximum,
        /// From one value to the next.
        step: i32 = step,
        /// The value to begin with.
        default_value: i32 = default_value,
    }
}
