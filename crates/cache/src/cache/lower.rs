//! The levels below memory, as a cache is told of them, and opening them.

#[cfg(feature = "disk")]
use std::path::PathBuf;
use std::sync::Arc;

use super::builder::{BuildError, Builder, Stand};
use super::encoded::Encodings;
use super::encoding::Codec;
use super::events::Teller;
#[cfg(feature = "redis")]
use super::redis::Redis;
use super::stats::Counts;
use super::stored::{Coded, Stored, digest_of_schema};
use crate::body::Body;
use crate::options::Options;
#[cfg(feature = "redis")]
use crate::tier::Reach;
use crate::tier::Tier;

/// What a cache has below its memory.
pub(crate) struct Lower<V> {
    codec: Option<Arc<dyn Codec<V>>>,
    schema: String,
    #[cfg(feature = "disk")]
    disk: Option<Disk>,
    #[cfg(feature = "redis")]
    redis: Option<Redis>,
}

#[cfg(feature = "disk")]
#[derive(Clone)]
struct Disk {
    path: PathBuf,
    size_bytes: u64,
}

/// Where the log of purges lies beside the disk tier.
#[cfg(feature = "disk")]
const LOG_DIRECTORY: &str = "purges";

impl<V> Default for Lower<V> {
    fn default() -> Self {
        Self {
            codec: None,
            schema: String::new(),
            #[cfg(feature = "disk")]
            disk: None,
            #[cfg(feature = "redis")]
            redis: None,
        }
    }
}

impl<K, V, C> Builder<K, V, C> {
    /// How values become bytes for the levels below memory.
    pub fn codec<D: Codec<V> + Clone>(self, codec: D) -> Builder<K, V, D> {
        let lower = Lower { codec: Some(Arc::new(codec.clone())), ..self.lower };
        Builder {
            codec,
            lower,
            name: self.name,
            memory_bytes: self.memory_bytes,
            negative_bytes: self.negative_bytes,
            settings: self.settings,
            weigher: self.weigher,
            clock: self.clock,
            keys: self.keys,
        }
    }

    /// A word for the shape of the stored values: what was stored under another one is a miss. Change
    /// it with the type.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.lower.schema = schema.into();
        self
    }
}

impl<K, V, C: Codec<V> + Clone> Builder<K, V, C> {
    /// Also on disk, in a directory of this cache's own, with so many bytes at most: 8 MiB at least.
    /// What is there survives a restart.
    #[cfg(feature = "disk")]
    pub fn disk(mut self, path: impl Into<PathBuf>, bytes: u64) -> Self {
        self.lower.disk = Some(Disk { path: path.into(), size_bytes: bytes });
        self.coded()
    }

    /// Also in Redis, shared with every process that has a cache of this name there.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, redis: &Redis) -> Self {
        self.lower.redis = Some(redis.clone());
        self.coded()
    }

    fn coded(mut self) -> Self {
        self.lower.codec.get_or_insert_with(|| Arc::new(self.codec.clone()));
        self
    }
}

impl<K, V: Send + Sync + 'static, C> Builder<K, V, C> {
    /// Opens what is below memory, the nearest first, and the log that says what was purged.
    pub(crate) async fn stand(
        &self,
        options: &Options,
        counts: &Arc<Counts>,
        teller: &Teller,
    ) -> Result<Stand<V>, BuildError> {
        #[cfg(all(feature = "disk", feature = "redis"))]
        self.checked_together()?;
        let mut stand = Stand::of_memory(options, &self.clock);
        // Both settings below it have set it.
        let Some(codec) = &self.lower.codec else { return Ok(stand) };
        let no_body = Body::empty();
        let (budget, encodings) = (stand.budget.clone(), Arc::<Encodings>::default());
        let over = |below: Arc<dyn Tier<Stored>>| {
            Arc::new(Coded {
                below,
                codec: Arc::clone(codec),
                schema: digest_of_schema(&self.lower.schema),
                weigher: self.weigher.clone(),
                clock: self.clock.clone(),
                budget: budget.clone(),
                counts: Arc::clone(counts),
                teller: teller.clone(),
                no_body: no_body.clone(),
                encodings: Arc::clone(&encodings),
            })
        };
        #[cfg(feature = "disk")]
        if let Some(disk) = &self.lower.disk {
            let opened = self.open_disk(disk.clone(), &stand).await?;
            stand.tiers.push(over(Arc::clone(&opened.tier) as Arc<dyn Tier<Stored>>));
            if let Some(log) = opened.log {
                stand.log = log;
            }
            stand.disk = Some(opened.tier);
        }
        #[cfg(feature = "redis")]
        if let Some(redis) = &self.lower.redis {
            stand.tiers.push(over(redis.tier()));
            stand.leases = Some(redis.leases());
            stand.log = redis.log();
            stand.reach = Reach::Cluster;
        }
        Ok(stand)
    }

    // What the log in Redis said must be known when this process starts again and finds its disk.
    #[cfg(all(feature = "disk", feature = "redis"))]
    fn checked_together(&self) -> Result<(), BuildError> {
        let has_journal = self.lower.redis.as_ref().is_none_or(Redis::has_journal);
        if self.lower.disk.is_none() || has_journal {
            return Ok(());
        }
        Err(BuildError::Setting(format!(
            "cannot keep `{}` on a disk and in a Redis without a journal: after a restart nobody would know what \
             was removed; open it with `Redis::builder(address).journal(directory)`",
            self.name
        )))
    }

    // With a Redis, its log counts for what lies on the disk as well.
    #[cfg(feature = "disk")]
    async fn open_disk(&self, disk: Disk, stand: &Stand<V>) -> Result<OpenDisk, BuildError> {
        use crate::disk::{DiskOptions, DiskTier};
        use crate::log::{FileLog, FileOptions};

        #[cfg(feature = "redis")]
        let is_followed = self.lower.redis.is_some();
        #[cfg(not(feature = "redis"))]
        let is_followed = false;
        let (clock, budget) = (self.clock.clone(), stand.budget.clone());
        let opening = move || {
            let options = DiskOptions { budget, ..DiskOptions::new(&disk.path, disk.size_bytes) };
            let tier =
                DiskTier::open(options, Arc::new(super::stored::StoredCodec), clock.clone())?;
            if is_followed {
                return Ok(OpenDisk { tier, log: None });
            }
            let files = FileOptions::new(disk.path.join(LOG_DIRECTORY));
            let log = FileLog::open(files, "this process", clock)?;
            Ok(OpenDisk { tier, log: Some(Arc::new(log)) })
        };
        match tokio::task::spawn_blocking(opening).await {
            Ok(opened) => opened.map_err(BuildError::Disk),
            // Nobody aborts it: it panicked, and so does who waits for it.
            Err(ended) => std::panic::resume_unwind(ended.into_panic()),
        }
    }
}

/// A disk that was opened, and the log beside it where that is the one to follow.
#[cfg(feature = "disk")]
struct OpenDisk {
    tier: Arc<crate::disk::DiskTier<Stored>>,
    log: Option<Arc<dyn crate::log::Log>>,
}
