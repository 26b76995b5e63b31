//! What this program keeps in the cache: heads of responses, and indexes of variants.
//!
//! Under a key lies either one response or, where responses vary, an index of variants, each of
//! which lies under a key of its own that only the index knows. Dropping an index forgets them all.

use std::sync::Arc;
use std::time::Duration;

use forebay_cache::mechanism::{Belongs, Entry, Head, Key, Shared, Stamp};
use forebay_semantics::coding::Coding;
use forebay_semantics::reuse::{Reuse, reuse};
use forebay_semantics::standing::Proof;
use forebay_semantics::variants::{VariantId, Variants};
use forebay_semantics::{Asked, Policy, Standing, Stored, Tags, Timestamp};
use http::HeaderMap;

use crate::config::Route;
use crate::failure::FetchFailure;
use crate::purge::groups;

/// The first byte of a variant's key; a primary key begins with the number of its scheme.
const VARIANT: u8 = 0xff;

/// The first byte of the key of a flight for a variant that is not there yet.
const WANTED_VARIANT: u8 = 0xfe;

/// The first byte of the key of a coded form; the coding's place and the key of what it is a form of
/// follow.
const CODED: u8 = 0xfd;

/// The bytes of a variant's id behind the primary key.
const VARIANT_ID_BYTES: usize = 16;

/// The cache as this program uses it.
pub type Cache = forebay_cache::mechanism::Tiers<Kept, Unfilled>;

/// An entry of it.
pub type KeptEntry = Arc<Entry<Kept>>;

/// The head of an entry.
pub enum Kept {
    /// A response.
    Response(KeptResponse),
    /// The variants under a key.
    Variants(Variants),
    /// A coded form of a response, which answers with that one's head.
    Coded(Coded),
}

/// A response's content in a coding. No body says that it is not worth sending so.
pub struct Coded {
    /// The coding.
    pub coding: Coding,
    /// Of which content.
    pub content: Stamp,
    /// When the response was received that had it.
    pub received_at: Timestamp,
    /// That one's tags: a purge of them is one of this, too.
    pub tags: Tags,
}

/// A stored response and what this program adds to it.
pub struct KeptResponse {
    /// The head as the rules see it.
    pub stored: Stored,
    /// Where the response varies: which requests it fits.
    pub fits: Option<Box<Variants>>,
    /// How long its fetch took, for the early refresh.
    pub fetch_duration: Duration,
    /// What tells its content from all others that were ever under its key. A head that was freshened
    /// has the same content.
    pub content: Stamp,
}

/// Why a flight was not filled, as its followers are told.
#[derive(Clone, Debug)]
pub enum Unfilled {
    /// No response came.
    Failed(FetchFailure),
    /// One came that says that the origin is failing.
    Status(http::StatusCode),
    /// No response came to another node, which says what to answer.
    Elsewhere(http::StatusCode),
}

/// From here on, the number of a failure is that of an answer where no response came.
const NO_RESPONSE: u16 = 1_000;

impl Unfilled {
    /// The number by which another node is told.
    pub fn code(&self) -> u16 {
        match self {
            Unfilled::Failed(failure) => NO_RESPONSE + failure.status().as_u16(),
            Unfilled::Elsewhere(status) => NO_RESPONSE + status.as_u16(),
            Unfilled::Status(status) => status.as_u16(),
        }
    }

    /// What another node told by a number.
    pub fn of_code(code: u16) -> Self {
        let status = |code| http::StatusCode::from_u16(code).ok().filter(|it| it.is_server_error());
        match status(code) {
            Some(status) => Unfilled::Status(status),
            None => {
                let status = status(code.saturating_sub(NO_RESPONSE));
                Unfilled::Elsewhere(status.unwrap_or(http::StatusCode::BAD_GATEWAY))
            }
        }
    }
}

