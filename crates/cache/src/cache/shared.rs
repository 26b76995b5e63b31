//! What all clones of a cache share: its tiers, its terms, its counts; and looking into them.

use std::sync::Arc;

use super::error::Error;
use super::events::{Event, Teller};
use super::found::{Found, Freshness, Level, Value};
use super::kept::{self, Content, Kept, Use};
use super::key::KeyWriter;
use super::loaded::Loaded;
use super::settings::{Call, Settings, Weigher, weigh};
use super::stats::Counts;
use crate::body::Body;
use crate::clock::{Clock, Timestamp};
use crate::entry::{Entry, Key};
use crate::log::{Log, Trust};
use crate::purge::Group;
use crate::refresh::early_refresh;
use crate::tier::Reach;
use crate::tiers::{self, Tiers};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::task::JoinHandle;

/// No draw of an early refresh reaches further than so many times the duration of the last load.
const REFRESH_REACH: f64 = 20.0;

/// An entry of a cache of such values.
pub(crate) type Held<V> = Arc<Entry<Kept<V>>>;

pub(crate) struct Shared<V: Send + Sync + 'static> {
    pub(crate) name: String,
    /// What every key begins with.
    pub(crate) prefix: Vec<u8>,
    /// The same, written as a key.
    pub(crate) begin: KeyWriter,
    pub(crate) tiers: Tiers<Kept<V>, Error>,
    pub(crate) log: Arc<dyn Log>,
    /// Who follows the log: this process alone, or others as well.
    pub(crate) reach: Reach,
    pub(crate) settings: Settings,
    pub(crate) weigher: Option<Weigher<V>>,
    pub(crate) clock: Clock,
    pub(crate) teller: Teller,
    pub(crate) counts: Arc<Counts>,
    /// One for all entries: none of them has bytes in memory.
    pub(crate) no_body: Body,
    pub(crate) sweeping: Mutex<Option<JoinHandle<()>>>,
    /// To be closed before the process ends.
    #[cfg(feature = "disk")]
    pub(crate) disk: Option<Arc<crate::disk::DiskTier<super::stored::Stored>>>,
}

/// What a look found, and for what it may be used.
pub(crate) struct Seen<V: Send + Sync + 'static> {
    pub(crate) entry: Held<V>,
    pub(crate) level: Level,
    pub(crate) what: Use,
    /// When it ceased, or ceases, to be fresh.
    pub(crate) until: Timestamp,
}

impl<V: Send + Sync + 'static> Seen<V> {
    /// Whether it may be given when a load fails, or is late.
    pub(crate) fn may_stand_in(&self) -> bool {
        self.what != Use::Nothing
    }
}

impl<V: Send + Sync + 'static> Drop for Shared<V> {
    fn drop(&mut self) {
        self.sweeping.lock().iter().for_each(JoinHandle::abort);
    }
}

