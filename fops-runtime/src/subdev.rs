//! Subdevs: parts of a device that other drivers and, by nodes of their own, programs hold on to.
extern crate std;

use crate::abi::{Errno, PollEvents, Result};
use crate::fops::{
    AnyFileOperations, Command, File, FileOperations, IoctlArg, PollTable, SeekFrom, UserSliceReader, UserSliceWriter,
    VmArea,
};
use crate::gate::points::{self, Point};
use crate::lifetime::{Cause, Device, DeviceLifetime, Part, Parts, Unplug, Unpluggable};
use crate::op::{Block, GuardsFileOperations, GuardsSubdevOperations, Op, key};
use crate::platform;
use core::convert::Infallible;
use core::fmt;
use core::marker::{PhantomData, PhantomPinned};
use core::ops::Deref;
use std::sync::Arc;

/// The operations of a subdev that other drivers call, after `struct v4l2_subdev_ops`, and its release op.
///
/// Under `#[guarded_fops]` they run inside device access sections of the subdev; the release op, which comes after all
/// else, does not.
pub trait SubdevOperations:
    GuardsSubdevOperations<AnySubdevOperations> + Device + Unplug + Sized + Send + Sync + 'static
{
    /// Starts or stops the subdev's stream, as `s_stream` of `struct v4l2_subdev_video_ops`.
    ///
    /// # Errors
    /// `ENOTTY` where the driver has none; `ENODEV` once the subdev is unplugged.
    fn s_stream(&self, enable: bool) -> Result {
        let _ = enable;
        Err(Errno::ENOTTY)
    }

    /// The release op of the subdev: the last reference to it is gone. Runs exactly once, without access to resources.
    ///
    /// After `release` of `struct v4l2_subdev_internal_ops`, which most drivers forget.
    fn release(self);
}

/// Implements [`SubdevOperations`] and what that needs, which tells this trait from any other one. It has no values.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct AnySubdevOperations(Infallible, PhantomPinned, PhantomData<&'static mut ()>);

#[diagnostic::do_not_recommend]
impl GuardsSubdevOperations<Self> for AnySubdevOperations {
    const OPS: &'static [Op] = &[];
}

impl Device for AnySubdevOperations {
    type Resources = ();

    fn lifetime(&self) -> &DeviceLifetime<()> {
        match self.0 {}
    }
}

impl Unpluggable for AnySubdevOperations {
    type Resources = ();

    fn parts(&self) -> impl Parts<Resources = ()> {
        Part::of(self)
    }
}

impl SubdevOperations for AnySubdevOperations {
    fn release(self) {
        match self.0 {}
    }
}

/// A subdev with a device node: it is held by open files, and so has a release op. Implemented by
/// `#[guarded_fops(.., subdev)]` on the impl block of its [`FileOperations`].
pub trait SubdevNode: HasReleaseOp {}

/// Every subdev has one. What has a node and none does not compile.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "the subdev `{Self}` has a device node and no release op",
    label = "open files may be the last that refer to it",
    note = "write `#[guarded_fops(lifetime = <field>)] impl SubdevOperations for {Self}` with `fn release(self)`"
)]
pub trait HasReleaseOp {}

#[diagnostic::do_not_recommend]
impl<T: SubdevOperations> HasReleaseOp for T {}

/// A handle to a subdev. The registration and each open file hold one; the last to be dropped calls the subdev's
/// release op.
///
/// Unplug flags a subdev together with its parent (see [`Unplug`]): opens then fail, and what is open answers
/// `ENODEV` until it is closed. A subdev may also be unplugged by itself: its parent's unplug then hands back `None` in
/// place of its resources.
///
/// ```
/// use fops_runtime::{Access, Cause, DeviceLifetime, Errno, Result, Subdev, SubdevOperations, Unplug, guarded_fops};
///
/// struct Csi2 { lifetime: DeviceLifetime<u8> }
///
/// #[guarded_fops(lifetime = lifetime, unplug())]
/// impl SubdevOperations for Csi2 {
///     fn s_stream(&self, #[access] lanes: &Access<'_, u8>, enable: bool) -> Result {
///         if enable && **lanes == 0 { Err(Errno::EINVAL) } else { Ok(()) }
///     }
///     fn release(self) { println!("the last reference is gone") }
/// }
///
/// struct Vin { lifetime: DeviceLifetime<&'static str>, csi2: Subdev<Csi2> }
///
/// #[guarded_fops(lifetime = lifetime, resources = &'static str, unplug(subdevs(csi2 = Csi2)), default = guarded)]
/// impl Vin {
///     fn start(&self) -> Result { self.csi2.s_stream(true) }
/// }
///
/// let csi2 = Subdev::new(Csi2 { lifetime: DeviceLifetime::new(4) });
/// let vin = Vin { lifetime: DeviceLifetime::new("registers"), csi2: csi2.clone() };
/// assert_eq!(vin.start(), Ok(()));
/// assert_eq!(vin.unplug(Cause::Unbind), Ok(("registers", (Some(4),))));
/// assert_eq!(csi2.s_stream(true), Err(Errno::ENODEV));
/// ```
pub struct Subdev<T: SubdevOperations>(Arc<Held<T>>);

