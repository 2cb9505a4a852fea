//! Controls as the ioctls of old and of extended controls see them.
use super::*;
use crate::app::client::get;
use crate::app::machine::Machine;
use crate::driver::core::DEVICE;
use crate::driver::group::RvinGroup;
use crate::uapi::ioctls::*;
use fops_runtime::OpenFlags;
use fops_runtime::op::op;

/// A file that is not told of anything.
const FILE: u64 = 0;

/// What an ioctl on these, of class `which`, answers: the values and `error_idx`, or the error and `error_idx`.
fn ext(what: Ext, which: u32, asked: &[(u32, i32)]) -> Result<(Vec<i32>, u32), (Errno, u32)> {
    let group = RvinGroup::new();
    let _machine = Machine::with_group(&[DEVICE], group.clone()).unwrap();
    let vin = group.vin(0).unwrap();
    let hw = vin.lifetime.enter(op!("test")).unwrap();
    let mut list: Vec<_> = asked.iter().map(|&(id, value)| ExtControl { id, value, size: 0 }).collect();
    let mut controls = ExtControls { which, count: list.len() as u32, error_idx: 77, ..zeroed() };
    match vin.ext_ctrls(what, &hw, FILE, &mut controls, &mut list) {
        Ok(()) => Ok((list.iter().map(|control| control.value).collect(), controls.error_idx)),
        Err(errno) => Err((errno, controls.error_idx)),
    }
}

const USER: u32 = V4L2_CID_USER_CLASS & CLASS_MASK;
const PROC: u32 = V4L2_CID_IMAGE_PROC_CLASS & CLASS_MASK;
const CURRENT: u32 = V4L2_CTRL_WHICH_CUR_VAL;
const DEFAULTS: u32 = V4L2_CTRL_WHICH_DEF_VAL;

#[test]
fn values_are_got_tried_and_set() {
    let both = [(V4L2_CID_BRIGHTNESS, 999), (V4L2_CID_TEST_PATTERN, 2)];
    assert_eq!(ext(Ext::Get, CURRENT, &both), Ok((vec![128, 0], 1)));
    assert_eq!(ext(Ext::Get, DEFAULTS, &both), Ok((vec![128, 0], 1)));
    assert_eq!(ext(Ext::Try, CURRENT, &both), Ok((vec![255, 2], 1)), "brought into its range");
    assert_eq!(ext(Ext::Set, CURRENT, &both), Ok((vec![255, 2], 1)));
    let (defaults, none) = (&both[..1], &[][..]);
    for what in [Ext::Try, Ext::Set] {
        assert_eq!(ext(what, DEFAULTS, defaults), Err((Errno::EINVAL, 1)), "defaults are not for setting");
    }
    for what in [Ext::Get, Ext::Try, Ext::Set] {
        assert_eq!(ext(what, V4L2_CTRL_WHICH_REQUEST_VAL, defaults), Err((Errno::EINVAL, 1)));
        assert_eq!(ext(what, CURRENT, none), Ok((vec![], 0)));
    }
}

#[test]
fn defaults_are_no_values() {
    let group = RvinGroup::new();
    let _machine = Machine::with_group(&[DEVICE], group.clone()).unwrap();
    let vin = group.vin(0).unwrap();
    let hw = vin.lifetime.enter(op!("test")).unwrap();
    vin.s_ctrl(&hw, FILE, &mut v4l2_control { id: V4L2_CID_BRIGHTNESS, value: 7 }).unwrap();
    for (which, value) in [(CURRENT, 7), (DEFAULTS, 128)] {
        let mut list = [ExtControl { id: V4L2_CID_BRIGHTNESS, value: 0, size: 0 }];
        let mut controls = ExtControls { which, count: 1, ..zeroed() };
        vin.ext_ctrls(Ext::Get, &hw, FILE, &mut controls, &mut list).unwrap();
        assert_eq!(list[0].value, value);
    }
}

