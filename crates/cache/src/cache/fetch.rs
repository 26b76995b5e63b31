//! A look-up with a loader: what may answer at once, who loads, who waits, and what is given when that
//! fails or is late.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::Error;
use super::found::{Found, Level, Value};
use super::kept::{self, Kept, Use};
use super::key::{KeyError, KeyWriter};
use super::load::{self, Lead, Loading, Outcome};
use super::loaded::{Loaded, Ttl};
use super::settings::Call;
use super::shared::{Held, Seen, Shared};
use crate::clock::Timestamp;
use crate::entry::Key;
use crate::flight::{Ending, Flight, Follower};
use crate::lease::Purpose;
use crate::tiers::{Joined, Refresh};

/// How often a call that is told of another's entry finds that it is of no use to it.
const LOOKS_MAX: usize = 4;

/// One call with terms of its own; see [`Cache::fetch`](crate::Cache::fetch).
#[must_use = "it does nothing until `load` is called and awaited"]
pub struct Fetch<'a, V: Send + Sync + 'static> {
    shared: &'a Arc<Shared<V>>,
    key: Result<Key, KeyError>,
    call: Call,
}

impl<'a, V: Send + Sync + 'static> Fetch<'a, V> {
    pub(crate) fn new(shared: &'a Arc<Shared<V>>, key: &KeyWriter) -> Self {
        Self { shared, key: key.bytes().map(Key::from), call: Call::default() }
    }

    /// How long what is loaded is fresh, unless it says so itself.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.call.ttl = Some(ttl.into());
        self
    }

    /// How long it is remembered that nothing was found, unless the loader says so itself.
    pub fn negative_ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.call.negative_ttl = Some(ttl.into());
        self
    }

    /// Names by which what is loaded can be purged, beside those that it bears itself.
    pub fn tags<T: AsRef<str>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        let group = |tag: T| kept::group_of_tag(&self.shared.prefix, tag.as_ref());
        self.call.groups.extend(tags.into_iter().map(group));
        self
    }

    /// The bytes that what is loaded takes in memory, unless it says so itself.
    pub fn weight(mut self, bytes: usize) -> Self {
        self.call.weight = Some(bytes);
        self
    }

    /// After so long a stale value is given, where one is held; the load goes on.
    pub fn soft_limit(mut self, limit: Duration) -> Self {
        self.call.soft_limit = Some(limit);
        self
    }

    /// After so long the loader is ended. It is that of the call that loads, for all who wait.
    pub fn hard_limit(mut self, limit: Duration) -> Self {
        self.call.hard_limit = Some(limit);
        self
    }

    /// How long another's load is waited for.
    pub fn wait_limit(mut self, limit: Duration) -> Self {
        self.call.wait_limit = Some(limit);
        self
    }

    /// What is cached, or what the loader returns; as
    /// [`Cache::get_or_load`](crate::Cache::get_or_load).
    pub async fn load<L, W, T, E>(self, load: L) -> Result<Found<V>, Error>
    where
        L: FnOnce() -> W + Send,
        W: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Loaded<V>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.load_with_stale(|_| load()).await
    }

    /// As [`Fetch::load`]; the loader is told what is held and not fresh any more, so that it can ask
    /// whether that still holds, and return it again.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// use forebay_cache::{Cache, Value};
    ///
    /// #[derive(Clone)]
    /// struct Page {
    ///     etag: String,
    ///     text: std::sync::Arc<str>,
    /// }
    ///
    /// /// Stands for a request; `None` says that what has this tag is the newest.
    /// async fn page(etag: Option<&str>) -> Result<Option<Page>, std::io::Error> {
    ///     let newest = Page { etag: "v1".to_owned(), text: "all of it".into() };
    ///     Ok((etag != Some("v1")).then_some(newest))
    /// }
    ///
    /// async fn load(stale: Option<Value<Page>>) -> Result<Option<Page>, std::io::Error> {
    ///     let newer = page(stale.as_ref().map(|stale| stale.etag.as_str())).await?;
    ///     Ok(newer.or_else(|| stale.map(|stale| Page::clone(&stale))))
    /// }
    ///
    /// let pages: Cache<String, Page> = Cache::builder("pages").build().await?;
    /// pages.fetch("/").load_with_stale(load).await?;
    /// pages.invalidate("/").await?;
    /// let found = pages.fetch("/").load_with_stale(load).await?;
    /// assert_eq!(&*found.value.unwrap().text, "all of it");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn load_with_stale<L, W, T, E>(self, load: L) -> Result<Found<V>, Error>
    where
        L: FnOnce(Option<Value<V>>) -> W + Send,
        W: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Loaded<V>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let key = self.key?;
        if let Some(found) = self.shared.glance(key.as_bytes()) {
            return Ok(found);
        }
        fetch(self.shared, key, self.call, load).await
    }
}

