//! What `fail/lifetime` gets wrong, done right: expressions that lead to a lifetime which outlives the call.
use std::{
    cell::{Ref, RefCell},
    ops::Deref,
    rc::Rc,
    sync::Arc,
};

use fops_runtime::{Access, Cause, DeviceLifetime, Errno, Result, Unplug, guarded_fops};
use fops_runtime::op::op;

/// A lifetime at the end of several ways.
struct MadeForEachCall {
    shared: Arc<DeviceLifetime<u8>>,
    boxed: Box<DeviceLifetime<u8>>,
    cell: RefCell<DeviceLifetime<u8>>,
}

impl MadeForEachCall {
    fn reference(&self) -> &DeviceLifetime<u8> {
        &self.shared
    }

    fn arc(&self) -> &Arc<DeviceLifetime<u8>> {
        &self.shared
    }

    fn find(&self, minor: u8) -> Option<&DeviceLifetime<u8>> {
        (minor == 0).then_some(&*self.boxed)
    }

    fn borrow(&self) -> Ref<'_, DeviceLifetime<u8>> {
        self.cell.borrow()
    }
}

#[guarded_fops(lifetime = self.reference(), unplug(), resources = u8, name = reference, default = guarded)]
impl MadeForEachCall {
    fn read(&self) -> Result<u8> {
        Ok(1)
    }
}

#[guarded_fops(lifetime = self.arc(), name = arc, default = guarded)]
impl MadeForEachCall {
    fn write(&self) -> Result<u8> {
        Ok(2)
    }

    #[fop(polled)]
    async fn write_later(&self) -> Result<u8> {
        Ok(2)
    }
}

#[guarded_fops(lifetime = self.shared.clone(), name = cloned, default = guarded)]
impl MadeForEachCall {
    fn ioctl(&self) -> Result<u8> {
        Ok(3)
    }
}

#[guarded_fops(lifetime = self.find(minor), not_found = Err(Errno::ENXIO), name = found, default = guarded)]
impl MadeForEachCall {
    fn mmap(&self, minor: u8) -> Result<u8> {
        Ok(minor)
    }
}

#[guarded_fops(lifetime = self.borrow(), name = borrowed, default = guarded)]
impl MadeForEachCall {
    fn fsync(&self) -> Result<u8> {
        Ok(5)
    }
}

#[guarded_fops(lifetime = Rc::new(&*self.shared), name = pointers, default = guarded)]
impl MadeForEachCall {
    fn lock(&self) -> Result<u8> {
        Ok(6)
    }
}

#[guarded_fops(lifetime = self.reference(), via = me, name = via, default = guarded)]
impl MadeForEachCall {
    fn flock(me: &Self) -> Result<u8> {
        me.read()
    }
}

/// An operation that waits without a section and opens one for each step.
#[guarded_fops(lifetime = shared, name = by_hand, default = guarded)]
impl MadeForEachCall {
    #[fop(unguarded, reason = "opens a section for each step, and none while it waits for user space")]
    fn copy(&self, steps: u8) -> Result<u8> {
        let mut sum = 0;
        for step in 0..steps {
            let access = self.shared.enter(op!("copy step"))?;
            sum += *access + step;
        }
        Ok(sum)
    }
}

/// Whatever dereferences to a lifetime, known by its bounds alone.
struct ByBounds<L, const N: usize> {
    pointer: L,
    nested: Rc<Box<Arc<DeviceLifetime<u8>>>>,
    erased: Box<dyn Deref<Target = DeviceLifetime<u8>>>,
    borrowed: &'static DeviceLifetime<u8>,
    array: [DeviceLifetime<u8>; N],
}

#[guarded_fops(lifetime = pointer, default = guarded)]
impl<L: Deref<Target = DeviceLifetime<R>>, R, const N: usize> Reads<R> for ByBounds<L, N> {
    fn read(&self, #[access] hw: &Access<'_, R>) -> Result<usize> {
        Ok(size_of_val(&**hw))
    }
}

trait Reads<R> {
    fn read(&self) -> Result<usize>;
}

macro_rules! through {
    ($name:ident, $method:ident, $lifetime:expr) => {
        #[guarded_fops(lifetime = $lifetime, name = $name, default = guarded)]
        impl<L> ByBounds<L, 1> {
            fn $method(&self, #[access] hw: &u8) -> Result<u8> {
                Ok(*hw)
            }
        }
    };
}
through!(nested, nested, self.nested);
through!(erased, erased, self.erased);
through!(borrowed, borrowed, *self.borrowed);
through!(array, array, self.array[0]);
through!(reference, reference, &&self.array[0]);

/// A device that may be without a lifetime.
struct NotYet {
    lifetime: Option<DeviceLifetime<u8>>,
}

#[guarded_fops(lifetime = self.lifetime.as_ref(), not_found = Err(Errno::ENXIO), default = guarded)]
impl NotYet {
    fn read(&self) -> Result<u8> {
        Ok(7)
    }
}

fn main() {
    let device = MadeForEachCall {
        shared: Arc::new(DeviceLifetime::new(4)),
        boxed: Box::new(DeviceLifetime::new(1)),
        cell: RefCell::new(DeviceLifetime::new(1)),
    };
    let guarded = || [device.read(), device.write(), device.ioctl(), device.lock(), MadeForEachCall::flock(&device)];
    assert_eq!(guarded(), [1, 2, 3, 6, 1].map(Ok));
    assert_eq!((device.mmap(0), device.mmap(1), device.fsync()), (Ok(0), Err(Errno::ENXIO), Ok(5)));
    assert_eq!(device.copy(3), Ok(15));
    drop(device.write_later());

    assert_eq!(device.unplug(Cause::Unbind), Ok(4));
    assert_eq!(guarded(), [Err(Errno::ENODEV); 5]);
    assert_eq!((device.copy(3), device.copy(0)), (Err(Errno::ENODEV), Ok(0)));
    device.boxed.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    device.cell.borrow().alone().begin_unplug(Cause::Unbind).unwrap().wait();
    assert_eq!((device.mmap(0), device.fsync()), (Err(Errno::ENODEV), Err(Errno::ENODEV)));

    let lifetime = || Arc::new(DeviceLifetime::new(5));
    let device = ByBounds {
        pointer: lifetime(),
        nested: Rc::new(Box::new(lifetime())),
        erased: Box::new(lifetime()),
        borrowed: Box::leak(Box::new(DeviceLifetime::new(6))),
        array: [DeviceLifetime::new(7)],
    };
    assert_eq!(device.read(), Ok(1));
    assert_eq!([device.nested(), device.erased(), device.borrowed()], [Ok(5), Ok(5), Ok(6)]);
    assert_eq!([device.array(), device.reference()], [Ok(7), Ok(7)]);
    assert_eq!(NotYet { lifetime: None }.read(), Err(Errno::ENXIO));
    let device = NotYet { lifetime: Some(DeviceLifetime::new(1)) };
    assert_eq!(device.read(), Ok(7));
    assert_eq!(device.lifetime.as_ref().unwrap().alone().unplug(Cause::Unbind), Ok(1));
    assert_eq!(device.read(), Err(Errno::ENODEV));
}
