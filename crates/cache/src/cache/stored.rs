//! A tier below memory as a cache of values sees it: what goes down is encoded, what comes up decoded.
//!
//! A value's bytes are the body of the entry below, so the tier's own checksums, parts, compression and
//! bounds hold for it; memory above holds the value alone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::encoded::Encodings;
use super::encoding::{BoxError, Codec, Undecoded};
use super::error::LoadError;
use super::events::{Event, Teller};
use super::kept::{self, Content, Kept, Terms};
use super::load;
use super::settings::{Weigher, weigh};
use super::stats::Counts;
use crate::body::Body;
use crate::budget::Budget;
use crate::clock::{Clock, Span, Timestamp};
use crate::codec::HeadCodec;
use crate::entry::{Entry, Head, Key};
use crate::error::TierFailure;
use crate::lease::Fence;
use crate::purge::{Belongs, Group};
use crate::tier::{Admitted, Answer, Looked, Reach, Tier};

/// The head of an entry below memory.
#[derive(Debug)]
pub(crate) struct Stored {
    fresh_until: Timestamp,
    terms: Terms,
    form: Form,
    /// A digest of the schema that its value was written with.
    schema: u128,
}

/// What lies beside the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The value's bytes, as the body.
    Value,
    /// Nothing: it does not exist.
    Absent,
}

impl Head for Stored {
    fn weight_bytes(&self) -> usize {
        size_of_val(&*self.terms.groups)
    }

    fn is_newer_than(&self, other: &Self) -> bool {
        self.terms.made_at > other.terms.made_at
    }

    fn belongs<'a>(&'a self, key: &'a [u8], to: &mut Belongs<'a>) {
        kept::belongs(&self.terms, key, to);
    }
}

/// Writes and reads these heads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoredCodec;

/// The form of a head. What is of another does not read, and is a miss.
const VERSION: u8 = 1;

impl HeadCodec<Stored> for StoredCodec {
    fn encode(&self, head: &Stored, out: &mut Vec<u8>) {
        let Terms { made_at, took, while_refresh, on_error, groups } = &head.terms;
        out.push(VERSION);
        out.push(match head.form {
            Form::Value => 0,
            Form::Absent => 1,
        });
        out.extend_from_slice(&head.schema.to_le_bytes());
        let windows = [while_refresh.as_millis(), on_error.as_millis()];
        let longs = [made_at.as_millis(), took.as_millis(), head.fresh_until.as_millis()];
        longs.iter().chain(&windows).for_each(|long| out.extend_from_slice(&long.to_le_bytes()));
        groups.iter().for_each(|group| out.extend_from_slice(&group.to_bytes()));
    }

    fn decode(&self, bytes: &Bytes) -> Option<Stored> {
        let mut rest = bytes.clone();
        if rest.try_get_u8().ok()? != VERSION {
            return None;
        }
        let form = match rest.try_get_u8().ok()? {
            0 => Form::Value,
            1 => Form::Absent,
            _ => return None,
        };
        let schema = rest.try_get_u128_le().ok()?;
        let mut long = || rest.try_get_u64_le().ok();
        let (made_at, took) = (Timestamp::from_millis(long()?), Span::from_millis(long()?));
        let fresh_until = Timestamp::from_millis(long()?);
        let (while_refresh, on_error) = (Span::from_millis(long()?), Span::from_millis(long()?));
        let terms = Terms { made_at, took, while_refresh, on_error, groups: groups(&rest)? };
        Some(Stored { fresh_until, terms, form, schema })
    }

    fn is_compressible(&self, head: &Stored) -> bool {
        head.form == Form::Value
    }
}

fn groups(bytes: &[u8]) -> Option<Box<[Group]>> {
    let (groups, more) = bytes.as_chunks::<16>();
    more.is_empty().then(|| groups.iter().copied().map(Group::from_bytes).collect())
}

