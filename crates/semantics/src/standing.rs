//! What is known of a stored response beside itself: whether an operator made it stale, and whether
//! a purge of it may have gone unheard.
//!
//! Who keeps responses and hears of purges makes a [`Standing`]; the rules of reuse obey it.

use std::time::Duration;

use crate::date::Timestamp;

/// What a stored response is worth, whatever it says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// When a soft purge made it stale. Its stale windows begin then, if they have not before.
    pub stale_since: Option<Timestamp>,
    /// Whether a purge of it would be known.
    pub proof: Proof,
    /// Whether it may answer in place of an error although there is no proof of it.
    pub in_place_of_errors: InPlaceOfErrors,
}

/// Whether a purge of a response would be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// It would.
    #[default]
    Sure,
    /// Purges are not heard of just now; what was validated within this time may be used.
    Within(Duration),
    /// A purge of it may have been missed: it is validated before it is used.
    Missing,
}

/// What a response without proof may do when its origin fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InPlaceOfErrors {
    /// Answer within its windows, as others may: the origin cannot say that it was purged either.
    #[default]
    AsEver,
    /// Nothing.
    Never,
}

impl Standing {
    /// Of what no purge concerns.
    pub const SOUND: Standing = Standing {
        stale_since: None,
        proof: Proof::Sure,
        in_place_of_errors: InPlaceOfErrors::AsEver,
    };

    /// Whether it may be used at this moment as far as purges go, having been validated then.
    pub(crate) fn is_proven(&self, validated_at: Timestamp, now: Timestamp) -> bool {
        match self.proof {
            Proof::Sure => true,
            Proof::Within(bound) => now.since(validated_at) < bound,
            Proof::Missing => false,
        }
    }

    /// What is left of its lifetime in whole seconds, where by itself this is left; negative when it
    /// is stale.
    pub fn ttl_seconds(&self, own: i64, now: Timestamp) -> i64 {
        let purged = self.stale_since.map(|since| now.since(since).as_secs());
        purged.map_or(own, |ago| own.min(-i64::try_from(ago).unwrap_or(i64::MAX)))
    }

    /// The longer of its own staleness and that which a purge gave it.
    pub(crate) fn staleness(&self, own: Option<Duration>, now: Timestamp) -> Option<Duration> {
        own.max(self.stale_since.map(|since| now.since(since)))
    }
}
