//! What is measured: ways to let an operation in and out, each as `pair`.
use arc_swap::ArcSwap;
use fops_runtime::op::op;
use fops_runtime::{Access, DeviceLifetime, OwnedAccess, Unplugged};
use seize::Guard as _;
use std::cell::UnsafeCell;
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize};
use std::sync::{Arc, RwLock, Weak};

/// A way in and out of an operation. Each looks at something that unplug would change.
pub(crate) trait Contender: Sync {
    /// What each thread holds around all of its pairs.
    type Local<'a>
    where
        Self: 'a;

    fn local(&self) -> Self::Local<'_>;

    /// Enters, runs `op`, leaves.
    fn pair<'a>(&'a self, local: &mut Self::Local<'a>, op: impl FnOnce());
}

/// Threads hold nothing.
macro_rules! no_local {
    () => {
        type Local<'a> = ();

        fn local(&self) {}
    };
}
pub(crate) use no_local;

#[cold]
#[inline(never)]
pub(crate) fn refused() {
    black_box(());
}

pub(crate) type Ours = DeviceLifetime<()>;

/// Ours.
pub(crate) struct Plain(pub(crate) DeviceLifetime<()>);

impl Default for Plain {
    fn default() -> Self {
        Self(DeviceLifetime::new(()))
    }
}

impl Contender for Plain {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        match self.0.enter(op!("plain")) {
            Ok(_access) => op(),
            Err(_) => refused(),
        }
    }
}

/// Ours, inside another section.
#[derive(Default)]
pub(crate) struct Nested(Plain);

impl Contender for Nested {
    type Local<'a> = Result<Access<'a, ()>, Unplugged>;

    fn local(&self) -> Self::Local<'_> {
        self.0.0.enter(op!("outer"))
    }

    #[inline(always)]
    fn pair<'a>(&'a self, _: &mut Self::Local<'a>, op: impl FnOnce()) {
        self.0.pair(&mut (), op);
    }
}

/// Ours, not bound to the thread; each thread holds a reference that it lends to the access and takes back.
pub(crate) struct Owned(Arc<DeviceLifetime<()>>);

impl Default for Owned {
    fn default() -> Self {
        Self(Arc::new(DeviceLifetime::new(())))
    }
}

impl Contender for Owned {
    type Local<'a> = ManuallyDrop<Arc<DeviceLifetime<()>>>;

    fn local(&self) -> Self::Local<'_> {
        ManuallyDrop::new(self.0.clone())
    }

    #[inline(always)]
    fn pair<'a>(&'a self, held: &mut Self::Local<'a>, op: impl FnOnce()) {
        // SAFETY: what is left there is not used before the access has given its reference back.
        let lifetime = unsafe { std::ptr::read(&**held) };
        match OwnedAccess::enter(lifetime, op!("owned")) {
            Ok(access) => {
                op();
                // It is the same reference that is there still.
                let _ = ManuallyDrop::new(access.exit());
            }
            Err(_) => refused(),
        }
    }
}

/// The same, with a reference of the access's own.
pub(crate) struct Cloned(Arc<DeviceLifetime<()>>);

impl Default for Cloned {
    fn default() -> Self {
        Self(Arc::new(DeviceLifetime::new(())))
    }
}

impl Contender for Cloned {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        match self.0.enter_owned(op!("cloned")) {
            Ok(_access) => op(),
            Err(_) => refused(),
        }
    }
}

/// A count of who is inside, and a bit for unplug, in one word.
#[derive(Default)]
pub(crate) struct OneWord(AtomicUsize);

impl Contender for OneWord {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        if self.0.fetch_add(2, SeqCst) & 1 != 0 {
            refused();
        }
        op();
        if self.0.fetch_sub(2, SeqCst) == 3 {
            refused();
        }
    }
}

/// `video_device_enter()` and `video_device_exit()` of 2017: a counter and a flag under a spinlock.
#[derive(Default)]
pub(crate) struct Counter2017 {
    locked: AtomicBool,
    /// Whether it is unplugged, and how many are inside.
    state: UnsafeCell<(bool, usize)>,
}

// SAFETY: the state is touched under the lock alone.
unsafe impl Sync for Counter2017 {}

impl Counter2017 {
    #[inline(always)]
    fn with<T>(&self, f: impl FnOnce(&mut (bool, usize)) -> T) -> T {
        while self.locked.swap(true, Acquire) {
            while self.locked.load(Relaxed) {
                std::hint::spin_loop();
            }
        }
        // SAFETY: under the lock.
        let result = f(unsafe { &mut *self.state.get() });
        self.locked.store(false, Release);
        result
    }
}

impl Contender for Counter2017 {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let entered = self.with(|(unplugged, count)| {
            *count += 1;
            !*unplugged
        });
        if !entered {
            refused();
        }
        op();
        let last = self.with(|(unplugged, count)| {
            *count -= 1;
            *unplugged && *count == 0
        });
        if last {
            refused();
        }
    }
}

/// A reader's lock around whether the device is there.
#[derive(Default)]
pub(crate) struct StdRwLock(RwLock<bool>);

impl Contender for StdRwLock {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let unplugged = self.0.read();
        if unplugged.is_ok_and(|unplugged| {
            op();
            *unplugged
        }) {
            refused();
        }
    }
}

#[derive(Default)]
pub(crate) struct ParkingLot(parking_lot::RwLock<bool>);

impl Contender for ParkingLot {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let unplugged = self.0.read();
        op();
        if *unplugged {
            refused();
        }
    }
}

/// Unplug would drop the only strong reference, and wait until the weak one upgrades no more.
pub(crate) struct Upgrade {
    _strong: Arc<u64>,
    weak: Weak<u64>,
}

impl Default for Upgrade {
    fn default() -> Self {
        let strong = Arc::new(0);
        let weak = Arc::downgrade(&strong);
        Self { _strong: strong, weak }
    }
}

impl Contender for Upgrade {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let Some(_resources) = self.weak.upgrade() else { return refused() };
        op();
    }
}

#[derive(Default)]
pub(crate) struct Swap(ArcSwap<bool>);

impl Contender for Swap {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let unplugged = self.0.load();
        op();
        if **unplugged {
            refused();
        }
    }
}

#[derive(Default)]
pub(crate) struct Epoch(AtomicBool);

impl Contender for Epoch {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let _pinned = crossbeam_epoch::pin();
        if self.0.load(Relaxed) {
            return refused();
        }
        op();
    }
}

pub(crate) struct Seize(seize::Collector, AtomicPtr<u64>);

impl Default for Seize {
    fn default() -> Self {
        Self(seize::Collector::new(), AtomicPtr::new(Box::into_raw(Box::new(0))))
    }
}

impl Contender for Seize {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let guard = self.0.enter();
        if guard.protect(&self.1, Acquire).is_null() {
            return refused();
        }
        op();
    }
}

pub(crate) struct Haphazard(haphazard::AtomicPtr<u64>);

impl Default for Haphazard {
    fn default() -> Self {
        Self(haphazard::AtomicPtr::from(Box::new(0)))
    }
}

impl Contender for Haphazard {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        // Of the operation's own: operations nest.
        let mut hazard = haphazard::HazardPointer::new();
        if self.0.safe_load(&mut hazard).is_none() {
            return refused();
        }
        op();
    }
}

#[derive(Default)]
pub(crate) struct RunDown(run_down::RundownRef);

impl Contender for RunDown {
    no_local!();

    #[inline(always)]
    fn pair(&self, (): &mut (), op: impl FnOnce()) {
        let Ok(_entered) = self.0.try_acquire() else { return refused() };
        op();
    }
}
