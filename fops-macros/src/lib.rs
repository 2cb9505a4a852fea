//! `#[guarded_fops]`: every operation of an impl block runs inside a device access section.
//!
//! Drivers do not depend on this crate but on `fops-runtime`, which re-exports it: what the macro
//! writes are calls of that crate. For the same reason the examples here are not compiled; those
//! of `fops-runtime` are, and so are the cases of `ui-tests`.
//!
//! Data flows one way: tokens are [parsed](parse) into a [model] of what was written, all rules
//! [validate] it, and it is [expanded](expand). Errors are recorded on the way and emitted after the
//! author's item. The item is there whatever is wrong with it, and even if this crate panics.
#![forbid(unsafe_code)]
#![allow(rustdoc::private_intra_doc_links)]

use proc_macro2::TokenStream;

use self::diagnostics::Diagnostics;

mod args;
mod diagnostics;
mod expand;
mod model;
mod ops;
mod parse;
mod rescue;
mod resources;
mod source;
#[cfg(test)]
mod tests;
mod validate;

/// All of `#[guarded_fops]`: parse, validate, expand, and what there is to say of mistakes.
fn guard(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let parsed = parse::parse(arguments, item, &mut diagnostics);
    let checked = parsed.map(|block| validate::validate(block, &mut diagnostics));
    diagnostics.follow(expand::expand(checked))
}