/// The subdev, until its release op takes it.
struct Held<T: SubdevOperations>(Option<T>);

impl<T: SubdevOperations> Subdev<T> {
    /// The first handle to a subdev.
    pub fn new(subdev: T) -> Self {
        let ops = <T as GuardsSubdevOperations<AnySubdevOperations>>::OPS;
        points::reach(Point::SubdevMade { device: subdev.lifetime().id(), ops });
        Self(Arc::new(Held(Some(subdev))))
    }
}

impl<T: SubdevOperations> Clone for Subdev<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: SubdevOperations> Deref for Subdev<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.0.as_ref().expect("it is taken when no handle is left")
    }
}

impl<T: SubdevOperations> Drop for Held<T> {
    fn drop(&mut self) {
        let Some(subdev) = self.0.take() else { return };
        let device = subdev.lifetime().id();
        if platform::catch(|| subdev.release()).is_none() {
            platform::log_error(format_args!("the release op of a subdev panicked"));
        }
        points::note_release_op(device);
    }
}

impl<T: SubdevOperations> fmt::Debug for Subdev<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subdev").field("device", &self.lifetime().id()).finish_non_exhaustive()
    }
}

/// A handle is the device that it leads to: its node may be registered by it.
impl<T: SubdevOperations> Device for Subdev<T> {
    type Resources = <T as Device>::Resources;

    fn lifetime(&self) -> &DeviceLifetime<Self::Resources> {
        (**self).lifetime()
    }

    fn stop(&self, resources: &Self::Resources, cause: Cause) {
        (**self).stop(resources, cause);
    }

    fn wake(&self, resources: &Self::Resources) -> bool {
        (**self).wake(resources)
    }
}

/// A handle is unplugged as the subdev that it leads to, with all that goes with that one.
impl<T: SubdevOperations> Unpluggable for Subdev<T> {
    type Resources = <T as Unpluggable>::Resources;

    fn parts(&self) -> impl Parts<Resources = Self::Resources> {
        (**self).parts()
    }
}

#[diagnostic::do_not_recommend]
impl<T: SubdevNode + SubdevOperations + FileOperations> Block<{ key("FileOperations") }> for Subdev<T> {
    const OPS: &'static [Op] = <T as GuardsFileOperations<AnyFileOperations>>::OPS;
}

#[diagnostic::do_not_recommend]
impl<T: SubdevNode + SubdevOperations + FileOperations> GuardsFileOperations<AnyFileOperations> for Subdev<T> {
    const OPS: &'static [Op] = <T as GuardsFileOperations<AnyFileOperations>>::OPS;
}

/// The node of a subdev: register a handle, so that the registration and each open file keep the subdev.
impl<T: SubdevNode + SubdevOperations + FileOperations> FileOperations for Subdev<T> {
    type Open = T::Open;

    fn open(&self, file: &File) -> Result<T::Open> {
        (**self).open(file)
    }

    fn release(&self, file: File<T::Open>) {
        FileOperations::release(&**self, file);
    }

    fn read(&self, file: &File<T::Open>, buf: UserSliceWriter<'_>) -> Result<usize> {
        (**self).read(file, buf)
    }

    fn write(&self, file: &File<T::Open>, buf: UserSliceReader<'_>) -> Result<usize> {
        (**self).write(file, buf)
    }

    fn poll(&self, file: &File<T::Open>, table: &PollTable<'_>) -> PollEvents {
        (**self).poll(file, table)
    }

    fn ioctl(&self, file: &File<T::Open>, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        (**self).ioctl(file, command, arg)
    }

    fn compat_ioctl(&self, file: &File<T::Open>, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        (**self).compat_ioctl(file, command, arg)
    }

    fn mmap(&self, file: &File<T::Open>, area: &VmArea) -> Result {
        (**self).mmap(file, area)
    }

    fn llseek(&self, file: &File<T::Open>, to: SeekFrom) -> Result<u64> {
        (**self).llseek(file, to)
    }

    fn flush(&self, file: &File<T::Open>) -> Result {
        (**self).flush(file)
    }

    fn fsync(&self, file: &File<T::Open>, datasync: bool) -> Result {
        (**self).fsync(file, datasync)
    }
}
