//! [`Lazy`] without an allocator.

/// A value that most devices never need. Without an allocator it has to be in place.
///
/// A model has it in place too, because loom does not watch a first use.
pub(crate) struct Lazy<T>(T);

impl<T: Default> Lazy<T> {
    pub(crate) fn new() -> Self {
        Self(T::default())
    }

    pub(crate) const fn get(&self) -> &T {
        &self.0
    }

    pub(crate) const fn get_mut(&mut self) -> Option<&mut T> {
        Some(&mut self.0)
    }
}
