//! What this program keeps in the cache: heads of responses, and indexes of variants.
//!
//! Under a key lies either one response or, where responses vary, an index of variants, each of
//! which lies under a key of its own that only the index knows. Dropping an index forgets them all.

use std::sync::Arc;
use std::time::Duration;

use forebay_cache::{Entry, Head, Key};
use forebay_semantics::reuse::{Reuse, reuse};
use forebay_semantics::variants::{VariantId, Variants};
use forebay_semantics::{Asked, Policy, Stored, Timestamp};

use crate::config::Route;
use crate::failure::FetchFailure;

/// The first byte of a variant's key; a primary key begins with the number of its scheme.
const VARIANT: u8 = 0xff;

/// The cache as this program uses it.
pub type Cache = forebay_cache::Cache<Kept, Unfilled>;

/// An entry of it.
pub type KeptEntry = Arc<Entry<Kept>>;

/// The head of an entry.
pub enum Kept {
    /// A response.
    Response(KeptResponse),
    /// The variants under a key.
    Variants(Variants),
}

/// A stored response and what this program adds to it.
pub struct KeptResponse {
    /// The head as the rules see it.
    pub stored: Stored,
    /// Where the response varies: which requests it fits.
    pub fits: Option<Box<Variants>>,
    /// How long its fetch took, for the early refresh.
    pub fetch_duration: Duration,
}

/// Why a flight was not filled, as its followers are told.
#[derive(Clone, Debug)]
pub enum Unfilled {
    /// No response came.
    Failed(FetchFailure),
    /// One came that says that the origin is failing.
    Status(http::StatusCode),
}

impl Head for Kept {
    fn weight_bytes(&self) -> usize {
        let outside = |whole: usize, own: usize| whole.saturating_sub(own);
        match self {
            Kept::Response(response) => {
                let fits = response.fits.as_ref().map_or(0, |fits| fits.weight_bytes());
                outside(response.stored.weight_bytes(), size_of::<Stored>()) + fits
            }
            Kept::Variants(variants) => outside(variants.weight_bytes(), size_of::<Variants>()),
        }
    }
}

impl Kept {
    /// The response, if it is one.
    pub fn response(&self) -> Option<&KeptResponse> {
        match self {
            Kept::Response(response) => Some(response),
            Kept::Variants(_) => None,
        }
    }

    /// The index, if it is one.
    pub fn variants(&self) -> Option<&Variants> {
        match self {
            Kept::Response(_) => None,
            Kept::Variants(variants) => Some(variants),
        }
    }
}

impl KeptResponse {
    /// Whether it may answer a request with these fields, as far as `Vary` goes.
    pub fn fits(&self, request: &http::HeaderMap) -> bool {
        self.fits.as_ref().is_none_or(|fits| fits.choose(request).is_some())
    }

    /// Whether this request is drawn to refresh it although it is still fresh.
    pub fn is_refreshed_early(&self, route: &Route, now: Timestamp) -> bool {
        let left = Duration::from_secs(self.stored.ttl_seconds(now).max(0).unsigned_abs());
        // No draw reaches further than this; most requests need none.
        if route.early_refresh <= 0.0
            || left > self.fetch_duration.mul_f64(20.0 * route.early_refresh)
        {
            return false;
        }
        let random = 1.0 - rand::random::<f64>();
        let at = forebay_cache::Timestamp::from_millis(now.unix_millis());
        forebay_cache::early_refresh(
            at,
            at.plus(left),
            self.fetch_duration,
            route.early_refresh,
            random,
        )
    }

    /// Whether others may be answered with it although they did not fetch it (RFC 9111 section 4).
    pub fn is_shareable(&self, asked: &Asked, policy: &Policy, now: Timestamp) -> bool {
        match reuse(asked, &self.stored, policy, now) {
            Reuse::Serve | Reuse::ServeAndRefresh(_) => true,
            Reuse::Revalidate(_) | Reuse::Refuse => false,
        }
    }

    /// Until when tiers keep it, in the cache's time.
    pub fn keep_until(&self) -> forebay_cache::Timestamp {
        forebay_cache::Timestamp::from_millis(self.stored.keep_until().unix_millis())
    }
}

/// The key of a variant: a byte with which no primary key begins, the primary key, and what only
/// the index knows. So no request can name a variant.
pub fn variant_key(primary: &[u8], id: VariantId) -> Key {
    let mut bytes = Vec::with_capacity(primary.len() + 16);
    bytes.push(VARIANT);
    bytes.extend_from_slice(primary);
    bytes.extend_from_slice(&id.generation.to_be_bytes());
    bytes.extend_from_slice(&id.number.to_be_bytes());
    Key::from(bytes.as_slice())
}

/// The cache's moment as the rules tell it.
pub fn moment(now: forebay_cache::Timestamp) -> Timestamp {
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
    },
}

/// Looks in memory for a response that fits.
pub fn find(cache: &Cache, primary: &[u8], request: &http::HeaderMap) -> Found {
    let Some(entry) = cache.look_up_memory(primary) else { return Found::Nothing };
    let Kept::Variants(variants) = entry.head() else {
        return Found::Response { entry, index: None, key: None };
    };
    let Some(variant) = variants.choose(request) else { return Found::NoVariant(entry) };
    let key = variant_key(primary, variant.id());
    match cache.look_up_memory(key.as_bytes()) {
        Some(found) => Found::Response { entry: found, index: Some(entry), key: Some(key) },
        None => Found::NoVariant(entry),
    }
}
