//! The tier in Redis: what one node fetched, all nodes find.
//!
//! A short entry is one value. A longer body lies in chunks under names that no other store uses;
//! the manifest that tells them is written last, so that nobody sees half a body. Every key expires.
//! A store under a lease, and one without where another node holds the lease of the key's family, is
//! carried out only if the lease still stands, in one step.
//!
//! What does not read is a miss and a count, by its reason, and stays where it is: it may be
//! another's. A body of up to 1 MiB is read and proved whole before it is given out. Of a longer one
//! the begin is, and that all its chunks are there; the rest is read while it is sent, and the body
//! breaks where a chunk is not what it must be.

mod chunks;
mod steps;
mod store;

use std::sync::Arc;
use std::time::Duration;

use ::redis::Value;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::failure::LinkFailure;
use super::link::{Link, LinkSnapshot};
use super::manifest::{CHUNK_BYTES_MAX, CHUNK_FRONT_BYTES, CHUNKS_MAX, Manifest};
use super::names::Names;
use super::options::{LinkOptions, RedisOptions};
use crate::body::Body;
use crate::budget::Budget;
use crate::clock::{Clock, Timestamp};
use crate::codec::{Damage, HeadCodec, Layout, SEAL_BYTES, Seal, StoredRecord};
use crate::entry::{Entry, Head, Key};
use crate::error::TierFailure;
use crate::lease::Fence;
use crate::stats::Count;
use crate::tier::{Admitted, Answer, Looked, Reach, Tier};

/// What a value may have beside its body: front, key, head, trailer, manifest and seal.
const BESIDE_BODY_BYTES_MAX: usize = 2 << 20;

/// Long calls at once; further ones wait, within their time limit.
const TRANSFERS_MAX: usize = 64;

/// The longest body in one value, whatever the options say.
const ONE_VALUE_BYTES_MAX: usize = 16 << 20;

/// The longest time that anything is kept for, whatever its head says.
const KEPT_MAX: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Longer values are packed and unpacked beside the requests, not among them.
const BESIDE_FROM_BYTES: usize = 64 << 10;

/// The tier in Redis.
pub struct RedisTier<H> {
    shared: Arc<Shared<H>>,
}

struct Shared<H> {
    link: Arc<Link>,
    /// What is long goes through a connection of its own, so that what is short need not wait
    /// behind it.
    bulk: Arc<Link>,
    transfers: Semaphore,
    codec: Arc<dyn HeadCodec<H>>,
    clock: Clock,
    budget: Budget,
    options: RedisOptions,
    names: Names,
    seal: Option<Seal>,
    puts: Semaphore,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    damaged: [Count; Damage::ALL.len()],
    incomplete: Count,
    fenced: Count,
    not_yet: Count,
    compressed: Count,
}

/// What the tier counted, beside what the cache counts of every tier.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedisTierSnapshot {
    /// Values that did not read, by the reason.
    pub damaged: Vec<(Damage, u64)>,
    /// Bodies of which a chunk was missing.
    pub incomplete: u64,
    /// Stores that were refused since their lease was lost, or another held it.
    pub fenced: u64,
    /// Entries that were offered for the first time, where only the second counts.
    pub not_yet: u64,
    /// Values and chunks that were stored compressed.
    pub compressed: u64,
    /// The link through which what is long goes.
    pub bulk: LinkSnapshot,
}

