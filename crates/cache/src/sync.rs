//! The lock of the two modules whose interleavings are tested: shuttle's when it drives.

#[cfg(not(shuttle))]
pub(crate) use parking_lot::Mutex;

/// Shuttle's mutex in parking_lot's shape: a lock cannot be poisoned here.
#[cfg(shuttle)]
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

#[cfg(shuttle)]
impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> shuttle::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
