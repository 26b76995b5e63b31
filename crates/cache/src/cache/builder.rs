//! How a cache is told what it is: each setting with its default, checked once, when it is built.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Cache;
use super::error::Error;
use super::events::{Event, Teller};
use super::kept::{self, Kept};
use super::key::KeyWriter;
use super::loaded::Ttl;
use super::settings::{Settings, Weigher};
use super::shared::Shared;
#[cfg(not(feature = "stored"))]
use super::stats::Counts;
use crate::body::Body;
use crate::clock::Clock;
use crate::entry::Key;
use crate::log::{Log, MemoryLog};
use crate::options::{Hashing, Options};
use crate::purge::Bounds;
use crate::tier::Reach;
use crate::tiers::Tiers;

/// The longest name of a cache.
pub const NAME_BYTES_MAX: usize = 64;

/// The least memory of a cache, and of its negative entries.
const MEMORY_BYTES_MIN: u64 = 64 << 10;

/// The share of memory that negative entries have beside it, unless it is said.
const NEGATIVE_SHARE: u64 = 16;

/// How often what has expired is looked for.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// The weight of a typical entry, overhead counted: it sizes tables, and bounds nothing.
const ENTRY_BYTES_TYPICAL: usize = 512;

/// Says what a cache is; [`Cache::builder`] begins one. `C` is the codec of its values.
///
/// | setting | default |
/// | --- | --- |
/// | [`memory`](Self::memory) | 64 MiB |
/// | [`negative_memory`](Self::negative_memory) | a sixteenth of that, beside it |
/// | [`ttl`](Self::ttl) | 60 s |
/// | [`negative_ttl`](Self::negative_ttl) | 5 s |
/// | [`stale_while_refresh`](Self::stale_while_refresh), [`stale_on_error`](Self::stale_on_error) | none |
/// | [`soft_limit`](Self::soft_limit) | none |
/// | [`hard_limit`](Self::hard_limit), [`wait_limit`](Self::wait_limit) | 30 s |
/// | [`retry_pause`](Self::retry_pause) | 10 s |
/// | [`jitter`](Self::jitter), [`refresh_ahead`](Self::refresh_ahead) | 0 |
#[must_use = "it does nothing until it is built"]
pub struct Builder<K, V, C> {
    pub(crate) name: String,
    pub(crate) memory_bytes: u64,
    pub(crate) negative_bytes: Option<u64>,
    pub(crate) settings: Settings,
    pub(crate) weigher: Option<Weigher<V>>,
    pub(crate) clock: Clock,
    #[cfg_attr(not(feature = "stored"), expect(dead_code, reason = "nothing is encoded"))]
    pub(crate) codec: C,
    #[cfg(feature = "stored")]
    pub(crate) lower: super::lower::Lower<V>,
    pub(crate) keys: PhantomData<fn(&K)>,
}

/// Why a cache cannot be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting has a value that it cannot have: which, and what it can have.
    Setting(String),
    /// The disk tier, or the log beside it, cannot be opened.
    #[cfg(feature = "disk")]
    Disk(crate::disk::DiskError),
}

impl<K, V, C> Builder<K, V, C> {
    pub(crate) fn new(name: String, codec: C) -> Self {
        Self {
            name,
            memory_bytes: 64 << 20,
            negative_bytes: None,
            settings: Settings::default(),
            weigher: None,
            clock: Clock::coarse(),
            codec,
            #[cfg(feature = "stored")]
            lower: super::lower::Lower::default(),
            keys: PhantomData,
        }
    }

    /// The bytes of values in memory, overhead counted. Over it, values are evicted.
    ///
    /// A value counts as its own size, unless [`Builder::weigh`] says how much more it holds on the
    /// heap: without that, the bound is on the number of values rather than on bytes.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// The bytes of entries in memory that say that something does not exist. They have room of their
    /// own, so that a flood of wrong keys evicts no value.
    pub fn negative_memory(mut self, bytes: u64) -> Self {
        self.negative_bytes = Some(bytes);
        self
    }

