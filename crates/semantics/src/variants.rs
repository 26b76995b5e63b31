//! Variants: which stored response under one key fits a request (RFC 9111 section 4.1).
//!
//! The index lists the variants that are known under a key. Each has its own nominated fields
//! and the values that they had, normalised and whole: a hash alone could be made to collide.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::date::Timestamp;
use crate::fields::{NameSet, members_of};

mod form;
mod normal;

/// Fields that one `Vary` may nominate; one that nominates more fits no request.
pub const NOMINATED_MAX: usize = 32;

/// Bytes of normalised request values that a variant may have; one with more is not kept.
pub const SELECTING_BYTES_MAX: usize = 8 * 1024;

/// What a response's `Vary` nominates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// Nothing: every request fits.
    Nothing,
    /// More than the request's fields: no request ever fits.
    Any,
    /// These request fields.
    Fields(NameSet),
}

impl Vary {
    /// Reads a response's `Vary`. A member that is no field name fits nothing, like `*`.
    pub fn of(fields: &HeaderMap) -> Self {
        let read: Result<NameSet, _> =
            members_of(fields, &header::VARY).map(HeaderName::from_bytes).collect();
        let Ok(names) = read else { return Vary::Any };
        // `*` is a legal field name as far as letters go, so it has to be looked for.
        let is_any = names.as_slice().iter().any(|name| name.as_str() == "*");
        match names.as_slice().len() {
            0 => Vary::Nothing,
            1..=NOMINATED_MAX if !is_any => Vary::Fields(names),
            _ => Vary::Any,
        }
    }

    fn names(&self) -> Option<&[HeaderName]> {
        match self {
            Vary::Nothing => Some(&[]),
            Vary::Any => None,
            Vary::Fields(names) => Some(names.as_slice()),
        }
    }
}

/// The variants known under one key, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variants {
    generation: u64,
    next_number: u64,
    list: Vec<Variant>,
}

/// One stored response among several under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    id: VariantId,
    selecting: Box<[Selecting]>,
    etag: Option<Bytes>,
    received_at: Timestamp,
}

/// What tells a variant's entry from all others that were ever under its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VariantId {
    /// The index's generation.
    pub generation: u64,
    /// The variant's number in it.
    pub number: u64,
}

/// A nominated field and the normalised value that it had; nothing where it was absent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Selecting {
    name: HeaderName,
    value: Option<Box<[u8]>>,
}

/// What taking a variant in did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub id: VariantId,
    /// The variants that fell out, oldest first.
    pub dropped: Vec<VariantId>,
}

impl Variants {
    /// An empty index. Its generation must never have been used under this key before: then a
    /// variant of an index that is gone is never found again.
    pub fn new(generation: u64) -> Self {
        Variants { generation, next_number: 0, list: Vec::new() }
    }

