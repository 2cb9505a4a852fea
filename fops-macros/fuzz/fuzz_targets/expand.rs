//! The macro on arbitrary source, and on a real impl that the input mutates.
//!
//! A macro crate cannot be linked to: this is built from its modules.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../src"]
mod source {
    pub mod args;
    #[path = "tests/check.rs"]
    pub mod check;
    pub mod diagnostics;
    pub mod expand;
    pub mod model;
    pub mod ops;
    pub mod parse;
    pub mod validate;
}
// Under the names that they know each other by.
use source::{args, check, diagnostics, expand, model, ops, parse, validate};

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

const ARGUMENTS: &str = "lifetime = self.inner.lifetime, via = self.find(ino), not_found = reply.error(ENXIO), \
     unplugged = reply.error(ENODEV), unplug(stop = quiesce, wake = kick), resources = Hw<u8>, name = key, \
     default = guarded, crate = a::b";

const ITEM: &str = r#"
unsafe impl<'a, B: Bus> crate::FileOperations<'a> for Vin<'a, B> where B: Sync {
    #![allow(dead_code)]
    const LIMIT: usize = { 5 };
    type Open<'b> = &'b u8 where Self: 'b;
    #[fop(always, via = me)]
    fn release(me: Me, #[device] vin: Option<&Vin>, #[access] hw: Option<&Access<'_, Hw>>, (a, ref b): (A, B)) { drop(hw) }
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<Hw>, mut c: C, _: D) -> Result<u8> { hw.read(c).await }
    #[fop(polled)]
    fn write(&self) -> Pin<Box<dyn Future<Output = u8>>> { Box::pin(async { 1 }) }
    #[fop(unguarded, reason = "none")]
    const fn seek() {}
}
"#;

/// The first line are the arguments, the rest is the item. The first eight bytes are the seed of a mutation, too.
fuzz_target!(|source: &[u8]| {
    let seed = source.iter().take(8).fold(0, |seed, &byte| seed << 8 | u64::from(byte));
    let mut random = check::Random(seed);
    let parse = |source: &str| source.parse::<TokenStream>().expect("tokens");
    let arguments = check::mutate(parse(ARGUMENTS), &mut random);
    check::check(arguments, check::mutate(parse(ITEM), &mut random));

    let Ok(source) = str::from_utf8(source) else { return };
    let (arguments, item) = source.split_once('\n').unwrap_or(("lifetime = lifetime", source));
    if let (Ok(arguments), Ok(item)) = (arguments.parse(), item.parse()) {
        check::check(arguments, item);
    }
});
