//! Only the handles of a structure are known without looking at a value.
use fops_runtime::Resources;
use std::sync::Arc;

#[derive(Resources)]
enum Clock {
    On(Arc<u8>),
    Off,
}

#[derive(Resources)]
union Raw {
    word: u32,
}

fn main() {}