impl Head for Kept {
    fn belongs<'a>(&'a self, key: &'a [u8], to: &mut Belongs<'a>) {
        let tags = match self {
            Kept::Response(response) => Some(response.stored.tags()),
            Kept::Variants(_) => None,
            Kept::Coded(coded) => Some(&coded.tags),
        };
        groups::belongs(family(key), tags, to);
    }

    fn weight_bytes(&self) -> usize {
        let outside = |whole: usize, own: usize| whole.saturating_sub(own);
        match self {
            Kept::Response(response) => {
                let fits = response.fits.as_ref().map_or(0, |fits| fits.weight_bytes());
                outside(response.stored.weight_bytes(), size_of::<Stored>()) + fits
            }
            Kept::Variants(variants) => outside(variants.weight_bytes(), size_of::<Variants>()),
            Kept::Coded(coded) => coded.tags.as_str().len(),
        }
    }

    fn is_newer_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Kept::Response(own), Kept::Response(other)) => {
                own.stored.received_at() > other.stored.received_at()
            }
            // An index grows; one that lists a newer variant knows more.
            (Kept::Variants(own), Kept::Variants(other)) => {
                own.newest_at() >= other.newest_at() && own != other
            }
            // The response varies since, or no longer.
            (Kept::Response(own), Kept::Variants(other)) => {
                Some(own.stored.received_at()) > other.newest_at()
            }
            (Kept::Variants(own), Kept::Response(other)) => {
                own.newest_at() > Some(other.stored.received_at())
            }
            (Kept::Coded(own), Kept::Coded(other)) => own.received_at > other.received_at,
            // They never lie under one key.
            (Kept::Coded(_), Kept::Response(_) | Kept::Variants(_))
            | (Kept::Response(_) | Kept::Variants(_), Kept::Coded(_)) => true,
        }
    }
}

impl Kept {
    /// The response, if it is one.
    pub fn response(&self) -> Option<&KeptResponse> {
        match self {
            Kept::Response(response) => Some(response),
            Kept::Variants(_) | Kept::Coded(_) => None,
        }
    }

    /// The index, if it is one.
    pub fn variants(&self) -> Option<&Variants> {
        match self {
            Kept::Response(_) | Kept::Coded(_) => None,
            Kept::Variants(variants) => Some(variants),
        }
    }

    /// Whether it is a coded form of the content that this response has.
    pub fn is_form_of(&self, response: &KeptResponse) -> bool {
        self.coded().is_some_and(|coded| coded.content == response.content)
    }

    /// The coded form, if it is one.
    pub fn coded(&self) -> Option<&Coded> {
        match self {
            Kept::Response(_) | Kept::Variants(_) => None,
            Kept::Coded(coded) => Some(coded),
        }
    }
}

impl KeptResponse {
    /// Whether it may answer a request with these fields, as far as `Vary` goes.
    pub fn fits(&self, request: &HeaderMap) -> bool {
        self.fits.as_ref().is_none_or(|fits| fits.choose(request).is_some())
    }

    /// Whether this request is drawn to refresh it although it need not be validated yet.
    pub fn is_refreshed_early(&self, route: &Route, standing: &Standing, now: Timestamp) -> bool {
        let fresh = Duration::from_secs(self.stored.ttl_seconds(now).max(0).unsigned_abs());
        let left = match standing.proof {
            Proof::Sure | Proof::Missing => fresh,
            Proof::Within(bound) => {
                fresh.min(bound.saturating_sub(now.since(self.stored.received_at())))
            }
        };
        // No draw reaches further than this; most requests need none.
        if route.early_refresh <= 0.0
            || left > self.fetch_duration.mul_f64(20.0 * route.early_refresh)
        {
            return false;
        }
        let random = 1.0 - rand::random::<f64>();
        let at = forebay_cache::mechanism::Timestamp::from_millis(now.unix_millis());
        forebay_cache::mechanism::early_refresh(
            at,
            at.plus(left),
            self.fetch_duration,
            route.early_refresh,
            random,
        )
    }

    /// Whether others may be answered with it although they did not fetch it (RFC 9111 section 4).
    pub fn is_shareable(&self, asked: &Asked, policy: &Policy, now: Timestamp) -> bool {
        match reuse(asked, &self.stored, policy, &Standing::SOUND, now) {
            Reuse::Serve | Reuse::ServeAndRefresh(_) => true,
            Reuse::Revalidate(_) | Reuse::Refuse => false,
        }
    }

