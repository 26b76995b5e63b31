//! Buffers that large bodies are read into, used again: a new one would be zeroed each time, and its
//! pages asked of the system.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// The bytes of each.
pub(super) const SPARE_BYTES: usize = 128 << 10;

/// Buffers that lie ready; what comes back beyond them is freed.
const SPARES_MAX: usize = 32;

/// The buffers that nobody uses just now.
#[derive(Clone, Debug, Default)]
pub(super) struct Spares(Arc<Mutex<Vec<Box<[u8]>>>>);

/// A buffer in use. Dropped, it is spare again.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    len: usize,
    spares: Spares,
}

impl Spares {
    /// A buffer of so many bytes, at most [`SPARE_BYTES`], whatever they are.
    pub(super) fn take(&self, len: usize) -> Buffer {
        let spare = self.0.lock().pop();
        let bytes = spare.unwrap_or_else(|| vec![0; SPARE_BYTES].into());
        Buffer { bytes, len: len.min(SPARE_BYTES), spares: self.clone() }
    }
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// To be shared; spare again when the last slice of it goes.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut spares = self.spares.0.lock();
        if spares.len() < SPARES_MAX {
            spares.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_its_last_slice_goes() {
        let spares = Spares::default();
        let mut buffer = spares.take(3);
        buffer.bytes_mut().copy_from_slice(b"abc");
        let place = buffer.bytes().as_ptr();
        let slice = buffer.freeze().slice(1..);
        assert_eq!(&slice[..], b"bc");
        assert_ne!(spares.take(3).bytes().as_ptr(), place);
        drop(slice);
        assert_eq!(spares.take(1).bytes().as_ptr(), place);
    }

    #[test]
    fn so_many_lie_ready_at_most() {
        let spares = Spares::default();
        drop((0..SPARES_MAX + 3).map(|_| spares.take(1)).collect::<Vec<_>>());
        assert_eq!(spares.0.lock().len(), SPARES_MAX);
        assert_eq!(spares.take(usize::MAX).bytes().len(), SPARE_BYTES);
    }
}