/// As [`Fetch::load_with_stale`], for what memory has not fresh.
pub(crate) async fn fetch<V, L, W, T, E>(
    shared: &Arc<Shared<V>>,
    key: Key,
    call: Call,
    load: L,
) -> Result<Found<V>, Error>
where
    V: Send + Sync + 'static,
    L: FnOnce(Option<Value<V>>) -> W + Send,
    W: Future<Output = Result<T, E>> + Send + 'static,
    T: Into<Loaded<V>>,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut load = Some(load);
    // A call leads once at most; what comes after is for those who do not.
    let mut begin = |seen: Option<&Seen<V>>| {
        let stale = seen.and_then(|seen| Value::of(Arc::clone(&seen.entry)));
        load.take().map_or(Err(Error::RuntimeEnded), |load| load::begin(|| load(stale)))
    };
    Walk { shared, key, call }.walk(&mut begin).await
}

/// Calls the caller's loader, with what was seen.
type Begin<'a, V> = &'a mut (dyn FnMut(Option<&Seen<V>>) -> Result<Loading<V>, Error> + Send);

/// One call on its way.
struct Walk<'a, V: Send + Sync + 'static> {
    shared: &'a Arc<Shared<V>>,
    key: Key,
    call: Call,
}

impl<V: Send + Sync + 'static> Walk<'_, V> {
    async fn walk(self, begin: Begin<'_, V>) -> Result<Found<V>, Error> {
        let Some(seen) = self.shared.look(&self.key).await? else {
            return self.load_or_wait(None, begin).await;
        };
        match seen.what {
            Use::Fresh => {
                if self.shared.is_drawn(&seen.entry, seen.until, self.shared.clock.now()) {
                    self.refresh_behind(&seen, begin);
                }
                self.shared.give(&seen)
            }
            Use::WhileRefresh => {
                self.refresh_behind(&seen, begin);
                self.shared.give(&seen)
            }
            Use::OnError if self.shared.tiers.resting(self.key.as_bytes()).is_some() => {
                self.shared.give(&seen)
            }
            Use::OnError | Use::Nothing => self.load_or_wait(Some(&seen), begin).await,
        }
    }

    /// Nobody waits for it; a failure is counted, and told in the log.
    fn refresh_behind(&self, seen: &Seen<V>, begin: Begin<'_, V>) {
        let flight = match self.shared.tiers.refresh(&self.key, &seen.entry) {
            Refresh::Lead(flight) => flight,
            Refresh::Underway | Refresh::Resting(_) | Refresh::Filled(_) => return,
        };
        self.shared.counts.refreshed.one_more();
        // Its outcome is in the tiers.
        drop(self.lead(flight, Some(seen), begin));
    }

    async fn load_or_wait(
        &self,
        seen: Option<&Seen<V>>,
        begin: Begin<'_, V>,
    ) -> Result<Found<V>, Error> {
        match (self.outcome(seen, begin).await, stand_in(seen)) {
            (Ok((entry, level)), _) => self.give_loaded(&entry, level),
            (Err(error), Some(seen)) if error.is_soft() => self.shared.give(seen),
            (Err(error), _) => Err(error),
        }
    }

    async fn outcome(&self, seen: Option<&Seen<V>>, begin: Begin<'_, V>) -> Outcome<V> {
        let (tiers, began) = (&self.shared.tiers, self.shared.clock.now());
        let mut known = seen.map(|seen| Arc::clone(&seen.entry));
        for _ in 0..LOOKS_MAX {
            let (entry, level) = match tiers.join(&self.key, known.as_ref()) {
                Joined::Lead(flight) => return self.led(flight, seen, begin).await,
                Joined::Follow(follower) => match self.followed(follower, seen).await {
                    Ending::Filled(entry) => (entry, Level::Loader),
                    Ending::Lead(flight) => return self.led(flight, seen, begin).await,
                    Ending::Abandoned(error) => return Err(Error::clone(&error)),
                    Ending::Declined => break,
                    Ending::TimedOut => return Err(self.waited_too_long()),
                },
                Joined::Filled(entry) => (entry, Level::Memory),
                Joined::Unshared => break,
            };
            if self.is_of_use(&entry, began) {
                return Ok((entry, level));
            }
            known = Some(entry);
        }
        let alone =
            Arc::clone(self.shared).alone(self.key.clone(), self.call.clone(), begin(seen)?);
        self.ended(tokio::spawn(alone), seen).await
    }

