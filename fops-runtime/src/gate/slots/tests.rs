//! The same tests for every backend.
use super::{local, shared};
use crate::op::Op;
use crate::platform::{self, Edge};
use std::vec::Vec;

static READ: Op = Op::guarded("Device", "read");

macro_rules! backend {
    ($($name:ident: $count:expr, $named:expr, $tells_threads:expr;)+) => {
        $(
            /// More sections than a backend may have slots for.
            #[test]
            fn $name() {
                let (device, other) = (platform::next_number(), platform::next_number());
                let tally = $name::Tally::new();
                let in_flight = |device| $name::sections(move |other| other == device).count();
                let slots: Vec<_> = (0..$count)
                    .map(|at| $name::open(&tally, super::tag(device, at % 2 == 1), &READ))
                    .collect();
                assert_eq!((in_flight(device), tally.unnamed()), ($named, $count - $named));
                assert_eq!(in_flight(other), 0);
                let there = || $name::entries().filter(|entry| entry.device() == device).count();
                assert_eq!(there(), $named);
                assert!($name::sections(|other| other == device).all(|section| section.op.name() == "read"));
                assert_eq!($name::entries().filter(|entry| entry.is_bound(|other| other == device)).count(), $named / 2);
                #[cfg(feature = "tracing")]
                {
                    let keys: std::collections::BTreeSet<_> = slots.iter().filter_map(|slot| slot.key()).collect();
                    assert_eq!(keys.len(), $named);
                }
                let is_inside = |device| $name::is_inside(move |other| other == device);
                assert_eq!([device, other].map(is_inside), [$tells_threads, false]);
                for slot in slots {
                    $name::clear(&tally, slot);
                }
                assert_eq!((in_flight(device), there(), tally.unnamed()), (0, 0, 0));
                assert!(!is_inside(device));
                // An owned one may be another thread's.
                let slot = $name::open(&tally, super::tag(device, true), &READ);
                assert!(!is_inside(device));
                $name::clear(&tally, slot);
                // A slot that was cleared is used again.
                let slot = $name::open(&tally, super::tag(other, false), &READ);
                assert_eq!((in_flight(other), tally.unnamed()), (1, 0));
                $name::clear(&tally, slot);
            }
        )+
    };
}

backend! {
    local: 100, 100, true;
    shared: 100, 64, false;
}

/// The models show that each fence is needed. This shows what each backend says of its fences.
#[test]
fn fences() {
    for edge in [Edge::Enter, Edge::Exit] {
        local::light(edge);
        local::light_symmetric(edge);
        shared::light(edge);
        shared::light_symmetric(edge);
    }
    assert!(local::heavy() && shared::heavy());
    assert_eq!(local::is_symmetric(), local::fence_kind() == super::FenceKind::Symmetric);
    // Its light fence is real already.
    assert!(!shared::is_symmetric());
    assert_eq!(shared::fence_kind(), super::FenceKind::Symmetric);
}
