//! What wrong input becomes: the item goes on, the access has a placeholder, the errors follow.

use super::snapshot;

snapshot!(
    errors_of_one_block,
    "lifetime = lifetime, lifetyme = x, via",
    r#"
impl FileOperations for X {
    fn read(&self, #[access] hw: Option<&Access<'_, Hw>>, #[access] again: &Access<'_, Hw>) -> Result { hw.unwrap().read() }
    fn release(&self, #[access] hw: &Access<'_, Hw>) { hw.stop() }
    #[fop(unguarded)]
    fn llseek(&self, #[access] hw: &Access<'_, Hw>) -> Result { hw.stop() }
    #[fop(always, guarded)]
    fn write(&self) -> Result { Ok(()) }
    fn frobnicate(&self) -> Result { Ok(()) }
    fn close(&self) {}
    const fn poll(&self) -> PollEvents { PollEvents::IN }
    async fn mmap(&self) -> Result { Ok(()) }
    fn open() -> Result { Ok(()) }
    fn flush(&self) -> Result { Ok(()) }
}
"#
);
snapshot!(
    errors_of_items,
    "lifetime = lifetime",
    r#"
impl FileOperations for X {
    operations! { read, write }
    #[fop(guarded)]
    const X: u8 = 1;
    #[cfg_attr(feature = "x", fop(always))]
    fn read(&self) -> Result { Ok(()) }
    fn mmap(&self) -> Result { Ok(()) }
}
"#
);
snapshot!(
    half_typed_signature,
    "lifetime = lifetime, default = guarded",
    "impl A { fn read(&self, #[access] hw) -> Result { Ok(()) } fn write(&self) -> Result { Ok(()) } }"
);
snapshot!(
    half_typed_body,
    "lifetime = lifetime, default = guarded",
    "impl A { fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result { let x = hw. } }"
);
snapshot!(
    lifetime_missing,
    "unplug(), default = guarded",
    "impl A { fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result { hw.x() } }"
);
snapshot!(
    resources_unknown,
    "lifetime = lifetime, unplug(), default = guarded",
    "impl A { fn read(&self) -> Result { Ok(()) } }"
);
snapshot!(not_an_impl, "lifetime = lifetime", "pub struct A { lifetime: DeviceLifetime<u8> }");

snapshot!(
    slips_in_options,
    "lifetime = lifetime, via: me, not_found = self., 5 x, default = always name = key, ::, unplug(stop quiesce, wake = kick), resources = Hw",
    r#"
impl X {
    #[fop(always unplugged = Gone)]
    fn read(&self) -> Result { Ok(()) }
    #[fop(polled, reason "none", unguarded)]
    fn write(&self) -> Result { Ok(()) }
    fn start(&self) -> Result { Ok(()) }
}
"#
);
