//! A stored response's head as the rules see it (RFC 9111 sections 3.1, 3.2 and 4.2).
//!
//! Compact: one struct and one block of fields. It is never changed; what changes it makes
//! another that shares what is the same.

use std::time::Duration;

use http::StatusCode;
use http::header::HeaderMap;

use crate::date::Timestamp;
use crate::fields::FieldBlock;
use crate::policy::Policy;
use crate::request::Asked;

/// The head of a stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    fields: FieldBlock,
    received_at: Timestamp,
}

/// What a response to HEAD does to a stored response to GET (RFC 9111 section 4.3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadEffect {
    /// It is the same representation, with a newer head.
    Freshened(Stored),
    /// It is another by now; what is stored is stale.
    MadeStale(Stored),
}

impl Stored {
    /// The head of a response that `storing` said to keep.
    pub fn new(
        policy: &Policy,
        asked: &Asked,
        status: StatusCode,
        fields: &HeaderMap,
        requested_at: Timestamp,
        received_at: Timestamp,
    ) -> Self {
        unimplemented!()
    }
    /// Its status.
    pub fn status(&self) -> StatusCode {
        unimplemented!()
    }
    /// Its fields, without those that are never stored, without `Age` and `Content-Length`.
    pub fn fields(&self) -> &FieldBlock {
        &self.fields
    }
    /// When it, or the last 304 that freshened it, was received.
    pub fn received_at(&self) -> Timestamp {
        self.received_at
    }
    /// The time since it was made or validated at the origin (RFC 9111 section 4.2.3).
    pub fn age(&self, now: Timestamp) -> Duration {
        unimplemented!()
    }
    /// How long it is fresh (RFC 9111 section 4.2.1).
    pub fn lifetime(&self) -> Duration {
        unimplemented!()
    }
    /// What is left of the lifetime in whole seconds; negative when it is stale.
    pub fn ttl_seconds(&self, now: Timestamp) -> i64 {
        unimplemented!()
    }
    /// Whether its age has not reached its lifetime (RFC 9111 section 4.2).
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        unimplemented!()
    }
    /// How long it is of any use, and a tier should keep it.
    pub fn keep_until(&self) -> Timestamp {
        unimplemented!()
    }
    /// Its entity tag, as written.
    pub fn etag(&self) -> Option<&[u8]> {
        self.fields.first("etag")
    }
    /// Its modification date, as written.
    pub fn last_modified(&self) -> Option<&[u8]> {
        self.fields.first("last-modified")
    }
    /// This head, updated by a 304 that was chosen for it (RFC 9111 sections 3.2 and 4.3.4).
    pub fn freshen(
        &self,
        policy: &Policy,
        asked: &Asked,
        fields: &HeaderMap,
        requested_at: Timestamp,
        received_at: Timestamp,
    ) -> Stored {
        unimplemented!()
    }
    /// What a 200 to HEAD does to it, whose body is so long (RFC 9111 section 4.3.5).
    pub fn freshened_by_head(
        &self,
        policy: &Policy,
        asked: &Asked,
        fields: &HeaderMap,
        body_bytes: u64,
        requested_at: Timestamp,
        received_at: Timestamp,
    ) -> HeadEffect {
        unimplemented!()
    }
    /// This head, stale from now on; its stale windows begin now.
    pub fn made_stale(self, now: Timestamp) -> Stored {
        unimplemented!()
    }
    /// This head, not to be reused before it is validated (RFC 9111 section 4.4).
    pub fn invalidated(self) -> Stored {
        unimplemented!()
    }
    /// What it occupies in memory, its own size included.
    pub fn weight_bytes(&self) -> usize {
        unimplemented!()
    }
}