    // What was loaded since this call began is of use, though it may not be kept for any time.
    fn is_of_use(&self, entry: &Held<V>, began: Timestamp) -> bool {
        let now = self.shared.clock.now();
        let is_fresh = |seen: Seen<V>| match seen.what {
            Use::Fresh | Use::WhileRefresh => true,
            Use::OnError | Use::Nothing => false,
        };
        entry.head().terms.made_at >= began
            || self
                .shared
                .seen(Arc::clone(entry), self.key.as_bytes(), Level::Memory, now)
                .is_some_and(is_fresh)
    }

    async fn led(
        &self,
        flight: Flight<Kept<V>, Error>,
        seen: Option<&Seen<V>>,
        begin: Begin<'_, V>,
    ) -> Outcome<V> {
        let running = self.lead(flight, seen, begin)?;
        self.ended(running, seen).await
    }

    fn lead(
        &self,
        flight: Flight<Kept<V>, Error>,
        seen: Option<&Seen<V>>,
        begin: Begin<'_, V>,
    ) -> Result<JoinHandle<Outcome<V>>, Error> {
        let work = match begin(seen) {
            Ok(work) => work,
            // It is told to all as if it had failed a moment later.
            Err(error) => {
                self.shared.note_failure(&self.key, &error);
                flight.abandon(error.clone());
                return Err(error);
            }
        };
        let purpose = match stand_in(seen) {
            Some(_) => Purpose::Refresh,
            None => Purpose::Need,
        };
        let lead = Lead { flight, seen: seen.map(|seen| Arc::clone(&seen.entry)), purpose };
        Ok(tokio::spawn(Arc::clone(self.shared).lead(lead, self.call.clone(), work)))
    }

    /// Waits for the task that loads; where something stale may stand in, no longer than the soft limit.
    async fn ended(&self, running: JoinHandle<Outcome<V>>, seen: Option<&Seen<V>>) -> Outcome<V> {
        let outcome = match self.soft_limit().filter(|_| stand_in(seen).is_some()) {
            Some(limit) => match timeout(limit, running).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(Error::WaitedTooLong(limit)),
            },
            None => running.await,
        };
        outcome.unwrap_or(Err(Error::RuntimeEnded))
    }

    async fn followed(
        &self,
        follower: Follower<Kept<V>, Error>,
        seen: Option<&Seen<V>>,
    ) -> Ending<Kept<V>, Error> {
        let own = self.wait_limit();
        let limit = match (stand_in(seen), self.soft_limit()) {
            (Some(_), Some(soft)) => own.min(soft),
            (Some(_) | None, _) => own,
        };
        self.shared.tiers.wait(follower, limit).await
    }

    fn give_loaded(&self, entry: &Held<V>, level: Level) -> Result<Found<V>, Error> {
        let until = entry.head().fresh_until;
        let seen = Seen { entry: Arc::clone(entry), level, what: Use::Fresh, until };
        self.shared.give(&seen)
    }

    fn waited_too_long(&self) -> Error {
        self.shared.counts.waited_too_long.one_more();
        Error::WaitedTooLong(self.wait_limit())
    }

    fn soft_limit(&self) -> Option<Duration> {
        self.call.soft_limit.or(self.shared.settings.soft_limit)
    }

    fn wait_limit(&self) -> Duration {
        self.call.wait_limit.unwrap_or(self.shared.settings.wait_limit)
    }
}

/// What may be given when the load fails, or is late.
fn stand_in<V: Send + Sync + 'static>(seen: Option<&Seen<V>>) -> Option<&Seen<V>> {
    seen.filter(|seen| seen.may_stand_in())
}

impl<V: Send + Sync + 'static> fmt::Debug for Fetch<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch").field("key", &self.key).finish_non_exhaustive()
    }
}