    /// When the newest of them was received.
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.list.iter().map(|variant| variant.received_at).max()
    }

    /// The newest variant that fits this request.
    pub fn choose(&self, request: &HeaderMap) -> Option<&Variant> {
        self.list.iter().find(|variant| variant.fits(request))
    }

    /// Takes in a response to this request, as the newest. One with the same nominated fields
    /// and values is replaced under the same id; beyond `variants_max` the oldest fall out.
    /// `None` when it could never be chosen.
    pub fn take_in(
        &mut self,
        vary: &Vary,
        request: &HeaderMap,
        etag: Option<&[u8]>,
        received_at: Timestamp,
        variants_max: usize,
    ) -> Option<Taken> {
        let selecting = selecting(vary.names()?, request)?;
        let known = self.list.iter().position(|variant| variant.selecting == selecting);
        let id = match known {
            Some(at) => self.list.remove(at).id,
            None => self.next_id(),
        };
        let etag = etag.map(Bytes::copy_from_slice);
        self.list.insert(0, Variant { id, selecting, etag, received_at });
        let kept = variants_max.clamp(1, self.list.len());
        let dropped = self.list.drain(kept..).rev().map(|variant| variant.id).collect();
        Some(Taken { id, dropped })
    }

    /// The variant with this entity tag, to be freshened by a 304 that bears it (RFC 9111
    /// section 4.3.4); the newest, should there be several.
    pub fn with_etag(&self, etag: &[u8]) -> Option<&Variant> {
        self.list.iter().find(|variant| variant.etag.as_deref() == Some(etag))
    }

    /// All entity tags, each once, newest first, for one `If-None-Match` (RFC 9111 section
    /// 4.3.1).
    pub fn etags(&self) -> Vec<&Bytes> {
        let mut etags: Vec<&Bytes> = Vec::new();
        for etag in self.list.iter().filter_map(|variant| variant.etag.as_ref()) {
            if !etags.contains(&etag) {
                etags.push(etag);
            }
        }
        etags
    }

    /// Appends what a request says in the fields that the newest variant nominates, normalised.
    /// Requests that write the same want the same variant, as far as can be known before the
    /// origin has answered.
    pub fn write_wanted(&self, request: &HeaderMap, out: &mut Vec<u8>) {
        let Some(newest) = self.list.first() else { return };
        for nominated in &newest.selecting {
            let Some(_) = request.get(&nominated.name) else {
                out.push(0);
                continue;
            };
            let value = normal::of(&nominated.name, request);
            out.push(1);
            out.extend_from_slice(&(value.len() as u64).to_be_bytes());
            out.extend_from_slice(&value);
        }
    }

    /// The variants, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Variant> {
        self.list.iter()
    }

    /// What it occupies in memory, its own size included.
    pub fn weight_bytes(&self) -> usize {
        size_of::<Variants>() + self.list.iter().map(Variant::weight_bytes).sum::<usize>()
    }

    fn next_id(&mut self) -> VariantId {
        let number = self.next_number;
        self.next_number += 1;
        VariantId { generation: self.generation, number }
    }
}

impl Variant {
    /// What tells its entry from all others.
    pub fn id(&self) -> VariantId {
        self.id
    }

    /// Its entity tag, as written.
    pub fn etag(&self) -> Option<&Bytes> {
        self.etag.as_ref()
    }

    /// When it was received.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }

    /// Writes the nominated fields into a request, so that it fits.
    pub fn write_request(&self, fields: &mut HeaderMap) {
        for Selecting { name, value } in &self.selecting {
            fields.remove(name);
            let value = value.as_ref().and_then(|value| HeaderValue::from_bytes(value).ok());
            if let Some(value) = value {
                fields.insert(name, value);
            }
        }
    }

    fn fits(&self, request: &HeaderMap) -> bool {
        self.selecting.iter().all(|nominated| nominated.fits(request))
    }

    fn weight_bytes(&self) -> usize {
        let selecting: usize = self.selecting.iter().map(Selecting::weight_bytes).sum();
        size_of::<Variant>() + selecting + self.etag.as_ref().map_or(0, Bytes::len)
    }
}

impl Selecting {
    /// Absent fits only absent (RFC 9111 section 4.1).
    fn fits(&self, request: &HeaderMap) -> bool {
        match &self.value {
            Some(value) => {
                request.contains_key(&self.name) && normal::is(&self.name, request, value)
            }
            None => !request.contains_key(&self.name),
        }
    }

    fn weight_bytes(&self) -> usize {
        size_of::<Selecting>() + self.name.as_str().len() + self.value_bytes()
    }

    fn value_bytes(&self) -> usize {
        self.value.as_ref().map_or(0, |value| value.len())
    }
}

fn selecting(names: &[HeaderName], request: &HeaderMap) -> Option<Box<[Selecting]>> {
    let read = |name: &HeaderName| Selecting {
        name: name.clone(),
        value: request.contains_key(name).then(|| normal::of(name, request)),
    };
    let selecting: Box<[Selecting]> = names.iter().map(read).collect();
    let bytes: usize = selecting.iter().map(Selecting::value_bytes).sum();
    (bytes <= SELECTING_BYTES_MAX).then_some(selecting)
}

#[cfg(test)]
mod tests;