/// Runs every operation of an impl block inside a device access section.
///
/// The block may implement a trait, whichever it is, or none. Each method enters a section of the
/// device's `DeviceLifetime` first and leaves it when it returns; once unplug has begun it answers for the
/// missing device instead. The bodies stay as they are.
///
/// ```ignore
/// struct RcarVin {
///     lifetime: DeviceLifetime<VinHw>,
/// }
///
/// #[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
/// impl FileOperations for RcarVin {
///     type Open = ();
///
///     fn open(&self, _file: &File) -> Result {
///         Ok(())
///     }
///     fn read(&self, #[access] hw: &Access<'_, VinHw>, _file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
///         buf.write_slice(&hw.frame())
///     }
///     fn release(&self, #[access] hw: Option<&Access<'_, VinHw>>, _file: File) {
///         if let Some(hw) = hw {
///             hw.stop();
///         }
///     }
///     #[fop(unguarded, reason = "moves the file position, touches no device")]
///     fn llseek(&self, _file: &File, to: SeekFrom) -> Result<u64> {
///         self.seek(to)
///     }
/// }
/// ```
///
/// # Access
/// A parameter marked `#[access]` lends the device's resources to the operation. It is no part of the
/// method that the trait and the callers see. If the operation is guarded, its type is `&Access<'_, R>`, or just `&R`. If
/// the operation always runs, its type is `Option<&Access<'_, R>>`. An unguarded operation has no access.
///
/// # Policies
/// * *guarded*: runs inside a section, and not at all once unplug has begun.
/// * *always*: runs after unplug too, then without a section and without access.
/// * *unguarded*: never enters a section, and gives the reason why that is sound.
///
/// An operation has its own policy, or the one that its name has in the block's trait, or the block's `default`. Without
/// any of them, the build fails. A name that sounds like a release (drop, close, destroy, forget, teardown, release) needs
/// a policy of its own.
///
/// Names mean something in these traits alone. All their operations are guarded, except those of the last column.
///
/// | trait | read from | always |
/// |---|---|---|
/// | `FileOperations` | `struct file_operations` | `release`, `flush`, `fasync` |
/// | `V4l2FileOperations` | `struct v4l2_file_operations` | `release` |
/// | `V4l2IoctlOps` | `struct v4l2_ioctl_ops`: names that begin with `vidioc_` | |
/// | `MiscDevice` | rust/kernel/miscdevice.rs | `release` |
/// | `Filesystem` | `fuser::Filesystem` | `release`, `releasedir`, `flush`, `forget`, `batch_forget`, `destroy` |
/// | `SubdevOperations` | `struct v4l2_subdev_ops` | `release` |
///
/// A trait that is imported by another name is known by the option `name`: `name = FileOperations`.
///
/// # Unguarded operations with sections of their own
/// An unguarded operation may enter the lifetime itself. That is right if it waits for something that unplug cannot
/// wake, such as user space, and needs the device before and after that only: with a section around the wait, unplug
/// would wait too. Each step then has its own section, and its own `ENODEV`.
///
/// ```ignore
/// #[fop(unguarded, reason = "opens a section for each frame, and none while it waits for user space")]
/// fn copy(&self, frames: &Frames) -> Result {
///     for slot in frames.requested() {
///         let hw = self.lifetime.enter(op!("copy a frame"))?;
///         slot.fill(&hw.frame());
///     }
///     Ok(())
/// }
/// ```
///
/// # Options of the block
/// | option | meaning |
/// |---|---|
/// | `lifetime = <field>` | The field of `self` that is the `DeviceLifetime`, or a pointer to one: `lifetime = lifetime`, `lifetime = 0`. Required. It may be an expression: `lifetime = self.inner.lifetime`, `lifetime = crate::DEVICE`. A path such as the latter needs no `self`. A call in it returns a reference to a lifetime, or an `Arc` of one: a lifetime that is made for each call guards nothing, and does not compile. |
/// | `via = <expression>` | What stands for `self` in a method without receiver, such as a parameter; or, where it mentions `self`, what looks the device up for each request: `via = self.find(ino)`. It may name the method's parameters. What it makes, an `Arc` perhaps, is bound first and lives as long as the section. |
/// | `not_found = <expression>` | The answer where `via` (or `lifetime`) looks a device up and gets `None`. |
/// | `unplugged = <expression>` | The answer of guarded operations once the device is gone. It may name the method's parameters. Without it the trait `AfterUnplug` of the return type answers. |
/// | `unplug(stop = <method>, wake = <method>)` | Implements the traits `Device` and `Unpluggable`: `stop(&self, &R, Cause)` stops the hardware, `wake(&self, &R)` wakes what only the driver knows of. Each may be left out. If `R` is `Copy`, a hook may take it by value. A hook returns nothing, or a `Result`: unplug logs its error and goes on. Hooks are methods of an `impl` block of the device's own, without `#[guarded_fops]`: methods of traits and operations of the block are refused. So is a second method `unplug` of the device. |
/// | `unplug(escapes = <word>)` | What unplug does if clones of the resources are left when the last section has ended: `log` (the default), `panic`, for tests, or `wait`. The resources derive `Resources`. |
/// | `subdev` | The block has the operations of a subdev's node. |
/// | `resources = <type>` | The type of the resources, where no `#[access]` says it; with several arguments, `Hw::<A, B>`. |
/// | `name = <identifier>` | The name of the block, which is the key of its table of ops: by default the trait's name, or the type's. A second block of one name needs it. |
/// | `default = guarded` | The policy of methods that are not known by name; or `always`. |
/// | `crate = <path>` | Where `fops_runtime` is found, if not at `::fops_runtime`. |
///
/// ```ignore
/// #[guarded_fops(lifetime = lifetime, unplugged = reply.error(Errno::ENODEV))]
/// impl fuser::Filesystem for Fs {
///     fn read(&self, #[access] hw: &Access<'_, Hw>, /* .. */ reply: ReplyData) {
///         reply.data(&hw.data);
///     }
///     #[fop(unplugged = reply.poll(PollEvents::POLLERR | PollEvents::POLLHUP))]
///     fn poll(&self, /* .. */ reply: ReplyPoll) {
///         reply.poll(PollEvents::POLLIN);
///     }
/// }
///
/// #[guarded_fops(lifetime = lifetime, via = me, unplugged = Err(ENODEV))]
/// impl MiscDevice for Dev {
///     type Ptr = Arc<Self>;
///
///     #[fop(via = misc.data())]
///     fn open(_file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
///         Ok(misc.shared())
///     }
///     fn ioctl(me: Pin<&Self>, #[access] hw: &Access<'_, Hw>, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
///         hw.command(cmd, arg)
///     }
/// }
/// ```
///
/// # Options of a method
/// `#[fop(..)]` takes one of `guarded`, `always` and `unguarded, reason = ".."`, and `via`, `not_found` and
/// `unplugged`, which overrule those of the block. It also takes one of these, which the table of ops shows:
///
/// * `sleeps`: the operation may sleep in its section for as long as it takes. The test kit wants to see it asleep when a
///   device goes, because each sleep needs something that ends it.
/// * `brief`: the operation is over within 100 ms. If unplug has to wait for it longer, the report says `declared brief`,
///   and the test kit finds it.
///
/// # Devices looked up
/// One impl may serve many devices. A parameter marked `#[device]` lends the operation the one that `via` found; like
/// an access it is no part of the signature. An operation that always runs does so where no device is found, too:
/// with `not_found` its `#[device]` is an `Option`, as its `#[access]` is.
///
/// ```ignore
/// #[guarded_fops(lifetime = lifetime, via = self.find(ino), not_found = reply.error(Errno::ENXIO),
///     unplugged = reply.error(Errno::ENODEV))]
/// impl fuser::Filesystem for Rack {
///     fn read(&self, #[device] sensor: &Sensor, #[access] hw: &Access<'_, Hw>, ino: INodeNo, reply: ReplyData) {
///         reply.data(&sensor.sample(hw));
///     }
///     fn release(&self, #[device] sensor: Option<&Sensor>, ino: INodeNo, reply: ReplyEmpty) {
///         reply.ok();
///     }
/// }
/// ```
///
/// # Subdevs
/// `unplug(subdevs(csi2 = Csi2, ..))` names the fields of type `Subdev<Csi2>`: they are parts of the device. `Unplug::unplug`
/// takes them and the device as one group, and returns `(R, (Option<Rsub>, ..))`: `None` for a subdev that was unplugged by
/// itself before. `subdev` on the impl block of a subdev's
/// `FileOperations` says that these are of its node, which open files hold: without a release op, `fn release(self)` of
/// `SubdevOperations`, it does not compile.
///
/// # Work that is done later
/// The work of an `async fn`, or of a future that is returned, is done after the call. `#[fop(polled)]` on the method
/// opens its section at the first poll and keeps it until the future is done or dropped. The access is then an
/// `OwnedAccess<R>`, which may move between threads, and the lifetime stands in an `Arc`. It works for `async fn`,
/// `-> impl Future<Output = T>` and `-> Pin<Box<dyn Future<Output = T>>>`; the body of the latter two runs at the first
/// poll, and has no `return`. `#[async_trait]` goes below `#[guarded_fops]`.
///
/// Any other `impl Trait` or boxed `dyn Trait` that is returned may have work left, too: such a method says `guarded`
/// itself if the section is to be open until it returns.
///
/// # What it writes
/// ```ignore
/// fn read(&self, _file: &File, buf: UserSliceWriter<'_>) -> Result<usize> {
///     let __op = const { &::fops_runtime::Op::guarded("RcarVin", "read") };
///     let hw = match ::fops_runtime::DeviceLifetime::enter(::fops_runtime::__private::lifetime(&self.lifetime), __op) {
///         ::core::result::Result::Ok(__open) => __open,
///         ::core::result::Result::Err(__why) => return ::fops_runtime::__private::refused::<Result<usize>>(__why),
///     };
///     let hw: &Access<'_, VinHw> = &hw;
///     let mut buf = buf;
///     { /* the body */ }
/// }
/// ```
/// and the table of ops, with a descriptor for each. `Dev::table()` returns that of `FileOperations`, and `OpTable::of`
/// that of any block. What stands in `__private` is for the expansion alone. Bindings of the expansion begin with `__`, so
/// that they are no constants of yours.
///
/// All that the body creates, its arguments by value among it, is dropped inside the section. What leads to
/// the lifetime is borrowed by the section, cannot be moved out of, and is dropped after it: a receiver such
/// as `self: Arc<Self>`, or the argument that `via` names. The `unplugged` expression runs outside, by its nature.
///
/// # Not accepted
/// `const fn`, macro calls among the items, and `#[cfg_attr(.., fop(..))]`.
#[proc_macro_attribute]
pub fn guarded_fops(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let item = TokenStream::from(item);
    rescue::catch(item.clone(), || guard(arguments.into(), item)).into()
}

