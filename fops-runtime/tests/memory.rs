//! What devices and threads take, of 100,000 devices and 100 threads: as the benchmark measures it.
#![cfg(all(feature = "std", not(loom)))]
#[path = "../benches/gate/memory.rs"]
mod memory;

use fops_runtime::DeviceLifetime;
use fops_runtime::op::op;

/// One test: both count what the whole process takes.
#[test]
fn devices_and_threads_take_little_and_what_has_gone_nothing() {
    threads_that_have_gone_take_nothing();
    let memory = memory::memory();
    let memory::Memory { device, thread, device_and_thread } = memory;
    println!("a device: {device} bytes; a thread: {thread}; a device and thread: {device_and_thread}");
    assert!(device <= 64.0, "a device takes {device} bytes beside its resources");
    assert!(thread <= 256.0, "a thread takes {thread} bytes");
    assert!(
        device_and_thread < 0.1,
        "each of a million pairs of a thread and a device takes {device_and_thread} bytes"
    );
}

/// A thread that ends leaves its slots to the next.
fn threads_that_have_gone_take_nothing() {
    let lifetime = DeviceLifetime::new(());
    let one_after_another = |count| {
        for _ in 0..count {
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    // More than a block has room for.
                    let accesses: Vec<_> = (0..200).map(|_| lifetime.enter(op!("ioctl")).unwrap()).collect();
                    drop(accesses);
                });
                thread.join().unwrap();
            });
        }
    };
    one_after_another(10);
    let before = memory::taken();
    one_after_another(1000);
    let more = memory::taken() - before;
    assert!(more < 10_000, "a thousand threads that have gone take {more} bytes");
}
