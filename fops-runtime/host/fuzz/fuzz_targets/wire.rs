//! Whole requests, from bytes to the driver and back: see `host/fuse/wire.rs`, whose tests run the same function.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::Once;

fuzz_target!(|input: &[u8]| {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // libFuzzer's hook ends the process at each panic; those that the device is asked for are caught.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"asked to") {
                hook(info);
            }
        }));
    });
    fops_host::fuse::check(input);
});
