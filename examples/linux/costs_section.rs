// SPDX-License-Identifier: GPL-2.0
//! The section that costs_peers.c measures: opened and closed by name, as the attribute does it for an operation.
#![no_std]
use fops_runtime::{DeviceLifetime, op::op};

/// Enters and exits so many times.
#[unsafe(no_mangle)]
extern "C" fn costs_section(rounds: u32) {
    let lifetime = DeviceLifetime::new(1_u32);
    enter(&lifetime, rounds);
}

/// The same inside a section of another device.
#[unsafe(no_mangle)]
extern "C" fn costs_nested(rounds: u32) {
    let outer = DeviceLifetime::new(2_u32);
    let _section = outer.enter(op!("outer"));
    let lifetime = DeviceLifetime::new(1_u32);
    enter(&lifetime, rounds);
}

#[inline(never)]
fn enter(lifetime: &DeviceLifetime<u32>, rounds: u32) {
    for _ in 0..rounds {
        // What the section is for: it reads the resources.
        if let Ok(number) = lifetime.enter(op!("costs")) {
            core::hint::black_box(&*number);
        }
    }
}