/// What two processes must agree in to read each other's values.
pub(crate) fn digest_of_schema(schema: &str) -> u128 {
    u128::from_le_bytes(Group::of("schema", schema.as_bytes()).to_bytes())
}

/// A tier of values over a tier of bytes.
pub(crate) struct Coded<V: Send + Sync + 'static> {
    pub(crate) below: Arc<dyn Tier<Stored>>,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) schema: u128,
    pub(crate) weigher: Option<Weigher<V>>,
    pub(crate) clock: Clock,
    pub(crate) budget: Budget,
    pub(crate) counts: Arc<Counts>,
    pub(crate) teller: Teller,
    pub(crate) no_body: Body,
    /// What the tiers of a cache share.
    pub(crate) encodings: Arc<Encodings>,
}

impl<V: Send + Sync + 'static> Tier<Kept<V>> for Coded<V> {
    fn name(&self) -> &'static str {
        self.below.name()
    }

    fn look_up<'a>(&'a self, key: &'a Key) -> Looked<'a, Kept<V>> {
        Looked::later(async move {
            let Some(stored) = self.below.look_up(key).await? else { return Ok(None) };
            let Some(content) = self.content(key, &stored).await? else { return Ok(None) };
            let weight = weigh(&content, None, self.weigher.as_ref());
            let Stored { fresh_until, terms, .. } = stored.head();
            let kept = Kept { fresh_until: *fresh_until, content, weight, terms: terms.clone() };
            let (until, stamp) = (stored.keep_until(), stored.stamp());
            let entry = Entry::stored(kept, self.no_body.clone(), until, stamp, stored.epoch());
            Ok(Some(Arc::new(entry)))
        })
    }

    fn reach(&self) -> Reach {
        self.below.reach()
    }

    fn body_bytes_max(&self) -> u64 {
        self.below.body_bytes_max()
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        entry: Arc<Entry<Kept<V>>>,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Admitted> {
        Box::pin(async move {
            if entry.is_expired(self.clock.now()) {
                return Ok(Admitted::Expired);
            }
            // Held until it is put, so that another tier finds it meanwhile.
            let encoding = self.encodings.of(key, entry.stamp());
            let (form, body) = match &entry.head().content {
                Content::Value(value) => match encoding.body(|| self.encoded(key, value)) {
                    Ok(body) => (Form::Value, body),
                    Err(failure) => return self.give_up(key, failure, fence).await,
                },
                Content::Absent => (Form::Absent, Body::empty()),
                Content::NotTransformed(_) => return Ok(Admitted::NotWhole),
            };
            let (fresh_until, terms) = (entry.head().fresh_until, entry.head().terms.clone());
            let head = Stored { fresh_until, terms, form, schema: self.schema };
            let (until, stamp) = (entry.keep_until(), entry.stamp());
            let stored = Entry::stored(head, body, until, stamp, entry.epoch());
            self.below.put(key, Arc::new(stored), fence).await
        })
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()> {
        self.below.remove(key)
    }
}

impl<V: Send + Sync + 'static> Coded<V> {
    /// What lies below; `None` if it does not read.
    async fn content(
        &self,
        key: &Key,
        stored: &Entry<Stored>,
    ) -> Result<Option<Content<V>>, TierFailure> {
        if stored.head().form == Form::Absent {
            return Ok(Some(Content::Absent));
        }
        if stored.head().schema != self.schema {
            self.note_foreign(key);
            return Ok(None);
        }
        let bytes = whole(stored.body()).await?;
        let decoded = caught(|| self.codec.decode(&bytes));
        match decoded.unwrap_or_else(|why| Err(Undecoded::NotTransformed(why))) {
            Ok(value) => Ok(Some(Content::Value(value))),
            Err(Undecoded::Foreign(cause)) => {
                tracing::debug!(?key, %cause, tier = self.name(), "a stored form does not read");
                self.note_foreign(key);
                Ok(None)
            }
            Err(Undecoded::NotTransformed(cause)) => {
                Ok(Some(Content::NotTransformed(LoadError::new(cause))))
            }
        }
    }

    fn note_foreign(&self, key: &Key) {
        self.counts.not_decoded.one_more();
        self.teller.tell(|| Event::NotDecoded { key: key.clone() });
    }

    fn encoded(&self, key: &Key, value: &V) -> Result<Body, TierFailure> {
        let mut bytes = Vec::new();
        let encoded = caught(|| self.codec.encode(value, &mut bytes)).and_then(|done| done);
        if let Err(cause) = encoded {
            tracing::warn!(?key, %cause, tier = self.name(), "a value cannot be stored");
            self.counts.not_encoded.one_more();
            let error = LoadError::new(cause);
            self.teller.tell(|| Event::NotEncoded { key: key.clone(), error });
            return Err(TierFailure::new("cannot store a value: it cannot be encoded"));
        }
        Ok(Body::whole(&Bytes::from(bytes), None, &self.budget))
    }

    // What lies there is older. Under a lease it is left: removing it would end the lease as well, and
    // whoever waits for that is told that there is nothing to be had.
    async fn give_up(
        &self,
        key: &Key,
        failure: TierFailure,
        fence: Option<&Fence>,
    ) -> Result<Admitted, TierFailure> {
        if fence.is_none() {
            self.below.remove(key).await?;
        }
        Err(failure)
    }
}

