//! [`Lazy`] without an allocator.

/// A value that most devices never need: here there is nowhere else to put it. A model has it in place too, since a first
/// use would order the uses that follow.
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
