//! Compression of bodies that get smaller by it: LZ4, which costs less than what it saves on the way
//! to another machine.

use super::damage::Damage;

/// What one byte of an LZ4 block stands for at most.
const GROWTH_MAX: usize = 255;

/// The compressed form, where it is smaller by an eighth at least.
pub fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let small = lz4_flex::block::compress(bytes);
    (small.len() < bytes.len() - bytes.len() / 8).then_some(small)
}

/// What was compressed. No more is allocated than the announced length, which the caller has
/// bounded, and nothing where so few bytes cannot stand for so many.
pub fn decompressed(bytes: &[u8], body_len: u64) -> Result<Vec<u8>, Damage> {
    let body_len = usize::try_from(body_len).map_err(|_| Damage::TooLong)?;
    if body_len > bytes.len().saturating_mul(GROWTH_MAX) {
        return Err(Damage::Compression);
    }
    let body = lz4_flex::block::decompress(bytes, body_len).map_err(|_| Damage::Compression)?;
    if body.len() == body_len { Ok(body) } else { Err(Damage::Length) }
}
