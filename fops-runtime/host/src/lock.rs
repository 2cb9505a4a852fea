//! A lock that a panic leaves usable.
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex without poison: nothing of this crate panics under one, and drivers do not run under one.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
