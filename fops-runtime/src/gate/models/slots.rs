//! Sections against removers, and the slots they stand in.
use super::{Arc, Device, Registers, bounded, heavy_fence, spawn};
use crate::platform::{end_thread, go_symmetric};
use std::vec::Vec;

fn one_against_unplug() {
    let device = Device::new();
    let operation = spawn!(|device| device.operate());
    let remover = spawn!(|device| device.unplug());
    operation.join().unwrap();
    remover.join().unwrap();
}

#[test]
fn enter_against_unplug() {
    bounded(5, one_against_unplug);
}

#[test]
fn enter_against_unplug_without_membarrier() {
    go_symmetric();
    bounded(5, one_against_unplug);
}

#[test]
fn who_is_refused_sees_what_the_remover_did_before() {
    bounded(5, || {
        let (device, cause) = (Device::new(), Arc::new(Registers::new()));
        let operation = spawn!(|device, cause| {
            if device.gate.is_closed() {
                assert_eq!(cause.read(), 0xdead);
            }
        });
        let remover = spawn!(|device, cause| {
            cause.destroy();
            device.unplug();
        });
        operation.join().unwrap();
        remover.join().unwrap();
    });
}

#[test]
fn a_remover_that_looks_against_the_last_exit() {
    bounded(5, || {
        let device = Device::new();
        let slot = device.enter(true).unwrap();
        device.gate.close();
        assert!(heavy_fence());
        let operation = spawn!(|device| device.exit(slot));
        let remover = spawn!(|device| {
            assert!(device.gate.drain(None));
            device.registers.destroy();
        });
        operation.join().unwrap();
        remover.join().unwrap();
    });
}

#[test]
fn two_operations_against_unplug() {
    bounded(3, || {
        let device = Device::new();
        let operations = [(); 2].map(|()| spawn!(|device| device.operate()));
        device.unplug();
        operations.into_iter().for_each(|operation| operation.join().unwrap());
    });
}

#[test]
fn a_nested_section_against_unplug() {
    bounded(3, || {
        let device = Device::new();
        let operation = spawn!(|device| {
            if let Some(outer) = device.enter(false) {
                device.operate();
                device.exit(outer);
            }
        });
        device.unplug();
        operation.join().unwrap();
    });
}

#[test]
fn an_owned_section_ends_on_another_thread() {
    bounded(4, || {
        let device = Device::new();
        let opener = spawn!(|device| {
            if let Some(slot) = device.enter(true) {
                spawn!(|device| device.exit(slot)).join().unwrap();
            }
        });
        device.unplug();
        opener.join().unwrap();
    });
}

#[test]
fn a_slot_is_used_again_by_another_device() {
    bounded(3, || {
        let (first, second) = (Device::new(), Device::new());
        let operations = spawn!(|first, second| {
            first.operate();
            second.operate();
        });
        first.unplug();
        second.unplug();
        operations.join().unwrap();
    });
}

/// What the one did that cleared it comes before the section that stands there next, and so before what a remover does
/// who sees that.
#[test]
fn a_slot_that_another_thread_cleared_is_used_again() {
    bounded(4, || {
        let (first, second) = (Device::new(), Device::new());
        let remover = spawn!(|first| first.unplug());
        if let Some(slot) = first.enter(true) {
            let other = spawn!(|first| first.exit(slot));
            second.operate();
            other.join().unwrap();
        }
        remover.join().unwrap();
    });
}

#[test]
fn a_block_is_not_taken_from_under_a_section() {
    bounded(3, || {
        let (first, second) = (Device::new(), Device::new());
        let ends = spawn!(|first| {
            let slot = first.enter(true);
            end_thread();
            slot
        });
        let begins = spawn!(|second| second.operate());
        let _slot = ends.join().unwrap();
        begins.join().unwrap();
        assert_eq!(first.gate.sections().count(), 1, "it stands there no more");
    });
}

#[test]
fn a_block_is_used_again_by_another_thread() {
    bounded(3, || {
        let device = Device::new();
        let ends = spawn!(|device| {
            device.operate();
            end_thread();
        });
        let begins = spawn!(|device| device.operate());
        device.unplug();
        ends.join().unwrap();
        begins.join().unwrap();
    });
}

#[test]
fn a_block_with_a_section_left_in_it_is_used_again() {
    bounded(3, || {
        let (first, second) = (Device::new(), Device::new());
        let ends = spawn!(|first| {
            let slot = first.enter(true);
            end_thread();
            if let Some(slot) = slot {
                first.exit(slot);
            }
        });
        let begins = spawn!(|second| second.operate());
        first.unplug();
        ends.join().unwrap();
        begins.join().unwrap();
    });
}

/// A block has two slots in a model.
#[test]
fn more_sections_than_a_block_has_slots() {
    bounded(3, || {
        let device = Device::new();
        let remover = spawn!(|device| device.unplug());
        let sections: Vec<_> = (0..3).map_while(|_| device.enter(false)).collect();
        sections.into_iter().for_each(|slot| device.exit(slot));
        remover.join().unwrap();
    });
}

/// The first slots are taken. If all threads share them, these two sections are only counted.
#[test]
fn sections_that_find_no_slot_in_their_block() {
    bounded(3, || {
        let (device, other) = (Device::new(), Device::new());
        let taken = [(); 2].map(|()| other.enter(true));
        let operation = spawn!(|device| device.operate());
        let remover = spawn!(|device| device.unplug());
        device.operate();
        operation.join().unwrap();
        remover.join().unwrap();
        taken.into_iter().flatten().for_each(|slot| other.exit(slot));
    });
}
