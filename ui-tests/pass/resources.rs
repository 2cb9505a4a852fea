//! Structures of all kinds derive `Resources`, with generics and without warnings.
#![deny(warnings, missing_docs, clippy::pedantic)]
#![forbid(unsafe_code)]
use fops_runtime::op::op;
use fops_runtime::{
    Cause, Device as _, DeviceLifetime, File, FileOperations, OnEscape, Resources, Result, Stay, Unplug, guarded_fops,
};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

/// The author's own.
#[allow(dead_code)]
struct Option;

#[derive(Resources)]
struct Unit;

#[derive(Resources)]
struct Tuple<F>(pub Arc<u8>, std::vec::Vec<(u8, F)>)
where
    F: Fn(u8) -> u8;

#[derive(Resources)]
struct Generic<'a, T: Debug = u8, const N: usize = { 1 + 1 }>
where
    T: Clone,
{
    r#type: Arc<[T; N]>,
    borrowed: &'a u8,
    /// With attributes of its own.
    #[allow(dead_code)]
    #[resources(shared, reason = "feeds other devices too")]
    shared: Arc<u8>,
    unit: Unit,
    option: Option,
    inner: Tuple<fn(u8) -> u8>,
}

struct Dev {
    lifetime: DeviceLifetime<Generic<'static>>,
}

#[guarded_fops(lifetime = lifetime, resources = Generic<'static>, unplug(escapes = wait))]
impl FileOperations for Dev {
    type Open = ();

    #[fop(brief)]
    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    #[fop(sleeps)]
    fn fsync(&self, _: &File, _: bool) -> Result {
        Ok(())
    }
}

/// The field that is named, if a clone of what this lends is left.
fn escaped(lends: fn(&Generic<'static>) -> Arc<u8>) -> String {
    let hw = Generic {
        r#type: Arc::new([1; 2]),
        borrowed: &1,
        shared: Arc::new(1),
        unit: Unit,
        option: Option,
        inner: Tuple(Arc::new(1), Vec::new()),
    };
    let dev = Dev { lifetime: DeviceLifetime::new(hw) };
    assert_eq!(dev.on_escape(), OnEscape::Wait);
    let access = dev.lifetime.enter(op!("escape")).expect("it is there");
    assert_eq!(*access.r#type, [1; 2]);
    assert_eq!((*access.borrowed, access.inner.1.len()), (1, 0));
    let (clone, _) = (lends(&access), (&access.unit, &access.option));
    drop(access);
    let draining = dev.begin_unplug(Cause::Unbind).expect("it begins").wait_for(Duration::ZERO);
    drop(clone);
    draining.err().map(|draining| draining.report().to_string()).unwrap_or_default()
}

fn main() {
    let tuple = escaped(|hw| hw.inner.0.clone());
    assert!(tuple.starts_with("`Tuple::0` (") && tuple.contains("pass/resources.rs:"), "{tuple}");
    assert_eq!(escaped(|hw| hw.shared.clone()), "");
    assert!(Dev::table().ops().iter().map(fops_runtime::Op::stay).eq([Stay::Brief, Stay::Sleeps]));
}