impl<V: Send + Sync + 'static> Shared<V> {
    /// What memory has, if it is surely fresh and not about to be loaded ahead: the short way of a hit.
    /// All else goes the long way.
    #[inline]
    pub(crate) fn glance(&self, key: &[u8]) -> Option<Found<V>> {
        self.glance_at(key, |content| !matches!(content, Content::NotTransformed(_)))
    }

    /// As [`Shared::glance`], for such content alone.
    #[inline]
    fn glance_at(&self, key: &[u8], is_wanted: impl Fn(&Content<V>) -> bool) -> Option<Found<V>> {
        let purges = self.tiers.purges();
        if purges.trust_now() != Trust::Sure {
            return None;
        }
        let now = self.clock.now();
        let (entry, until) = self.tiers.glance(key, |entry| {
            let Kept { fresh_until, content, .. } = entry.head();
            // Kept no longer than it is of use, fresh or not: so this says as well that it is kept. What
            // it holds is read here already, with the rest.
            let is_given = now < *fresh_until && purges.is_known_alive(entry);
            (is_given && is_wanted(content)).then_some(*fresh_until)
        })?;
        if self.is_drawn(&entry, until, now) {
            return None;
        }
        self.tiers.note_hit(&entry);
        Some(Found::of(entry, Level::Memory, Freshness::Fresh, until, now))
    }

    /// The value that memory has fresh and not about to be loaded ahead.
    #[inline]
    pub(crate) fn fresh(&self, key: &[u8]) -> Option<Value<V>> {
        match self.glance_at(key, |content| matches!(content, Content::Value(_))) {
            Some(found) => found.value,
            None => self.fresh_if_unjudged(key),
        }
    }

    /// As [`Shared::fresh`], for what a glance refused only since the purges had not judged it yet, or are
    /// in doubt.
    #[cold]
    fn fresh_if_unjudged(&self, key: &[u8]) -> Option<Value<V>> {
        let purges = self.tiers.purges();
        let (entry, is_judged) =
            self.tiers.glance(key, |entry| Some(purges.is_known_alive(entry)))?;
        if is_judged && purges.trust_now() == Trust::Sure {
            return None;
        }
        let now = self.clock.now();
        let seen = self.seen(entry, key, Level::Memory, now)?;
        if seen.what != Use::Fresh || self.is_drawn(&seen.entry, seen.until, now) {
            return None;
        }
        let value = Value::of(Arc::clone(&seen.entry))?;
        self.tiers.note_hit(&seen.entry);
        Some(value)
    }

    /// What the tiers have that may be given without a load.
    pub(crate) async fn get(&self, key: Key) -> Result<Option<Found<V>>, Error> {
        let Some(seen) = self.look_everywhere(&key).await? else { return Ok(None) };
        let is_given = match seen.what {
            Use::Fresh | Use::WhileRefresh => true,
            Use::OnError => self.tiers.resting(key.as_bytes()).is_some(),
            Use::Nothing => false,
        };
        if is_given { self.give(&seen).map(Some) } else { Ok(None) }
    }

    /// What the tiers have, of use or not.
    pub(crate) async fn look(&self, key: &Key) -> Result<Option<Seen<V>>, Error> {
        let Some(found) = self.tiers.look_up(key).await else { return Ok(None) };
        if let Content::NotTransformed(cause) = &found.entry.head().content {
            self.counts.not_transformed.one_more();
            return Err(Error::NotTransformed(cause.clone()));
        }
        let level = Level::of_tier(found.tier);
        Ok(self.seen(found.entry, key.as_bytes(), level, self.clock.now()))
    }

    /// As [`Shared::look`]; where that is not fresh, another process may have stored what is.
    pub(crate) async fn look_everywhere(&self, key: &Key) -> Result<Option<Seen<V>>, Error> {
        let seen = self.look(key).await?;
        let is_stale = seen.as_ref().is_some_and(|seen| seen.what != Use::Fresh);
        if !is_stale || self.reach == Reach::Node {
            return Ok(seen);
        }
        match self.tiers.look_up_shared(key).await {
            tiers::Shared::Newer(entry) => {
                let newer = self.seen(entry, key.as_bytes(), Level::Redis, self.clock.now());
                Ok(newer.or(seen))
            }
            tiers::Shared::Older(_) | tiers::Shared::Nothing => Ok(seen),
        }
    }

    #[inline]
    pub(crate) fn seen(
        &self,
        entry: Held<V>,
        key: &[u8],
        level: Level,
        now: Timestamp,
    ) -> Option<Seen<V>> {
        let doubt = kept::doubt(self.tiers.purges(), &entry, key)?;
        let (what, until) = entry.head().judge(doubt, now);
        Some(Seen { entry, level, what, until })
    }

    /// Whether chance says that what is still fresh is to be loaded ahead.
    pub(crate) fn is_drawn(&self, entry: &Held<V>, until: Timestamp, now: Timestamp) -> bool {
        let beta = self.settings.refresh_ahead;
        if beta <= 0.0 {
            return false;
        }
        let took = Duration::from(entry.head().terms.took);
        if until.since(now) > took.mul_f64(REFRESH_REACH * beta) {
            return false;
        }
        early_refresh(now, until, took, beta, 1.0 - rand::random::<f64>())
    }

    /// What was seen, as the caller is told of it.
    pub(crate) fn give(&self, seen: &Seen<V>) -> Result<Found<V>, Error> {
        let freshness = match seen.what {
            Use::Fresh => Freshness::Fresh,
            Use::WhileRefresh | Use::OnError | Use::Nothing => {
                self.counts.stale.one_more();
                Freshness::Stale
            }
        };
        let now = self.clock.now();
        let found = kept::found(Arc::clone(&seen.entry), seen.level, freshness, seen.until, now);
        found.map_err(Error::NotTransformed)
    }

    /// What was loaded, as it is kept.
    pub(crate) fn keep(&self, loaded: Loaded<V>, call: &Call, took: Duration) -> Kept<V> {
        let tags = loaded.tags.iter().map(|tag| kept::group_of_tag(&self.prefix, tag));
        let groups: Box<[Group]> = tags.chain(call.groups.iter().copied()).collect();
        let now = self.clock.now();
        let (fresh_until, terms) =
            self.settings.terms(&loaded, call, groups, took, now, rand::random());
        let said = loaded.weight.or(call.weight);
        let content = match loaded.value {
            Some(value) => Content::Value(value),
            None => Content::Absent,
        };
        let weight = weigh(&content, said, self.weigher.as_ref());
        Kept { fresh_until, content, weight, terms }
    }

    /// An entry of what was just loaded or set.
    pub(crate) fn entry(&self, kept: Kept<V>) -> Entry<Kept<V>> {
        let keep_until = kept.keep_until();
        Entry::new(kept, self.no_body.clone(), keep_until)
    }

    /// Counts a failed load, and tells of it.
    pub(crate) fn note_failure(&self, key: &Key, error: &Error) {
        self.counts.failed.one_more();
        match error {
            Error::Panicked(_) => self.counts.panicked.one_more(),
            Error::TooSlow(_) => self.counts.too_slow.one_more(),
            Error::Load(_)
            | Error::LoadElsewhere
            | Error::WaitedTooLong(_)
            | Error::NotTransformed(_)
            | Error::Key(_)
            | Error::Log(_)
            | Error::Tier(_)
            | Error::RuntimeEnded
            | Error::CannotBlock(_) => {}
        }
        self.teller.tell(|| Event::LoadFailed { key: key.clone(), error: error.clone() });
    }
}
