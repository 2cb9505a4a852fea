//! The structures of controls.

use super::*;

pub use moq_v4l::sys::{
    V4L2_CID_BRIGHTNESS, V4L2_CID_IMAGE_PROC_CLASS, V4L2_CID_TEST_PATTERN, V4L2_CID_USER_CLASS,
    V4L2_CTRL_FLAG_NEXT_COMPOUND, V4L2_CTRL_FLAG_NEXT_CTRL, V4L2_CTRL_FLAG_READ_ONLY, V4L2_CTRL_FLAG_SLIDER,
    V4L2_CTRL_FLAG_WRITE_ONLY, V4L2_CTRL_WHICH_CUR_VAL, V4L2_CTRL_WHICH_DEF_VAL, V4L2_CTRL_WHICH_REQUEST_VAL,
    v4l2_control, v4l2_ctrl_type_V4L2_CTRL_TYPE_CTRL_CLASS as V4L2_CTRL_TYPE_CTRL_CLASS,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER as V4L2_CTRL_TYPE_INTEGER,
    v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU as V4L2_CTRL_TYPE_MENU, v4l2_queryctrl,
};

structures! {
    v4l2_control { id, value }
    v4l2_queryctrl { id, type_, name, minimum, maximum, step, default_value, flags, reserved }
}

views! {
    /// `struct v4l2_query_ext_ctrl`.
    QueryExtCtrl of v4l2_query_ext_ctrl {
        /// `V4L2_CID_…`, and `V4L2_CTRL_FLAG_NEXT_…` to ask for the next one.
        id: u32 = id,
        /// `V4L2_CTRL_TYPE_…`.
        type_: u32 = type_,
        /// Its name.
        name: [u8; 32] = name,
        /// The least value.
        minimum: i64 = minimum,
        /// The greatest value.
        maximum: i64 = maximum,
        /// From one value to the next.
        step: u64 = step,
        /// The value to begin with.
        default_value: i64 = default_value,
        /// `V4L2_CTRL_FLAG_…`.
        flags: u32 = flags,
        /// Bytes of an element.
        elem_size: u32 = elem_size,
        /// Number of elements.
        elems: u32 = elems,
    }

    /// `struct v4l2_querymenu`, for menus of names.
    QueryMenu of v4l2_querymenu {
        /// `V4L2_CID_…`.
        id: u32 = id,
        /// Number of the item.
        index: u32 = index,
        /// Its name.
        name: [u8; 32] = __bindgen_anon_1,
    }

    /// `struct v4l2_ext_controls`.
    ExtControls of v4l2_ext_controls {
        /// Of which class they are, or which values are asked for: `V4L2_CTRL_WHICH_…`.
        which: u32 = __bindgen_anon_1,
        /// How many there are.
        count: u32 = count,
        /// Which of them failed; `count` for none in particular.
        error_idx: u32 = error_idx,
        /// The request that they are for.
        request_fd: i32 = request_fd,
        /// Where they are, in the caller's memory.
        controls: usize = controls,
    }

    /// `struct v4l2_ext_control` with a value of 32 bits.
    ExtControl of v4l2_ext_control {
        /// `V4L2_CID_…`.
        id: u32 = id,
        /// Bytes of a value that is elsewhere.
        size: u32 = size,
        /// Its value.
        value: i32 = __bindgen_anon_1,
    }
}
