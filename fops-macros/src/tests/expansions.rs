//! What right input becomes.

use super::snapshot;

snapshot!(
    policies,
    "lifetime = lifetime",
    r#"
impl FileOperations for RcarVin {
    type Open = ();

    /// Reads one frame.
    fn read(&self, #[access] hw: &Access<'_, VinHw>, file: &File, buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write(&hw.frame())
    }

    fn poll(&self, file: &File, table: &PollTable<'_>) -> PollEvents {
        PollEvents::IN
    }

    fn release(&self, #[access] hw: Option<&Access<'_, VinHw>>, file: File) {
        self.put(file);
    }

    #[fop(unguarded, reason = "moves the file position, touches no device")]
    fn llseek(&self, file: &File, to: SeekFrom) -> Result<u64> {
        file.seek(to)
    }
}
"#
);

snapshot!(
    unplug_with_hooks,
    "lifetime = lifetime, unplug(stop = quiesce, wake = kick)",
    r#"
impl FileOperations for RcarVin {
    fn read(&self, #[access] hw: &Access<'_, VinHw>, file: &File) -> Result<usize> { Ok(0) }
}
"#
);

snapshot!(
    generics_and_lifetime_by_expression,
    "lifetime = self.inner.lifetime, unplug()",
    r#"
#[cfg(feature = "pci")]
impl<B: Bus, const N: usize> FileOperations for Vin<'_, B, N> where B: Sync {
    fn read<'a, T>(&'a self, #[access] hw: &Access<'_, Hw<B>>, first: T) -> Result<&'a str> where T: Copy + 'a { Ok("") }
}
"#
);

snapshot!(
    cfg_on_methods,
    "lifetime = lifetime",
    r#"
impl FileOperations for X {
    #[cfg(feature = "a")]
    fn read(&self, file: &File) -> Result<usize> { Ok(1) }
    #[cfg(not(feature = "a"))]
    fn read(&self, file: &File) -> Result<usize> { Ok(2) }
}
"#
);