    /// Until when tiers keep it, in the cache's time.
    pub fn keep_until(&self) -> forebay_cache::mechanism::Timestamp {
        forebay_cache::mechanism::Timestamp::from_millis(self.stored.keep_until().unix_millis())
    }
}

/// The key of a variant: a byte with which no primary key begins, the primary key, and what only
/// the index knows. So no request can name a variant.
pub fn variant_key(primary: &[u8], id: VariantId) -> Key {
    let mut bytes = Vec::with_capacity(primary.len() + 1 + VARIANT_ID_BYTES);
    bytes.push(VARIANT);
    bytes.extend_from_slice(primary);
    bytes.extend_from_slice(&id.generation.to_be_bytes());
    bytes.extend_from_slice(&id.number.to_be_bytes());
    Key::from(bytes.as_slice())
}

/// The key of a coded form of what lies under `own`, which no request can name either.
pub fn coded_key(own: &[u8], coding: Coding) -> Key {
    let mut bytes = Vec::with_capacity(own.len() + 2);
    // There are three codings.
    bytes.extend_from_slice(&[CODED, coding.place() as u8]);
    bytes.extend_from_slice(own);
    Key::from(bytes.as_slice())
}

/// The key under which a response to this request lies; of a variant, as the index in memory has it.
pub fn own_key(
    cache: &Cache,
    primary: &[u8],
    request: &HeaderMap,
    response: &KeptResponse,
) -> Option<Key> {
    if response.fits.is_none() {
        return Some(Key::from(primary));
    }
    match key_in(cache.peek(primary)?.as_ref(), primary, request) {
        Lies::Under(key) => Some(key),
        Lies::Here | Lies::Nowhere => None,
    }
}

/// The key of a flight for a variant that is not there yet, but for what tells it from others.
pub fn wanted_key(primary: &[u8]) -> Vec<u8> {
    let mut bytes = vec![WANTED_VARIANT];
    bytes.extend_from_slice(&(primary.len() as u32).to_be_bytes());
    bytes.extend_from_slice(primary);
    bytes
}

/// The primary key to which a key belongs: what belongs together lies together in a cluster.
pub fn family(key: &[u8]) -> &[u8] {
    let key = match key {
        [CODED, _, own @ ..] => own,
        own => own,
    };
    match key.split_first() {
        Some((&VARIANT, rest)) => &rest[..rest.len().saturating_sub(VARIANT_ID_BYTES)],
        Some((&WANTED_VARIANT, rest)) => {
            let Some((len, rest)) = rest.split_first_chunk::<4>() else { return key };
            rest.get(..u32::from_be_bytes(*len) as usize).unwrap_or(key)
        }
        Some(_) | None => key,
    }
}

/// The cache's moment as the rules tell it.
pub fn moment(now: forebay_cache::mechanism::Timestamp) -> Timestamp {
    Timestamp::from_unix_millis(now.as_millis())
}

/// What an exchange found in the cache.
pub enum Found {
    /// Nothing under the key.
    Nothing,
    /// Variants under the key, none of which fits; the index.
    NoVariant(KeptEntry),
    /// A response that fits, and the key under which it lies.
    Response {
        /// The entry; its head is a response.
        entry: KeptEntry,
        /// The index, where it is a variant.
        index: Option<KeptEntry>,
        /// Its own key, where that is not the primary one.
        key: Option<Key>,
        /// The tier below memory that had it.
        tier: Option<&'static str>,
    },
}

