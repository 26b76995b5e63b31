//! A stored head as bytes, for tiers that outlive the process or that others can write to.

use bytes::Bytes;
use http::StatusCode;

use super::{Change, OnceStale, Stored};
use crate::cache_control::Seconds;
use crate::date::Timestamp;
use crate::fields::FieldBlock;
use crate::form::{Reader, Writer};
use crate::freshness::LifetimeSource;
use crate::request::Credentials;
use crate::tags::Tags;

impl Stored {
    /// Appends its stored form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer(out);
        to.long(self.received_at.unix_millis());
        to.long(self.keep_until.unix_millis());
        to.long(self.initial_age_millis);
        to.long(self.lifetime_millis);
        to.number(seconds(self.stale_while_revalidate));
        to.number(seconds(self.stale_if_error));
        to.short(self.status.as_u16());
        to.byte(match self.lifetime_source {
            LifetimeSource::Explicit => 0,
            LifetimeSource::Operator => 1,
            LifetimeSource::Heuristic => 2,
            LifetimeSource::Nobody => 3,
        });
        to.byte(match self.once_stale {
            OnceStale::Windows => 0,
            OnceStale::Closed => 1,
            OnceStale::AlwaysValidate => 2,
        });
        to.byte(match self.credentials {
            Credentials::Absent => 0,
            Credentials::Present => 1,
        });
        to.byte(match self.change {
            Change::Possible => 0,
            Change::Excluded => 1,
        });
        to.piece(self.tags.as_str().as_bytes());
        to.piece(self.fields.as_bytes());
    }

    /// Reads what [`Stored::encode`] wrote, and nothing else.
    pub fn decode(bytes: &Bytes) -> Option<Self> {
        let mut from = Reader(bytes.clone());
        let stored = Stored {
            received_at: Timestamp::from_unix_millis(from.long()?),
            keep_until: Timestamp::from_unix_millis(from.long()?),
            initial_age_millis: from.long()?,
            lifetime_millis: from.long()?,
            stale_while_revalidate: window(from.number()?)?,
            stale_if_error: window(from.number()?)?,
            status: StatusCode::from_u16(from.short()?).ok().filter(|it| it.as_u16() >= 200)?,
            lifetime_source: match from.byte()? {
                0 => LifetimeSource::Explicit,
                1 => LifetimeSource::Operator,
                2 => LifetimeSource::Heuristic,
                3 => LifetimeSource::Nobody,
                _ => return None,
            },
            once_stale: match from.byte()? {
                0 => OnceStale::Windows,
                1 => OnceStale::Closed,
                2 => OnceStale::AlwaysValidate,
                _ => return None,
            },
            credentials: match from.byte()? {
                0 => Credentials::Absent,
                1 => Credentials::Present,
                _ => return None,
            },
            change: match from.byte()? {
                0 => Change::Possible,
                1 => Change::Excluded,
                _ => return None,
            },
            tags: Tags::from_stored(&from.piece()?)?,
            fields: FieldBlock::from_stored(from.piece()?)?,
        };
        from.end()?;
        Some(stored)
    }
}

/// No response says so many seconds.
const NONE: u32 = u32::MAX;

fn seconds(window: Option<Seconds>) -> u32 {
    // At most 2^31.
    window.map_or(NONE, |window| window.get() as u32)
}

fn window(seconds: u32) -> Option<Option<Seconds>> {
    if seconds == NONE {
        return Some(None);
    }
    let window = Seconds::new(seconds.into());
    (window.get() == u64::from(seconds)).then_some(Some(window))
}

#[cfg(test)]
mod tests;
