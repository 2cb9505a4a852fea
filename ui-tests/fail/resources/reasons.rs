//! A field whose clones may outlive the device says why.
use fops_runtime::Resources;
use std::sync::Arc;

#[derive(Resources)]
struct Hw {
    #[resources(shared)]
    first: Arc<u8>,
    #[resources(shared, reason = " ")]
    second: Arc<u8>,
    #[resources(reason = "feeds other devices")]
    third: Arc<u8>,
    #[resources(shared = yes)]
    fourth: Arc<u8>,
}

fn main() {}
