//! Variants: which stored response under one key fits a request (RFC 9111 section 4.1).

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};

use crate::date::Timestamp;

/// What a response's `Vary` nominates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// Nothing: every request fits.
    Nothing,
    /// More than the request's fields: no request ever fits.
    Any,
    /// These request fields, sorted, each once.
    Fields(Vec<HeaderName>),
}

/// The variants known under one key, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variants {
    generation: u64,
    list: Vec<Variant>,
}

/// One stored response among several under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    id: VariantId,
    etag: Option<Bytes>,
    received_at: Timestamp,
}

/// What tells a variant's entry from the others under its key, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VariantId {
    /// The index's generation.
    pub generation: u64,
    /// The variant's number in it.
    pub number: u32,
}

/// What taking a variant in did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub id: VariantId,
    /// The variants that fell out.
    pub dropped: Vec<VariantId>,
}

impl Vary {
    /// Reads a response's `Vary`.
    pub fn of(fields: &HeaderMap) -> Self {
        unimplemented!()
    }
}

impl Variants {
    /// An empty index. The generation must never have been used for this key before.
    pub fn new(generation: u64) -> Self {
        Variants { generation, list: Vec::new() }
    }

    /// The newest variant that fits this request.
    pub fn choose(&self, request: &HeaderMap) -> Option<&Variant> {
        unimplemented!()
    }

    /// Takes in a response to this request; `None` when it can never be chosen.
    pub fn take_in(
        &mut self,
        vary: &Vary,
        request: &HeaderMap,
        etag: Option<&[u8]>,
        received_at: Timestamp,
        variants_max: usize,
    ) -> Option<Taken> {
        unimplemented!()
    }

    /// All entity tags, each once, newest first, for one `If-None-Match`.
    pub fn etags(&self) -> Vec<&Bytes> {
        unimplemented!()
    }

    /// What it occupies in memory.
    pub fn weight_bytes(&self) -> usize {
        unimplemented!()
    }
}
