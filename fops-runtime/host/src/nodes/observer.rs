//! Tells a test kit which of the driver's operations its threads are in.
use std::cell::RefCell;
use std::sync::Arc;

/// Told of the operations that a thread calls.
pub(crate) trait Observer: Send + Sync {
    /// The driver's operation `op` is called.
    fn called(&self, op: &'static str);
    /// It has returned, or panicked.
    fn returned(&self, op: &'static str, panicked: bool);
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<dyn Observer>>> = const { RefCell::new(None) };
}

/// Tells `observer` of the operations that this thread calls while it runs `f`.
pub(crate) fn observe<T>(observer: Arc<dyn Observer>, f: impl FnOnce() -> T) -> T {
    /// Puts the observer from before back, on unwinding too.
    struct Restore(Option<Arc<dyn Observer>>);

    impl Drop for Restore {
        fn drop(&mut self) {
            let ours = CURRENT.replace(self.0.take());
            drop(ours);
        }
    }

    let _restore = Restore(CURRENT.replace(Some(observer)));
    f()
}

/// Runs an operation of the driver's.
pub(super) fn observed<T>(op: &'static str, operation: impl FnOnce() -> T) -> T {
    struct Returned(Arc<dyn Observer>, &'static str);

    impl Drop for Returned {
        fn drop(&mut self) {
            self.0.returned(self.1, std::thread::panicking());
        }
    }

    // In the last moments of a thread nobody observes.
    let observer = CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
    let _returned = observer.map(|observer| {
        observer.called(op);
        Returned(observer, op)
    });
    operation()
}
