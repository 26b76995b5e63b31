//! An index of variants as bytes, for tiers that outlive the process or that others can write to.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::{NOMINATED_MAX, SELECTING_BYTES_MAX, Selecting, Variant, VariantId, Variants};
use crate::date::Timestamp;
use crate::form::{Reader, Writer};

/// Variants that an index may list which is read.
const VARIANTS_MAX: u32 = 1_024;

/// Counting begins with zero and never comes so far; from a number near the last it could not go on.
const NUMBER_MAX: u64 = 1 << 62;

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
        let generation = from.long()?;
        let next_number = from.long().filter(|number| *number <= NUMBER_MAX)?;
        let count = from.number().filter(|count| *count <= VARIANTS_MAX)?;
        let list = (0..count).map(|_| variant(&mut from)).collect::<Option<Vec<_>>>()?;
        from.end()?;
        let read = Variants { generation, next_number, list };
        read.has_own_ids().then_some(read)
    }

    /// Whether no two variants share an entry, and none has the id of one to come.
    fn has_own_ids(&self) -> bool {
        let mut numbers: Vec<u64> = self.list.iter().map(|variant| variant.id.number).collect();
        numbers.sort_unstable();
        numbers.is_sorted_by(|one, other| one < other)
            && numbers.last().is_none_or(|last| *last < self.next_number)
            && self.list.iter().all(|variant| variant.id.generation == self.generation)
    }
}

fn variant(from: &mut Reader) -> Option<Variant> {
    let id = VariantId { generation: from.long()?, number: from.long()? };
    let received_at = Timestamp::from_unix_millis(from.long()?);
    let etag = from.maybe()?;
    // It will stand in a request to the origin.
    let is_sendable =
        |etag: &Bytes| etag.len() <= ETAG_BYTES_MAX && HeaderValue::from_bytes(etag).is_ok();
    if !etag.as_ref().is_none_or(is_sendable) {
        return None;
    }
    let count = from.number().filter(|count| *count as usize <= NOMINATED_MAX)?;
    let selecting = (0..count).map(|_| selecting(from)).collect::<Option<Box<[_]>>>()?;
    if !is_of_a_vary(&selecting) {
        return None;
    }
    // Out of the shared bytes: an index outlives them.
    let etag = etag.map(|etag| Bytes::copy_from_slice(&etag));
    Some(Variant { id, selecting, etag, received_at })
}

/// Whether these are in alphabetical order, each once, and say no more than may be kept.
fn is_of_a_vary(selecting: &[Selecting]) -> bool {
    let bytes: usize = selecting.iter().map(Selecting::value_bytes).sum();
    bytes <= SELECTING_BYTES_MAX
        && selecting.is_sorted_by(|one, other| one.name.as_str() < other.name.as_str())
}

fn selecting(from: &mut Reader) -> Option<Selecting> {
    let written = from.piece()?;
    let name = HeaderName::from_bytes(&written).ok()?;
    let value = from.maybe()?;
    // Of the value no byte does any harm: it is only ever compared.
    let is_sound = name.as_str().as_bytes() == written && name.as_str() != "*";
    is_sound.then(|| Selecting { name, value: value.map(|value| Box::from(&value[..])) })
}

#[cfg(test)]
mod tests;