/// Sets the policy of one method, in an impl block under [`#[guarded_fops]`](macro@guarded_fops).
///
/// It need not be imported: there the block's attribute reads it. Anywhere else it is an error.
///
/// ```ignore
/// #[fop(always)]
/// #[fop(unguarded, reason = "touches no device resources")]
/// #[fop(guarded, unplugged = -19)]
/// #[fop(via = misc.data())]
/// #[fop(polled)]
/// #[fop(sleeps)]
/// #[fop(brief)]
/// ```
#[proc_macro_attribute]
pub fn fop(_arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let mut diagnostics = Diagnostics::default();
    let _ = validate::fop_is_in_a_block(&mut diagnostics);
    diagnostics.follow(source::Source::of(&TokenStream::from(item))).into()
}

/// Shows unplug the handles that resources own: each field that is an `Arc` or an `Rc`, or has some.
///
/// The trait `Resources` of `fops-runtime` says what unplug does with them.
///
/// ```ignore
/// #[derive(Resources)]
/// struct VinPort {
///     mmio: Arc<Mmio>,
///     #[resources(shared, reason = "the regulator feeds other devices too")]
///     supply: Arc<Regulator>,
/// }
/// ```
/// The options are `shared, reason = ".."` on a field, and `crate = <path>` on the structure, where that has `fops_runtime`
/// under another name.
#[proc_macro_derive(Resources, attributes(resources))]
pub fn derive_resources(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let mut diagnostics = Diagnostics::default();
    let output = resources::derive(item.into(), &mut diagnostics);
    diagnostics.follow(output).into()
}