    /// How long a value is fresh. A `Duration`, or [`Ttl::Forever`], or [`Ttl::DontCache`].
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.settings.ttl = ttl.into();
        self
    }

    /// How long it is remembered that something does not exist.
    pub fn negative_ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.settings.negative_ttl = ttl.into();
        self
    }

    /// How long beyond its lifetime a value may be given in place of an error, or of a load that is
    /// later than the soft limit.
    pub fn stale_on_error(mut self, window: Duration) -> Self {
        self.settings.on_error = window;
        self
    }

    /// How long beyond its lifetime a value may be given at once, while it is loaded anew behind.
    pub fn stale_while_refresh(mut self, window: Duration) -> Self {
        self.settings.while_refresh = window;
        self
    }

    /// How long a load may take before a stale value is given instead, where one is held.
    pub fn soft_limit(mut self, limit: Duration) -> Self {
        self.settings.soft_limit = Some(limit);
        self
    }

    /// How long a load may take before it is ended.
    pub fn hard_limit(mut self, limit: Duration) -> Self {
        self.settings.hard_limit = limit;
        self
    }

    /// How long a call waits for another's load, of this process or of another one.
    pub fn wait_limit(mut self, limit: Duration) -> Self {
        self.settings.wait_limit = limit;
        self
    }

    /// How long a stale value stands in after a load that failed, before the next try.
    pub fn retry_pause(mut self, pause: Duration) -> Self {
        self.settings.retry_pause = pause;
        self
    }

    /// The share of its lifetime by which chance shortens it at most, so that what was loaded together
    /// does not expire together: 0 to 1.
    pub fn jitter(mut self, share: f64) -> Self {
        self.settings.jitter = share;
        self
    }

    /// How eagerly a value that is asked for is loaded ahead of its expiry, by chance: 1 is the optimum
    /// of "Optimal Probabilistic Cache Stampede Prevention", 0 switches it off.
    pub fn refresh_ahead(mut self, eagerness: f64) -> Self {
        self.settings.refresh_ahead = eagerness;
        self
    }

    /// Counts the bytes of a value: its own size, and what it holds on the heap. The answer must not
    /// change while the value is held.
    pub fn weigh(mut self, weigh: impl Fn(&V) -> usize + Send + Sync + 'static) -> Self {
        self.weigher = Some(Arc::new(weigh));
        self
    }

    /// The clock that lifetimes go by: one that is moved by hand, for tests of expiry.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// How long a write waits until all processes of the cluster have applied it; nothing, and it
    /// returns as soon as it is in their log. Who has not by then is in doubt, and trusts nothing that
    /// is older than the log's bound.
    pub fn others_wait(mut self, limit: Duration) -> Self {
        self.settings.others_wait = limit;
        self
    }

    fn checked(&self) -> Result<(), BuildError> {
        let refused = |why: String| Err(BuildError::Setting(why));
        let Settings { jitter, refresh_ahead, .. } = self.settings;
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            return refused(format!(
                "cannot name a cache `{}`: a name has 1 to {NAME_BYTES_MAX} bytes",
                self.name
            ));
        }
        for (what, bytes) in
            [("memory", self.memory_bytes), ("negative_memory", self.negative_bytes())]
        {
            if bytes < MEMORY_BYTES_MIN {
                return refused(format!(
                    "cannot have {bytes} bytes of `{what}`: the least is {MEMORY_BYTES_MIN}"
                ));
            }
        }
        if !(0.0..=1.0).contains(&jitter) {
            return refused(format!("cannot have a `jitter` of {jitter}: it is a share, 0 to 1"));
        }
        if !(0.0..=1_000.0).contains(&refresh_ahead) {
            return refused(format!("cannot have a `refresh_ahead` of {refresh_ahead}: 0 to 1000"));
        }
        for (what, limit) in
            [("hard_limit", self.settings.hard_limit), ("wait_limit", self.settings.wait_limit)]
        {
            if limit.is_zero() {
                return refused(format!(
                    "cannot have a `{what}` of nothing: no load would end well"
                ));
            }
        }
        // A runtime cannot be asked whether it has timers; a sleep that is made says it, by its panic.
        if std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_err() {
            return refused(format!(
                "cannot build `{}` here: it needs a tokio runtime with timers, such as `enable_all` makes",
                self.name
            ));
        }
        Ok(())
    }

    fn negative_bytes(&self) -> u64 {
        let share = (self.memory_bytes / NEGATIVE_SHARE).max(MEMORY_BYTES_MIN);
        self.negative_bytes.unwrap_or(share)
    }

    fn options(&self) -> Options {
        let bytes = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        Options {
            memory_bytes_max: bytes(self.memory_bytes),
            aside_bytes_max: Some(bytes(self.negative_bytes())),
            entry_bytes_typical: ENTRY_BYTES_TYPICAL,
            hashing: Hashing::QuickAfter(kept::prefix(&self.name).len()),
            ..Options::default()
        }
    }
}

