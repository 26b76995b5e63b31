//! How a longer body lies: in chunks under names of their own, told by a manifest behind the entry.

use bytes::Bytes;

use crate::codec::{Damage, checksum, compressed, decompressed};

/// The longest chunk that is written or read.
pub(super) const CHUNK_BYTES_MAX: usize = 4 << 20;

/// The most chunks of one body.
pub(super) const CHUNKS_MAX: usize = 4_096;

/// What precedes the bytes of a chunk: how they lie, and how many they are when unpacked.
pub(super) const CHUNK_FRONT_BYTES: usize = 5;

const PLAIN: u8 = 0;
const COMPRESSED: u8 = 1;

/// Whether what is stored is tried to be made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Never,
    IfSmaller,
}

/// Where the chunks of one body lie, and what they must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// In their names: no two stores share a chunk.
    pub(super) token: [u8; 16],
    /// The bytes of the body in each of them but the last.
    pub(super) chunk_bytes: u32,
    /// The checksum of each, as it is stored.
    pub(super) sums: Vec<u64>,
}

impl Manifest {
    /// Appends its stored form.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&self.token);
        out.extend_from_slice(&self.chunk_bytes.to_le_bytes());
        self.sums.iter().for_each(|sum| out.extend_from_slice(&sum.to_le_bytes()));
        let sum = checksum(&out[begin..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    /// Reads what must be exactly the manifest of a body of this length.
    pub(super) fn read(bytes: &[u8], body_len: u64) -> Result<Self, Damage> {
        let (bytes, sum) = bytes.split_last_chunk::<8>().ok_or(Damage::Length)?;
        if checksum(bytes) != u64::from_le_bytes(*sum) {
            return Err(Damage::Checksum);
        }
        let (token, bytes) = bytes.split_first_chunk::<16>().ok_or(Damage::Length)?;
        let (chunk_bytes, sums) = bytes.split_first_chunk::<4>().ok_or(Damage::Length)?;
        let chunk_bytes = u32::from_le_bytes(*chunk_bytes);
        if chunk_bytes == 0 || chunk_bytes as usize > CHUNK_BYTES_MAX {
            return Err(Damage::TooLong);
        }
        let count = body_len.div_ceil(u64::from(chunk_bytes));
        if count > CHUNKS_MAX as u64 {
            return Err(Damage::TooLong);
        }
        if sums.len() as u64 != count * 8 {
            return Err(Damage::Length);
        }
        let sums = sums.as_chunks().0.iter().map(|sum| u64::from_le_bytes(*sum)).collect();
        Ok(Self { token: *token, chunk_bytes, sums })
    }

    /// The bytes of a body of this length that the chunk holds.
    pub(super) fn len_of(&self, index: usize, body_len: u64) -> u64 {
        let chunk_bytes = u64::from(self.chunk_bytes);
        body_len.saturating_sub(index as u64 * chunk_bytes).min(chunk_bytes)
    }

    /// The bytes of the body that a chunk holds, if that is the chunk meant here.
    pub(super) fn unpack(
        &self,
        index: usize,
        body_len: u64,
        chunk: &Bytes,
    ) -> Result<Bytes, Damage> {
        if self.sums.get(index) != Some(&checksum(chunk)) {
            return Err(Damage::Checksum);
        }
        let (front, _) = chunk.split_first_chunk::<CHUNK_FRONT_BYTES>().ok_or(Damage::Length)?;
        let [packing, len @ ..] = *front;
        let (len, packed) = (u64::from(u32::from_le_bytes(len)), chunk.slice(CHUNK_FRONT_BYTES..));
        if len != self.len_of(index, body_len) {
            return Err(Damage::Length);
        }
        match packing {
            PLAIN if packed.len() as u64 == len => Ok(packed),
            PLAIN => Err(Damage::Length),
            COMPRESSED => decompressed(&packed, len).map(Bytes::from),
            _ => Err(Damage::Foreign),
        }
    }
}

/// A chunk as it is stored: at most [`CHUNK_BYTES_MAX`] go in.
pub(super) fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    let small = match packing {
        Packing::Never => None,
        Packing::IfSmaller => compressed(bytes),
    };
    let (word, stored) = match &small {
        Some(small) => (COMPRESSED, &small[..]),
        None => (PLAIN, bytes),
    };
    let len = u32::try_from(bytes.len()).expect("a chunk is at most 4 MiB");
    let mut out = Vec::with_capacity(CHUNK_FRONT_BYTES + stored.len() + crate::codec::SEAL_BYTES);
    out.push(word);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(stored);
    out
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn manifest(chunks: &[Vec<u8>], chunk_bytes: u32) -> Manifest {
        let sums = chunks.iter().map(|chunk| checksum(chunk)).collect();
        Manifest { token: [7; 16], chunk_bytes, sums }
    }

    #[test]
    fn a_manifest_reads_as_it_was_written_and_not_when_damaged() {
        let whole = manifest(&[vec![1], vec![2], vec![3]], 10);
        let mut bytes = Vec::new();
        whole.write(&mut bytes);
        assert_eq!(Manifest::read(&bytes, 25), Ok(whole));
        for (len, damage) in
            [(20, Damage::Length), (31, Damage::Length), (1 << 50, Damage::TooLong)]
        {
            assert_eq!(Manifest::read(&bytes, len), Err(damage));
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(Manifest::read(&changed, 25), Err(Damage::Checksum));
            assert!(Manifest::read(&bytes[..place], 25).is_err());
        }
    }

    #[test]
    fn a_chunk_unpacks_only_in_its_place() {
        let body = b"again and again and again, ".repeat(3);
        for packing in [Packing::Never, Packing::IfSmaller] {
            let chunks: Vec<_> = body.chunks(60).map(|chunk| packed(chunk, packing)).collect();
            let manifest = manifest(&chunks, 60);
            let unpack = |index: usize, chunk: &Vec<u8>| {
                manifest.unpack(index, body.len() as u64, &Bytes::from(chunk.clone()))
            };
            assert_eq!(unpack(0, &chunks[0]).unwrap(), body[..60]);
            assert_eq!(unpack(1, &chunks[1]).unwrap(), body[60..]);
            assert_eq!(unpack(1, &chunks[0]), Err(Damage::Checksum));
            assert_eq!(unpack(2, &chunks[1]), Err(Damage::Checksum));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), len: u64) {
            let _ = Manifest::read(&bytes, len);
            let sums = vec![checksum(&bytes)];
            let manifest = Manifest { token: [0; 16], chunk_bytes: 100, sums };
            let _ = manifest.unpack(0, len, &Bytes::from(bytes));
        }
    }
}
