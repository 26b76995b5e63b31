//! A value that only its owner reaches.

use parking_lot::Mutex;

/// Makes a value that is not `Sync` part of one that is: through a shared reference there is no way
/// to it. The mutex is never locked.
pub(super) struct Unshared<T>(Mutex<T>);

impl<T> Unshared<T> {
    pub(super) fn new(value: T) -> Self {
        Unshared(Mutex::new(value))
    }

    pub(super) fn reach(&mut self) -> &mut T {
        self.0.get_mut()
    }

    pub(super) fn into_value(self) -> T {
        self.0.into_inner()
    }
}
