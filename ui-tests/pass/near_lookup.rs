//! What `fail/lookup` gets wrong, done right: each type is named after its case.
use std::{
    collections::HashMap,
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard},
};

use fops_runtime::{Access, Cause, DeviceLifetime, Errno, Result, Unplug, Unplugged, guarded_fops};

struct Camera {
    lifetime: DeviceLifetime<u8>,
    opens: Mutex<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8, default = guarded)]
impl Camera {
    fn read(&self) -> Result {
        Ok(())
    }
}

#[derive(Default)]
struct NotFound(Mutex<HashMap<u8, Arc<Camera>>>);

impl NotFound {
    fn find(&self, minor: u8) -> Option<Arc<Camera>> {
        self.0.lock().unwrap().get(&minor).cloned()
    }
}

#[guarded_fops(lifetime = lifetime, via = self.find(minor), not_found = Err(Errno::ENXIO), default = guarded)]
impl NotFound {
    fn open(&self, minor: u8, #[device] camera: &Camera) -> Result<u8> {
        let mut opens = camera.opens.lock().unwrap();
        *opens += 1;
        Ok(*opens)
    }

    fn read(&self, #[device] camera: &Arc<Camera>, #[access] hw: &Access<'_, u8>, minor: u8) -> Result<u8> {
        let _moved = camera.clone();
        Ok(**hw + minor)
    }

    #[fop(not_found = Err(Errno::EIO), unplugged = Err(Errno::EBUSY))]
    fn write(&self, minor: u8) -> Result<u8> {
        Ok(minor)
    }

    /// Runs where there is no camera, too.
    #[fop(always)]
    fn release(
        &self,
        #[device] camera: Option<&Camera>,
        #[access] hw: Option<&Access<'_, u8>>,
        minor: u8,
    ) -> [bool; 2] {
        [camera.is_some(), hw.is_some()]
    }

    #[fop(unguarded, reason = "reaches no camera")]
    fn llseek(&self) {}

    /// Another device than the block's.
    #[fop(via = &first, not_found = Err(Errno::ENXIO))]
    fn ioctl(&self, first: Option<&Camera>) -> Result<u8> {
        first.map_or(Err(Errno::EINVAL), |camera| Ok(*camera.opens.lock().unwrap()))
    }
}

/// `?` answers for what is not found.
struct ByQuestionMark(NotFound);

impl ByQuestionMark {
    fn lifetime(&self, minor: u8) -> Result<impl Deref<Target = DeviceLifetime<u8>> + use<>> {
        struct Lifetime(Arc<Camera>);
        impl Deref for Lifetime {
            type Target = DeviceLifetime<u8>;
            fn deref(&self) -> &Self::Target {
                &self.0.lifetime
            }
        }
        self.0.find(minor).map(Lifetime).ok_or(Errno::ENXIO)
    }
}

#[guarded_fops(lifetime = self.lifetime(minor)?, default = guarded)]
impl ByQuestionMark {
    fn read(&self, #[access] hw: &Access<'_, u8>, minor: u8) -> Result<u8> {
        Ok(**hw + minor)
    }
}

/// A lifetime of its own, shared.
struct Shared(Option<Arc<DeviceLifetime<u8>>>);

#[guarded_fops(lifetime = self.0.clone(), not_found = Err(Errno::ENXIO), default = guarded)]
impl Shared {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(always)]
    fn release(&self, #[access] hw: Option<&Access<'_, u8>>) -> bool {
        hw.is_some()
    }
}

/// Found under a lock that is held for the section, without a receiver.
struct Locked(Mutex<Camera>);

impl Locked {
    fn lock(&self) -> MutexGuard<'_, Camera> {
        self.0.lock().unwrap()
    }
}

#[guarded_fops(lifetime = lifetime, via = me.lock(), name = Locked, default = guarded)]
impl Locked {
    fn read(me: Arc<Locked>, #[device] camera: &Camera, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw + *camera.opens.lock().unwrap())
    }

    // The device is always there.
    #[fop(always)]
    fn release(me: Arc<Locked>, #[device] camera: &Camera, #[access] hw: Option<&Access<'_, u8>>) -> bool {
        hw.is_some() && *camera.opens.lock().unwrap() == 0
    }

    #[fop(via = me)]
    fn write(me: &Camera) -> std::result::Result<u8, Unplugged> {
        Ok(*me.opens.lock().unwrap())
    }
}

fn camera(number: u8) -> Camera {
    Camera { lifetime: DeviceLifetime::new(number), opens: Mutex::new(0) }
}

fn main() {
    let cameras = NotFound::default();
    assert_eq!((cameras.open(1), cameras.write(1)), (Err(Errno::ENXIO), Err(Errno::EIO)));
    assert_eq!(cameras.release(1), [false, false]);
    let first = Arc::new(camera(10));
    cameras.0.lock().unwrap().insert(1, first.clone());
    assert_eq!((cameras.open(1), cameras.read(1), cameras.write(1)), (Ok(1), Ok(11), Ok(1)));
    assert_eq!(cameras.release(1), [true, true]);
    assert_eq!((cameras.ioctl(None), cameras.ioctl(Some(&first))), (Err(Errno::ENXIO), Ok(1)));
    cameras.llseek();

    let by_question_mark = ByQuestionMark(cameras);
    assert_eq!((by_question_mark.read(1), by_question_mark.read(2)), (Ok(11), Err(Errno::ENXIO)));
    assert_eq!((first.read(), first.unplug(Cause::Unbind)), (Ok(()), Ok(10)));
    assert_eq!(by_question_mark.read(1), Err(Errno::ENODEV));
    assert_eq!(by_question_mark.0.write(1), Err(Errno::EBUSY));
    assert_eq!(by_question_mark.0.release(1), [true, false]);

    let shared = Shared(Some(Arc::new(DeviceLifetime::new(4))));
    assert_eq!((shared.read(), shared.release()), (Ok(4), true));
    assert_eq!((Shared(None).read(), Shared(None).release()), (Err(Errno::ENXIO), false));

    let locked = Arc::new(Locked(Mutex::new(camera(7))));
    assert!(Locked::release(locked.clone()));
    assert_eq!((Locked::read(locked), Locked::write(&camera(1))), (Ok(7), Ok(0)));
}