snapshot!(
    by_value_arguments,
    "lifetime = lifetime, default = guarded",
    r#"
impl Ops for X {
    fn write(&self, buf: Reader<'_>) -> Result { drop(buf) }
    fn ioctl(&self, mut cmd: Command, _: Arg, (a, ref b): (A, B), _unused: C, n: u32, file: &File) -> Result { cmd.run(a, b) }
    fn mmap(&self, #[cfg(mmu)] mut area: Area, Wrapper(inner): Wrapper) -> Result { inner.map(area) }
}
"#
);

snapshot!(
    answers,
    "lifetime = lifetime, default = guarded",
    r#"
impl X {
    #[fop(unplugged = ())]
    fn nothing(&self) {}
    #[fop(unplugged = -19)]
    fn number(&self) -> i32 { 0 }
    #[fop(guarded, unplugged = Vec::new().into_iter())]
    fn opaque(&self) -> impl Iterator<Item = u8> { vec![1].into_iter() }
    #[fop(guarded)]
    fn partly_opaque(&self) -> Result<impl Iterator<Item = u8>, Errno> { Ok(vec![1].into_iter()) }
    fn by_type(&self) -> Result<Option<&str>> { Ok(None) }
}
"#
);

snapshot!(
    fuse_shape,
    "lifetime = lifetime, unplugged = reply.error(Errno::ENODEV)",
    r#"
impl fuser::Filesystem for Fs {
    fn read(&self, #[access] hw: &Access<'_, Hw>, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyData) {
        reply.data(&hw.data[ino]);
    }
    #[fop(unplugged = _reply.poll(PollEvents::POLLERR | PollEvents::POLLHUP))]
    fn poll(&self, _reply: ReplyPoll) { todo!() }
    fn forget(&self, _req: &Request, _ino: INodeNo, _nlookup: u64) {}
}
"#
);

snapshot!(
    misc_device_shape,
    "lifetime = lifetime, via = me, unplugged = Err(ENODEV)",
    r#"
impl MiscDevice for Dev {
    type Ptr = Arc<Self>;
    #[fop(via = misc.data())]
    fn open(_file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> { Ok(misc.0.clone()) }
    fn ioctl(me: Pin<&Self>, #[access] hw: &Access<'_, Hw>, _file: &File, cmd: u32, _arg: usize) -> Result<isize> { Ok(hw.id) }
    fn release(me: Self::Ptr, #[access] hw: Option<&Access<'_, Hw>>, _file: &File) {}
}
"#
);

snapshot!(
    access_by_pattern,
    "lifetime = lifetime, default = guarded",
    r#"
impl X {
    pub(crate) fn read(&self, #[access] _: &Access<'_, Hw>) -> Result { Ok(()) }
    fn write(&self, #[access] mut hw: &Access<'_, Hw>, file: &File) -> Result { Ok(()) }
    #[fop(always)]
    fn release(&self, #[access] (Some(_) | None): Option<&Access<'_, Hw>>) {}
}
"#
);

snapshot!(
    inner_attributes,
    "lifetime = lifetime, default = guarded",
    r#"
impl X {
    #![allow(dead_code)]
    const LIMIT: usize = { 5 };
    fn read(&self) -> Result {
        #![allow(unused)]
        let x = 1;
        Ok(())
    }
}
"#
);

snapshot!(
    runtime_elsewhere,
    "lifetime = crate::DEVICE, crate = crate::reexported::runtime, name = extra, resources = Hw, unplug(), default = guarded",
    r#"
impl X {
    fn read(&mut self) -> Result { Ok(()) }
}
"#
);

snapshot!(
    resources_with_arguments,
    "lifetime = lifetime, resources = Hw::<A, Vec<B>>, unplug, default = guarded",
    r#"
impl<A, B> X<A, B> {
    fn read(&self) -> Result { Ok(()) }
}
"#
);

snapshot!(
    device_looked_up,
    "lifetime = lifetime, via = self.find(ino), not_found = reply.error(Errno::ENXIO), unplugged = reply.error(Errno::ENODEV)",
    r#"
impl fuser::Filesystem for Rack {
    fn read(&self, #[device] sensor: &Sensor, #[access] hw: &Access<'_, Hw>, ino: INodeNo, reply: ReplyData) { sensor.park(reply) }
    fn open(&self, ino: INodeNo, reply: ReplyOpen) { reply.opened() }
    fn release(&self, #[device] sensor: Option<&Sensor>, #[access] hw: Option<&Access<'_, Hw>>, ino: INodeNo, reply: ReplyEmpty) {}
    #[fop(unguarded, reason = "names outlive devices")]
    fn lookup(&self, name: &OsStr, reply: ReplyEntry) {}
    #[fop(via = &self.first, not_found = (), unplugged = ())]
    fn statfs(&self) {}
}
"#
);

snapshot!(
    lifetime_looked_up,
    "lifetime = self.lifetimes.get(minor)?, default = guarded",
    r#"
impl Driver {
    fn read(&self, #[access] hw: &Access<'_, Hw>, minor: u32) -> Result<usize> { Ok(hw.len()) }
    #[fop(always)]
    fn release(&self, minor: u32) -> Result { Ok(()) }
}
"#
);

snapshot!(
    device_by_parameter,
    "lifetime = lifetime, via = device.lock(), unplugged = Err(ENODEV)",
    r#"
impl MiscDevice for Dev {
    fn ioctl(device: Arc<Lock<Dev>>, #[device] dev: &Dev, cmd: u32) -> Result<isize> { Ok(dev.id) }
}
"#
);

snapshot!(
    futures,
    "lifetime = lifetime, default = guarded",
    r#"
impl Ops for A {
    #[fop(polled)]
    async fn wait(&self, #[access] hw: &OwnedAccess<Hw>, buf: Vec<u8>) -> Result<usize> { hw.wait(buf).await }
    #[fop(polled)]
    fn later(&self, #[access] hw: &OwnedAccess<Hw>) -> impl Future<Output = Result<u8>> + Send { hw.later() }
    #[fop(polled)]
    fn boxed<'a>(&'a self, buf: Buffer) -> Pin<Box<dyn Future<Output = Result<u8>> + Send + 'a>> { Box::pin(async move { buf.fill().await }) }
    #[fop(always, polled)]
    async fn close(&self, #[access] hw: Option<&OwnedAccess<Hw>>) { self.put(hw).await }
}
"#
);

snapshot!(
    subdevs,
    "lifetime = lifetime, unplug(stop = quiesce, subdevs(csi2 = Csi2, lens = Lens<B>)), resources = Hw, subdev",
    r#"
impl<B: Bus> FileOperations for Vin<B> {
    fn open(&self, file: &File) -> Result { Ok(()) }
    fn release(self) { drop(self) }
}
"#
);

snapshot!(
    lifetime_by_call,
    "lifetime = self.lifetime(), unplug(wake = kick), resources = Hw, default = guarded",
    r#"
impl X {
    fn read(&self) -> Result { Ok(()) }
}
"#
);

/// `#[derive(Resources)]`.
#[test]
fn resources() {
    let item = r#"
        #[resources(crate = crate::runtime)]
        pub(crate) struct VinPort<'a, T: Fn(u8) -> u8 = fn(u8) -> u8, const N: usize = 2> where T: Send {
            pub(in crate::driver) mmio: Arc<Mmio>,
            #[resources(shared, reason = "it feeds other devices")]
            supply: Arc<Regulator>,
            r#type: HashMap<u8, T>,
            borrowed: &'a [u8; N],
        }
    "#;
    let mut diagnostics = crate::diagnostics::Diagnostics::default();
    let output = crate::resources::derive(item.parse().expect("tokens"), &mut diagnostics);
    let file = syn::parse2(diagnostics.follow(output)).expect("it parses");
    insta::with_settings!({
        omit_expression => true,
        prepend_module_to_snapshot => false,
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/src/snapshots"),
    }, {
        insta::assert_snapshot!("resources", prettyplease::unparse(&file));
    });
}
