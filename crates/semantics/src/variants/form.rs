//! An index of variants as bytes, for tiers that outlive the process or that others can write to.

use bytes::Bytes;
use http::HeaderName;

use super::{NOMINATED_MAX, SELECTING_BYTES_MAX, Selecting, Variant, VariantId, Variants};
use crate::date::Timestamp;
use crate::form::{Reader, Writer};

/// Variants that an index may list which is read.
const VARIANTS_MAX: u32 = 1_024;

/// Bytes of an entity tag that is read.
const ETAG_BYTES_MAX: usize = 8 * 1_024;

impl Variants {
    /// Appends its stored form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer(out);
        to.long(self.generation);
        to.long(self.next_number);
        to.number(self.list.len() as u32);
        for variant in &self.list {
            to.long(variant.id.generation);
            to.long(variant.id.number);
            to.long(variant.received_at.unix_millis());
            to.maybe(variant.etag.as_deref());
            to.number(variant.selecting.len() as u32);
            for selecting in &variant.selecting {
                to.piece(selecting.name.as_str().as_bytes());
                to.maybe(selecting.value.as_deref());
            }
        }
    }

    /// Reads what [`Variants::encode`] wrote, and nothing else.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let mut from = Reader(bytes.clone());
        let (generation, next_number) = (from.long()?, from.long()?);
        let count = from.number().filter(|count| *count <= VARIANTS_MAX)?;
        let list = (0..count).map(|_| variant(&mut from)).collect::<Option<Vec<_>>>()?;
        from.end()?;
        Some(Variants { generation, next_number, list })
    }
}

fn variant(from: &mut Reader) -> Option<Variant> {
    let id = VariantId { generation: from.long()?, number: from.long()? };
    let received_at = Timestamp::from_unix_millis(from.long()?);
    let etag = from.maybe()?;
    if etag.as_ref().is_some_and(|etag| etag.len() > ETAG_BYTES_MAX) {
        return None;
    }
    let count = from.number().filter(|count| *count as usize <= NOMINATED_MAX)?;
    let selecting = (0..count).map(|_| selecting(from)).collect::<Option<Box<[_]>>>()?;
    // Out of the shared bytes: an index outlives them.
    let etag = etag.map(|etag| Bytes::copy_from_slice(&etag));
    Some(Variant { id, selecting, etag, received_at })
}

fn selecting(from: &mut Reader) -> Option<Selecting> {
    let written = from.piece()?;
    let name = HeaderName::from_bytes(&written).ok()?;
    let value = from.maybe()?;
    let is_sound = name.as_str().as_bytes() == written
        && value.as_ref().is_none_or(|value| value.len() <= SELECTING_BYTES_MAX);
    is_sound.then(|| Selecting { name, value: value.map(|value| Box::from(&value[..])) })
}

#[cfg(test)]
mod tests;