impl<K, V: Send + Sync + 'static, C> Builder<K, V, C> {
    /// Builds it, and opens what it stands on. To be called within a tokio runtime.
    pub async fn build(self) -> Result<Cache<K, V>, BuildError> {
        self.checked()?;
        let (options, counts, teller) = (self.options(), Arc::default(), Teller::new());
        let stand = self.stand(&options, &counts, &teller).await?;
        let tiers: Tiers<Kept<V>, Error> = Tiers::with_tiers(
            &options,
            self.clock.clone(),
            &stand.budget,
            stand.tiers,
            stand.leases,
            stand.log.purges().clone(),
        );
        let told = teller.clone();
        tiers.listen(Box::new(move |key, why| {
            told.tell(|| Event::Evicted { key: Key::from(key), why });
        }));
        let swept = tiers.clone();
        let sweeping = tokio::spawn(async move { swept.sweep(SWEEP_PAUSE).await });
        Ok(Cache::of(Shared {
            begin: KeyWriter::after(&kept::prefix(&self.name)),
            prefix: kept::prefix(&self.name),
            name: self.name,
            tiers,
            log: stand.log,
            reach: stand.reach,
            settings: self.settings,
            weigher: self.weigher,
            clock: self.clock,
            teller,
            counts,
            no_body: Body::empty(),
            sweeping: Mutex::new(Some(sweeping)),
            #[cfg(feature = "disk")]
            disk: stand.disk,
        }))
    }

    #[cfg(not(feature = "stored"))]
    async fn stand(
        &self,
        options: &Options,
        _: &Arc<Counts>,
        _: &Teller,
    ) -> Result<Stand<V>, BuildError> {
        Ok(Stand::of_memory(options, &self.clock))
    }
}

/// What the memory of a cache stands on.
pub(crate) struct Stand<V: Send + Sync + 'static> {
    pub(crate) budget: crate::budget::Budget,
    pub(crate) tiers: Vec<Arc<dyn crate::tier::Tier<Kept<V>>>>,
    pub(crate) leases: Option<Arc<dyn crate::lease::Leases>>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) reach: Reach,
    #[cfg(feature = "disk")]
    pub(crate) disk: Option<Arc<crate::disk::DiskTier<super::stored::Stored>>>,
}

impl<V: Send + Sync + 'static> Stand<V> {
    /// Nothing.
    pub(crate) fn of_memory(options: &Options, clock: &Clock) -> Self {
        Self {
            budget: options.budget(),
            tiers: Vec::new(),
            leases: None,
            log: Arc::new(MemoryLog::new("this process", Bounds::default(), clock.clone())),
            reach: Reach::Node,
            #[cfg(feature = "disk")]
            disk: None,
        }
    }
}

impl<K, V, C> fmt::Debug for Builder<K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Builder");
        shown.field("name", &self.name).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Setting(why) => f.write_str(why),
            #[cfg(feature = "disk")]
            BuildError::Disk(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}
