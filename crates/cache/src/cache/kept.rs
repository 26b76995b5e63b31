//! What the tiers keep of a value, and the one place in which its freshness is judged.

use std::sync::Arc;
use std::time::Duration;

use super::error::LoadError;
use super::found::{Found, Freshness, Level};
use crate::clock::{Span, Timestamp};
use crate::entry::{Entry, Head, Shelf};
use crate::log::{Purges, Trust};
use crate::purge::{Belongs, Group, Verdict};

/// The time terms of a value beyond its lifetime, and by which names it is purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// When its load ended.
    pub(crate) made_at: Timestamp,
    /// How long its load took.
    pub(crate) took: Span,
    /// How much longer it may be given while it is loaded anew.
    pub(crate) while_refresh: Span,
    /// How much longer it may be given in place of an error.
    pub(crate) on_error: Span,
    /// Of its tags.
    pub(crate) groups: Box<[Group]>,
}

/// A value as memory holds it.
// In this order, as those of an entry: what a hit needs is in front.
#[repr(C)]
pub(crate) struct Kept<V> {
    pub(crate) fresh_until: Timestamp,
    pub(crate) content: Content<V>,
    /// The bytes of the value.
    pub(crate) weight: u32,
    pub(crate) terms: Terms,
}

pub(crate) enum Content<V> {
    Value(V),
    /// That it does not exist.
    Absent,
    /// What was stored could not be made into a value: for whoever asked, and kept nowhere.
    #[cfg_attr(not(feature = "stored"), expect(dead_code, reason = "nothing is stored"))]
    NotTransformed(LoadError),
}

/// For what a value may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// For everything.
    Fresh,
    /// It may be given while it is loaded anew.
    WhileRefresh,
    /// It may be given if that fails, or is slow.
    OnError,
    /// For nothing.
    Nothing,
}

/// What is known against a value beyond its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Nothing.
    None,
    /// It was invalidated then.
    Since(Timestamp),
    /// A purge may have been missed since so long; nothing is fresh for longer than that.
    Within(Duration),
    /// Nobody knows whether it was purged.
    Unproven,
}

impl Terms {
    /// Until when what is fresh until then is of any use.
    fn keep_until(&self, fresh_until: Timestamp) -> Timestamp {
        fresh_until.plus_span(self.while_refresh.max(self.on_error))
    }

    /// For what it may be used now, and until when it was fresh.
    #[inline]
    fn judge(&self, fresh_until: Timestamp, doubt: Doubt, now: Timestamp) -> (Use, Timestamp) {
        let until = match doubt {
            Doubt::None | Doubt::Unproven => fresh_until,
            // By another's clock that moment may be yet to come: it is over all the same.
            Doubt::Since(moment) => fresh_until.min(moment).min(now),
            // Counted from the begin of the load: what was purged since then is not known.
            Doubt::Within(bound) => {
                let begun = self.made_at.as_millis().saturating_sub(self.took.as_millis());
                let begun = Timestamp::from_millis(begun);
                fresh_until.min(begun.plus(bound))
            }
        };
        let is_proven = doubt != Doubt::Unproven;
        let what = if is_proven && now < until {
            Use::Fresh
        } else if is_proven && now < until.plus_span(self.while_refresh) {
            Use::WhileRefresh
        } else if now < until.plus_span(self.on_error) {
            Use::OnError
        } else {
            Use::Nothing
        };
        // What nobody can prove is not fresh now, whatever its lifetime.
        (what, if is_proven { until } else { until.min(now) })
    }
}

impl<V> Kept<V> {
    /// Until when it is of any use.
    pub(crate) fn keep_until(&self) -> Timestamp {
        self.terms.keep_until(self.fresh_until)
    }

    /// For what it may be used now, and until when it was fresh.
    #[inline]
    pub(crate) fn judge(&self, doubt: Doubt, now: Timestamp) -> (Use, Timestamp) {
        self.terms.judge(self.fresh_until, doubt, now)
    }
}

/// What the purges say against an entry; `None` if one has killed it.
#[inline]
pub(crate) fn doubt<V: Send + Sync + 'static>(
    purges: &Purges,
    entry: &Entry<Kept<V>>,
    key: &[u8],
) -> Option<Doubt> {
    let doubt = match purges.judge_entry(entry, key) {
        Verdict::Alive => Doubt::None,
        Verdict::Stale { since, .. } => Doubt::Since(since),
        Verdict::Unproven => Doubt::Unproven,
        Verdict::Gone { .. } => return None,
    };
    match (purges.trust_now(), doubt) {
        (Trust::Sure, doubt) => Some(doubt),
        // What is stale already is not fresh for any time; what is unproven is not fresh either.
        (Trust::Doubt, Doubt::None | Doubt::Within(_)) => Some(Doubt::Within(purges.bound())),
        (Trust::Doubt, doubt @ (Doubt::Since(_) | Doubt::Unproven)) => Some(doubt),
    }
}