#[test]
fn a_class_has_its_own_controls() {
    let (user, image) = ((V4L2_CID_BRIGHTNESS, 1), (V4L2_CID_TEST_PATTERN, 1));
    assert_eq!(ext(Ext::Get, USER, &[user]), Ok((vec![128], 0)));
    assert_eq!(ext(Ext::Get, PROC, &[image]), Ok((vec![0], 0)));
    // Flags of an id are no part of it.
    assert_eq!(ext(Ext::Get, PROC, &[(V4L2_CID_TEST_PATTERN | !ID_MASK, 1)]), Ok((vec![0], 0)));
    assert_eq!(ext(Ext::Get, USER, &[user, image]), Err((Errno::EINVAL, 2)), "none in particular");
    assert_eq!(ext(Ext::Try, USER, &[user, image]), Err((Errno::EINVAL, 1)), "this one");
    for (class, answer) in [(USER, Ok((vec![], 0))), (PROC, Ok((vec![], 0))), (0x0055_0000, Err((Errno::EINVAL, 0)))] {
        assert_eq!(ext(Ext::Get, class, &[]), answer, "{class:#x}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_set() {
    let class = (V4L2_CID_USER_CLASS, 0);
    assert_eq!(ext(Ext::Get, CURRENT, &[class]), Err((Errno::EACCES, 1)));
    assert_eq!(ext(Ext::Try, CURRENT, &[class]), Err((Errno::EACCES, 0)));
    assert_eq!(
        ext(Ext::Try, CURRENT, &[(V4L2_CID_BRIGHTNESS, 1), (V4L2_CID_TEST_PATTERN, 4)]),
        Err((Errno::ERANGE, 1))
    );
    assert_eq!(
        ext(Ext::Set, CURRENT, &[(V4L2_CID_BRIGHTNESS, 1), (V4L2_CID_TEST_PATTERN, -1)]),
        Err((Errno::ERANGE, 2))
    );
}

#[test]
fn both_queries_say_what_a_control_is() {
    let machine = Machine::new(&[DEVICE]).unwrap();
    let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let (class, no_class) = (V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY, 0);
    for (id, type_, flags, maximum, step, default) in [
        (V4L2_CID_USER_CLASS, V4L2_CTRL_TYPE_CTRL_CLASS, class, 0, 0, 0),
        (V4L2_CID_BRIGHTNESS, V4L2_CTRL_TYPE_INTEGER, V4L2_CTRL_FLAG_SLIDER, 255, 1, 128),
        (V4L2_CID_TEST_PATTERN, V4L2_CTRL_TYPE_MENU, no_class, 3, 1, 0),
    ] {
        let old = get(&file, VIDIOC_QUERYCTRL, v4l2_queryctrl { id, ..zeroed() }).unwrap();
        assert_eq!((old.id, old.type_, old.flags), (id, type_, flags));
        assert_eq!((old.minimum, old.maximum, old.step, old.default_value), (0, maximum, step, default));
        let new = get(&file, VIDIOC_QUERY_EXT_CTRL, QueryExtCtrl { id, ..zeroed() }).unwrap();
        assert_eq!((new.id, new.type_, new.flags, new.name), (id, type_, flags, old.name.map(|byte| byte as _)));
        let numbers = (new.minimum, new.maximum, new.step, new.default_value);
        assert_eq!(numbers, (0, maximum.into(), step as u64, default.into()));
        assert_eq!((new.elem_size, new.elems), (4, 1));
    }
}

#[test]
fn the_ioctls_reach_an_array_in_the_callers_memory() {
    let machine = Machine::new(&[DEVICE]).unwrap();
    let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let run = |command, value| {
        let mut array = [0; ExtControl::SIZE];
        store(&ExtControl { id: V4L2_CID_BRIGHTNESS, value, size: 0 }, &mut array).unwrap();
        let asked = ExtControls { which: CURRENT, count: 1, controls: array.as_ptr().addr(), ..zeroed() };
        let mut data = [0; ExtControls::SIZE];
        store(&asked, &mut data).unwrap();
        file.ioctl_with(command, &mut data, &mut [&mut array]).map(|_| <ExtControl as Uapi>::get(&array).value)
    };
    assert_eq!(run(VIDIOC_TRY_EXT_CTRLS, 999), Ok(255));
    assert_eq!(run(VIDIOC_G_EXT_CTRLS, 0), Ok(128), "only tried");
    assert_eq!(run(VIDIOC_S_EXT_CTRLS, 7), Ok(7));
    assert_eq!(run(VIDIOC_G_EXT_CTRLS, 0), Ok(7));
}