/// What a codec does; that it panicked is an error, as it is of a loader.
fn caught<T>(act: impl FnOnce() -> T) -> Result<T, BoxError> {
    std::panic::catch_unwind(AssertUnwindSafe(act))
        .map_err(|words| format!("its codec panicked: {}", load::words_of(&*words)).into())
}

/// All bytes of a body, which a tier has in bounds of its own.
async fn whole(body: &Body) -> Result<Bytes, TierFailure> {
    if let Some(bytes) = body.as_whole().and_then(|whole| whole.as_bytes()) {
        return Ok(bytes.clone());
    }
    let gone = || TierFailure::new("cannot read a value: its begin has gone");
    let mut reader = body.reader().ok_or_else(gone)?;
    let mut bytes = Vec::new();
    while let Some(slice) = reader.next().await {
        bytes.extend_from_slice(&slice.map_err(|broken| TierFailure::new(broken.to_string()))?);
    }
    Ok(bytes.into())
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn stored(groups: Vec<Group>) -> Stored {
        let terms = Terms {
            made_at: Timestamp::from_millis(1),
            took: Span::from_millis(2),
            while_refresh: std::time::Duration::MAX.into(),
            on_error: Span::from_millis(5),
            groups: groups.into(),
        };
        let fresh_until = Timestamp::FAR;
        Stored { fresh_until, terms, form: Form::Absent, schema: digest_of_schema("User/2") }
    }

    #[test]
    fn a_head_reads_as_it_was_written_and_no_part_of_it_does() {
        for groups in [vec![], vec![Group::of("tag", b"eu"), Group::of("tag", b"us")]] {
            let head = stored(groups);
            let mut bytes = Vec::new();
            StoredCodec.encode(&head, &mut bytes);
            let read = StoredCodec.decode(&Bytes::from(bytes.clone())).unwrap();
            assert_eq!((read.form, read.schema), (head.form, head.schema));
            assert_eq!(read.terms.groups, head.terms.groups);
            assert_eq!(read.fresh_until, Timestamp::FAR);
            let fixed = bytes.len() - 16 * head.terms.groups.len();
            for len in
                (0..bytes.len()).filter(|len| *len < fixed || !(len - fixed).is_multiple_of(16))
            {
                assert!(StoredCodec.decode(&Bytes::from(bytes[..len].to_vec())).is_none(), "{len}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_a_reader_of_heads(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            let _ = StoredCodec.decode(&Bytes::from(bytes));
        }
    }
}