/// An entry as a caller is told of it; `until` is when it ceases to be fresh.
#[inline]
pub(crate) fn found<V>(
    entry: Arc<Entry<Kept<V>>>,
    from: Level,
    freshness: Freshness,
    until: Timestamp,
    now: Timestamp,
) -> Result<Found<V>, LoadError> {
    if let Content::NotTransformed(cause) = &entry.head().content {
        return Err(cause.clone());
    }
    Ok(Found::of(entry, from, freshness, until, now))
}

impl<V: Send + Sync + 'static> Head for Kept<V> {
    fn weight_bytes(&self) -> usize {
        // The value's own size is in that of its head.
        let beyond = (self.weight as usize).saturating_sub(size_of::<V>());
        size_of_val(&*self.terms.groups).saturating_add(beyond)
    }

    fn is_newer_than(&self, other: &Self) -> bool {
        self.terms.made_at > other.terms.made_at
    }

    fn shelf(&self) -> Shelf {
        match self.content {
            Content::Value(_) => Shelf::Main,
            Content::Absent => Shelf::Aside,
            Content::NotTransformed(_) => Shelf::Nowhere,
        }
    }

    fn belongs<'a>(&'a self, key: &'a [u8], to: &mut Belongs<'a>) {
        belongs(&self.terms, key, to);
    }
}

/// To its cache, to its key, and to its tags.
pub(crate) fn belongs<'a>(terms: &'a Terms, key: &'a [u8], to: &mut Belongs<'a>) {
    to.to(group_of_name(name_of(key)));
    to.to(group_of_key(key));
    terms.groups.iter().for_each(|group| to.to(*group));
}

/// What the keys of a cache begin with.
pub(crate) fn prefix(name: &str) -> Vec<u8> {
    // A name's length is checked when the cache is built.
    let mut prefix = vec![name.len() as u8];
    prefix.extend_from_slice(name.as_bytes());
    prefix
}

fn name_of(key: &[u8]) -> &[u8] {
    let Some((len, rest)) = key.split_first() else { return key };
    rest.get(..usize::from(*len)).unwrap_or(rest)
}

pub(crate) fn group_of_name(name: &[u8]) -> Group {
    Group::of("cache", name)
}

/// `key` with the cache's name before it.
pub(crate) fn group_of_key(key: &[u8]) -> Group {
    Group::of("key", key)
}

/// A tag is of one cache.
pub(crate) fn group_of_tag(prefix: &[u8], tag: &str) -> Group {
    Group::of("tag", &[prefix, tag.as_bytes()].concat())
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn terms() -> Terms {
        Terms {
            made_at: Timestamp::from_millis(10_000),
            took: Duration::from_millis(500).into(),
            while_refresh: (2 * SECOND).into(),
            on_error: (5 * SECOND).into(),
            groups: Box::default(),
        }
    }

    const FRESH_UNTIL: Timestamp = Timestamp::from_millis(20_000);

    fn uses(doubt: Doubt, millis: u64) -> Use {
        terms().judge(FRESH_UNTIL, doubt, Timestamp::from_millis(millis)).0
    }

    #[test]
    fn windows_follow_one_another() {
        for (millis, what) in [
            (19_999, Use::Fresh),
            (20_000, Use::WhileRefresh),
            (21_999, Use::WhileRefresh),
            (22_000, Use::OnError),
            (24_999, Use::OnError),
            (25_000, Use::Nothing),
        ] {
            assert_eq!(uses(Doubt::None, millis), what, "{millis}");
        }
        assert_eq!(terms().keep_until(FRESH_UNTIL), Timestamp::from_millis(25_000));
    }

    #[test]
    fn what_was_invalidated_is_stale_from_then_on() {
        let at = Doubt::Since(Timestamp::from_millis(12_000));
        assert_eq!(uses(at, 13_999), Use::WhileRefresh);
        assert_eq!(uses(at, 14_000), Use::OnError);
        assert_eq!(uses(at, 17_000), Use::Nothing);
    }

    #[test]
    fn what_was_invalidated_by_a_clock_that_is_ahead_is_stale_at_once() {
        let at = Doubt::Since(Timestamp::from_millis(12_000));
        assert_eq!(uses(at, 11_990), Use::WhileRefresh);
    }

    #[test]
    fn in_doubt_nothing_is_fresh_for_longer_than_the_bound_from_the_begin_of_its_load() {
        let within = Doubt::Within(2 * SECOND);
        assert_eq!(uses(within, 11_499), Use::Fresh);
        assert_eq!(uses(within, 11_500), Use::WhileRefresh);
    }

    #[test]
    fn what_is_unproven_stands_in_for_errors_alone() {
        assert_eq!(uses(Doubt::Unproven, 10_001), Use::OnError);
        assert_eq!(uses(Doubt::Unproven, 25_000), Use::Nothing);
    }

    #[test]
    fn names_and_tags_of_caches_are_apart() {
        assert_eq!(name_of(&prefix("users")), b"users");
        assert_eq!(name_of(&[9, b'a']), b"a");
        assert_ne!(group_of_tag(&prefix("a"), "bc"), group_of_tag(&prefix("ab"), "c"));
    }
}