/// Looks in memory for a response that fits.
pub fn find(cache: &Cache, primary: &[u8], request: &HeaderMap, now: Timestamp) -> Found {
    let now = forebay_cache::mechanism::Timestamp::from_millis(now.unix_millis());
    let Some(entry) = cache.look_up_memory_at(now, primary) else { return Found::Nothing };
    match key_in(&entry, primary, request) {
        Lies::Here => Found::Response { entry, index: None, key: None, tier: None },
        Lies::Nowhere => Found::NoVariant(entry),
        Lies::Under(key) => match cache.look_up_memory_at(now, key.as_bytes()) {
            Some(found) => {
                Found::Response { entry: found, index: Some(entry), key: Some(key), tier: None }
            }
            None => Found::NoVariant(entry),
        },
    }
}

/// Looks for a response below memory, which has just been found to have nothing: only in what need not
/// be waited for, so that nothing says little.
pub fn find_at_once(cache: &Cache, primary: &[u8]) -> Found {
    // Most keys are long, and making one costs an allocation.
    let found =
        cache.answers_at_once().then(|| cache.look_up_at_once(&Key::from(primary))).flatten();
    let Some(forebay_cache::mechanism::Found { entry, tier }) = found else {
        return Found::Nothing;
    };
    match entry.head() {
        Kept::Response(_) => Found::Response { entry, index: None, key: None, tier: Some(tier) },
        Kept::Variants(_) | Kept::Coded(_) => Found::NoVariant(entry),
    }
}

/// Looks in all tiers for a response that fits, where memory has just been found to have `seen`. An
/// index without one that fits may be an old one, where all nodes share a tier.
pub async fn find_below(cache: &Cache, primary: &[u8], request: &HeaderMap, seen: &Found) -> Found {
    let key = Key::from(primary);
    let found = match seen {
        Found::Nothing => cache.look_up_below(&key).await,
        Found::NoVariant(_) | Found::Response { .. } => cache.look_up(&key).await,
    };
    let Some(forebay_cache::mechanism::Found { entry, tier }) = found else {
        return Found::Nothing;
    };
    match variant_of(cache, entry, tier, primary, request).await {
        Found::NoVariant(index) => match cache.look_up_shared(&key).await {
            Shared::Newer(entry) => variant_of(cache, entry, tier, primary, request).await,
            Shared::Older(_) | Shared::Nothing => Found::NoVariant(index),
        },
        found @ (Found::Nothing | Found::Response { .. }) => found,
    }
}

async fn variant_of(
    cache: &Cache,
    entry: KeptEntry,
    tier: &'static str,
    primary: &[u8],
    request: &HeaderMap,
) -> Found {
    let tier_of = |tier| (tier != MEMORY).then_some(tier);
    match key_in(&entry, primary, request) {
        Lies::Here => Found::Response { entry, index: None, key: None, tier: tier_of(tier) },
        Lies::Nowhere => Found::NoVariant(entry),
        Lies::Under(key) => match cache.look_up(&key).await {
            Some(found) => Found::Response {
                entry: found.entry,
                index: Some(entry),
                key: Some(key),
                tier: tier_of(found.tier),
            },
            None => Found::NoVariant(entry),
        },
    }
}

/// What memory calls itself among the tiers.
const MEMORY: &str = "memory";

/// Where the response lies that fits.
enum Lies {
    Here,
    Under(Key),
    Nowhere,
}

fn key_in(entry: &Entry<Kept>, primary: &[u8], request: &HeaderMap) -> Lies {
    match entry.head() {
        Kept::Response(_) => Lies::Here,
        Kept::Coded(_) => Lies::Nowhere,
        Kept::Variants(variants) => match variants.choose(request) {
            Some(variant) => Lies::Under(variant_key(primary, variant.id())),
            None => Lies::Nowhere,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coded_form_belongs_to_the_family_of_its_source() {
        let primary = b"\x01a primary key";
        let variant = variant_key(primary, VariantId { generation: 1, number: 2 });
        for own in [&primary[..], variant.as_bytes()] {
            let keys = Coding::ALL.map(|coding| coded_key(own, coding));
            assert!(keys.iter().all(|key| family(key.as_bytes()) == primary));
            assert_ne!(keys[0], keys[1]);
        }
        assert_eq!(family(&[CODED]), [CODED]);
        assert_eq!(family(&[CODED, 0]), b"");
    }
}