impl<H: Head> RedisTier<H> {
    /// A tier behind this link. What it reads is counted against the budget. What is long goes
    /// through a second link with the same options; to be called within a tokio runtime.
    pub fn new(
        link: Arc<Link>,
        codec: Arc<dyn HeadCodec<H>>,
        clock: Clock,
        budget: Budget,
        options: RedisOptions,
    ) -> Self {
        let options = within_bounds(options);
        let names = Names::new(&options.prefix, options.family);
        let seal = options.secret.as_deref().map(Seal::new);
        let puts = Semaphore::new(options.puts_max.clamp(1, Semaphore::MAX_PERMITS));
        let counts = Counts::default();
        let call_timeout = options.transfer_timeout;
        let bulk = Link::open(LinkOptions { call_timeout, ..link.options().clone() });
        let shared = Shared {
            link,
            bulk,
            transfers: Semaphore::new(TRANSFERS_MAX),
            codec,
            clock,
            budget,
            options,
            names,
            seal,
            puts,
            counts,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What was counted so far.
    pub fn snapshot(&self) -> RedisTierSnapshot {
        let counts = &self.shared.counts;
        let damaged = Damage::ALL.iter().zip(&counts.damaged);
        RedisTierSnapshot {
            damaged: damaged.map(|(damage, count)| (*damage, count.now())).collect(),
            incomplete: counts.incomplete.now(),
            fenced: counts.fenced.now(),
            not_yet: counts.not_yet.now(),
            compressed: counts.compressed.now(),
            bulk: self.shared.bulk.snapshot(),
        }
    }
}

fn within_bounds(mut options: RedisOptions) -> RedisOptions {
    let chunk_bytes_min = options.value_bytes_max.div_ceil(CHUNKS_MAX as u64);
    let chunk_bytes_min = usize::try_from(chunk_bytes_min).unwrap_or(CHUNK_BYTES_MAX).max(1);
    let chunk_bytes_min = chunk_bytes_min.min(CHUNK_BYTES_MAX);
    options.chunk_bytes = options.chunk_bytes.clamp(chunk_bytes_min, CHUNK_BYTES_MAX);
    options.one_value_bytes_max = options.one_value_bytes_max.clamp(1, ONE_VALUE_BYTES_MAX);
    let longest = CHUNKS_MAX as u64 * options.chunk_bytes as u64;
    options.value_bytes_max = options.value_bytes_max.min(longest);
    options
}

impl<H: Head> Tier<H> for RedisTier<H> {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn look_up<'a>(&'a self, key: &'a Key) -> Looked<'a, H> {
        Looked::later(self.shared.look_up(key))
    }

    fn reach(&self) -> Reach {
        Reach::Cluster
    }

    fn body_bytes_max(&self) -> u64 {
        self.shared.options.value_bytes_max
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        entry: Arc<Entry<H>>,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Admitted> {
        Box::pin(self.shared.put(key, entry, fence))
    }

    /// A fetch under a lease for this key is not stored after this.
    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()> {
        Box::pin(self.shared.remove(key))
    }
}

/// Why a look-up found nothing, or could not look.
enum Absent {
    Nothing,
    Damaged(Damage),
    /// A chunk was not there.
    Incomplete,
    Failed(LinkFailure),
}

impl<H: Head> Shared<H> {
    async fn look_up(self: &Arc<Self>, key: &Key) -> Result<Option<Arc<Entry<H>>>, TierFailure> {
        match self.find(key).await {
            Ok(entry) => return Ok(Some(Arc::new(entry))),
            Err(Absent::Nothing) => {}
            Err(Absent::Damaged(damage)) => self.note_damage(key, damage),
            Err(Absent::Incomplete) => self.counts.incomplete.one_more(),
            Err(Absent::Failed(failure)) => return Err(failure.into()),
        }
        Ok(None)
    }

    fn note_damage(&self, key: &Key, damage: Damage) {
        let all = Damage::ALL.iter().zip(&self.counts.damaged);
        all.filter(|(one, _)| **one == damage).for_each(|(_, count)| count.one_more());
        tracing::debug!(?key, %damage, "cannot read an entry in redis");
    }

    async fn find(self: &Arc<Self>, key: &Key) -> Result<Entry<H>, Absent> {
        let name = self.names.entry(key);
        let read_max = self.options.one_value_bytes_max.saturating_add(BESIDE_BODY_BYTES_MAX);
        // Not GET: what somebody else put there may be longer than memory.
        let mut command = ::redis::cmd("GETRANGE");
        command.arg(&name).arg(0).arg(read_max);
        let value = match self.link.call(&command).await {
            Ok(value) => bytes_of(value).ok_or(Absent::Damaged(Damage::Foreign))?,
            Err(LinkFailure::Refused(words)) if words.contains("WRONGTYPE") => {
                return Err(Absent::Damaged(Damage::Foreign));
            }
            Err(failure) => return Err(Absent::Failed(failure)),
        };
        if value.is_empty() {
            return Err(Absent::Nothing);
        }
        if value.len() > read_max {
            return Err(Absent::Damaged(Damage::TooLong));
        }
        let (len, shared, key_too) = (value.len(), Arc::clone(self), key.clone());
        let read = beside(len, move || shared.read(&name, &key_too, &value));
        let (record, lies) = read.await.unwrap_or(Err(Damage::Length)).map_err(Absent::Damaged)?;
        if record.front.keep_until <= self.clock.now() {
            return Err(Absent::Nothing);
        }
        // A head that shares its bytes must not keep the whole value.
        let head = Bytes::copy_from_slice(&record.head);
        let head = self.codec.decode(&head).ok_or(Absent::Damaged(Damage::Head))?;
        let body = match lies {
            Lies::Here(bytes) => Body::whole(&bytes, record.trailer, &self.budget),
            Lies::InChunks(manifest) => {
                self.body_in_chunks(key, manifest, record.front.body_len, record.trailer).await?
            }
        };
        let front = record.front;
        Ok(Entry::stored(head, body, front.keep_until, front.stamp, front.epoch))
    }

    // Proves the value and takes it apart.
    fn read(&self, name: &[u8], key: &Key, value: &Bytes) -> Result<(StoredRecord, Lies), Damage> {
        let value = self.opened(name, value)?;
        let (record, manifest) = taken_apart(&value)?;
        if record.key != key.as_bytes() {
            return Err(Damage::OtherKey);
        }
        if let Some(manifest) = manifest {
            return match record.front.body_len <= self.options.value_bytes_max {
                true => Ok((record, Lies::InChunks(manifest))),
                false => Err(Damage::TooLong),
            };
        }
        let body = record.body(self.options.one_value_bytes_max as u64)?;
        Ok((record, Lies::Here(body)))
    }

    fn opened(&self, name: &[u8], value: &Bytes) -> Result<Bytes, Damage> {
        match &self.seal {
            Some(seal) => seal.open(name, value).map(|len| value.slice(..len)),
            None => Ok(value.clone()),
        }
    }

    /// A long call, in its turn.
    async fn transfer<T>(
        &self,
        call: impl Future<Output = Result<T, LinkFailure>>,
    ) -> Result<T, LinkFailure> {
        let turn = timeout(self.options.transfer_timeout, self.transfers.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(LinkFailure::Busy) };
        call.await
    }

    /// How long Redis keeps what may be kept until then; `None` if that is over.
    fn left(&self, keep_until: Timestamp) -> Option<Duration> {
        let left = keep_until.since(self.clock.now()).min(KEPT_MAX);
        (!left.is_zero()).then_some(left)
    }
}

/// Where a body lies.
enum Lies {
    Here(Bytes),
    InChunks(Manifest),
}

fn taken_apart(value: &Bytes) -> Result<(StoredRecord, Option<Manifest>), Damage> {
    let front = crate::codec::Front::read(value)?;
    if front.layout != Layout::Elsewhere {
        return Ok((StoredRecord::read(value)?, None));
    }
    let record_len = usize::try_from(front.total_len()).map_err(|_| Damage::TooLong)?;
    if record_len > value.len() {
        return Err(Damage::Length);
    }
    let record = StoredRecord::read(&value.slice(..record_len))?;
    let manifest = Manifest::read(&value[record_len..], front.body_len)?;
    Ok((record, Some(manifest)))
}

fn bytes_of(value: Value) -> Option<Bytes> {
    match value {
        Value::BulkString(bytes) => Some(bytes.into()),
        _ => None,
    }
}

/// Does long work where it holds up no request; `None` if it panicked or the runtime ends.
async fn beside<T: Send + 'static>(
    len: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if len < BESIDE_FROM_BYTES {
        return Some(work());
    }
    tokio::task::spawn_blocking(work).await.ok()
}

/// What is read of a chunk at most.
fn chunk_read_max(chunk_bytes: u32) -> usize {
    chunk_bytes as usize + CHUNK_FRONT_BYTES + SEAL_BYTES
}

#[cfg(test)]
#[cfg(not(shuttle))]
#[path = "../../tests/servers/mod.rs"]
mod servers;
#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
