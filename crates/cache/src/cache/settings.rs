//! What a cache, or one call, is told about lifetimes, windows, limits and weights.

use std::sync::Arc;
use std::time::Duration;

use super::kept::{Content, Terms};
use super::loaded::{Loaded, Ttl};
use crate::clock::Timestamp;
use crate::purge::Group;

/// The terms of a cache. Every wait in it ends.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) ttl: Ttl,
    pub(crate) negative_ttl: Ttl,
    pub(crate) while_refresh: Duration,
    pub(crate) on_error: Duration,
    pub(crate) retry_pause: Duration,
    pub(crate) soft_limit: Option<Duration>,
    pub(crate) hard_limit: Duration,
    pub(crate) wait_limit: Duration,
    /// A share of each lifetime, by which chance shortens it at most.
    pub(crate) jitter: f64,
    /// How eagerly what is almost stale is loaded ahead; 0 for not at all.
    pub(crate) refresh_ahead: f64,
    /// How long a write waits until the other processes have heard of it.
    pub(crate) others_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl: Ttl::For(Duration::from_secs(60)),
            negative_ttl: Ttl::For(Duration::from_secs(5)),
            while_refresh: Duration::ZERO,
            on_error: Duration::ZERO,
            retry_pause: Duration::from_secs(10),
            soft_limit: None,
            hard_limit: Duration::from_secs(30),
            wait_limit: Duration::from_secs(30),
            jitter: 0.0,
            refresh_ahead: 0.0,
            others_wait: Duration::from_millis(2_500),
        }
    }
}

/// What one call says otherwise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) ttl: Option<Ttl>,
    pub(crate) negative_ttl: Option<Ttl>,
    pub(crate) groups: Vec<Group>,
    pub(crate) weight: Option<usize>,
    pub(crate) soft_limit: Option<Duration>,
    pub(crate) hard_limit: Option<Duration>,
    pub(crate) wait_limit: Option<Duration>,
}

impl Settings {
    /// How long what was loaded is fresh: as it says itself, else the call, else the cache.
    fn ttl_of<V>(&self, loaded: &Loaded<V>, call: &Call) -> Ttl {
        let (of_call, own) = match loaded.value {
            Some(_) => (call.ttl, self.ttl),
            None => (call.negative_ttl, self.negative_ttl),
        };
        loaded.ttl.or(of_call).unwrap_or(own)
    }

    /// Until when what was loaded just now is fresh, and its other terms. `random` is a draw from [0, 1).
    pub(crate) fn terms<V>(
        &self,
        loaded: &Loaded<V>,
        call: &Call,
        groups: Box<[Group]>,
        took: Duration,
        now: Timestamp,
        random: f64,
    ) -> (Timestamp, Terms) {
        let (fresh_until, windows) = match self.ttl_of(loaded, call) {
            Ttl::For(span) => {
                let shortened = span.mul_f64(1.0 - self.jitter * random);
                (now.plus(shortened), (self.while_refresh, self.on_error))
            }
            Ttl::Forever => (Timestamp::FAR, (self.while_refresh, self.on_error)),
            // Nothing keeps it, not even for its stale windows.
            Ttl::DontCache => (now, (Duration::ZERO, Duration::ZERO)),
        };
        let (while_refresh, on_error) = (windows.0.into(), windows.1.into());
        (fresh_until, Terms { made_at: now, took: took.into(), while_refresh, on_error, groups })
    }
}

/// The bytes of a value in memory, as the user counts them.
pub(crate) type Weigher<V> = Arc<dyn Fn(&V) -> usize + Send + Sync>;

/// What a value is taken to need where nobody counts it: what the allocator rounds up.
const VALUE_OVERHEAD_BYTES: usize = 16;

/// The bytes of what is kept; over 4 GiB, that: no memory takes it.
pub(crate) fn weigh<V>(
    content: &Content<V>,
    said: Option<usize>,
    weigher: Option<&Weigher<V>>,
) -> u32 {
    let Content::Value(value) = content else { return 0 };
    let counted = || weigher.map_or(size_of::<V>(), |weigh| weigh(value));
    let weight = said.unwrap_or_else(counted).saturating_add(VALUE_OVERHEAD_BYTES);
    u32::try_from(weight).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn fresh_for(settings: &Settings, loaded: &Loaded<u8>, call: &Call, random: f64) -> Duration {
        let now = Timestamp::from_millis(1_000);
        let (fresh_until, _) =
            settings.terms(loaded, call, Box::default(), Duration::ZERO, now, random);
        fresh_until.since(now)
    }

    #[test]
    fn the_loaded_value_says_its_lifetime_before_the_call_and_that_before_the_cache() {
        let settings = Settings::default();
        let call = Call {
            ttl: Some(Ttl::For(Duration::from_secs(7))),
            negative_ttl: Some(Ttl::For(Duration::from_secs(8))),
            ..Call::default()
        };
        let own = Loaded::of(1).ttl(Duration::from_millis(9_500));
        for (loaded, call, millis) in [
            (Loaded::of(1), &Call::default(), 60_000),
            (Loaded::nothing(), &Call::default(), 5_000),
            (Loaded::of(1), &call, 7_000),
            (Loaded::nothing(), &call, 8_000),
            (own, &call, 9_500),
        ] {
            assert_eq!(fresh_for(&settings, &loaded, call, 0.5).as_millis(), millis);
        }
    }

    #[test]
    fn jitter_shortens_by_its_share_at_most() {
        let settings = Settings { jitter: 0.1, ..Settings::default() };
        let spans = [0.0, 0.5, 0.999_999]
            .map(|draw| fresh_for(&settings, &Loaded::of(1), &Call::default(), draw).as_millis());
        assert_eq!(spans, [60_000, 57_000, 54_000]);
    }

    #[test]
    fn what_is_not_to_be_cached_is_kept_for_no_time() {
        let settings = Settings { on_error: Duration::from_secs(9), ..Settings::default() };
        let loaded = Loaded::of(1).ttl(Duration::ZERO);
        let now = Timestamp::from_millis(1_000);
        let (fresh_until, terms) =
            settings.terms(&loaded, &Call::default(), Box::default(), Duration::ZERO, now, 0.0);
        let windows = terms.while_refresh.max(terms.on_error);
        assert_eq!((fresh_until, Duration::from(windows)), (now, Duration::ZERO));
    }
}
