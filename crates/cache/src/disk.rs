//! The disk tier: what it holds survives a restart.
//!
//! Small entries lie in *segments* that only grow; a large body has a file of its own, which the
//! record in a segment leads to. An index in memory says where each entry lies; it is made anew at
//! start. One thread writes; who reads does not wait for it. Files are never changed where they
//! were written, only deleted whole, so that who reads one reads on.
//!
//! A record counts from the moment at which its number in the order of all writes is the highest
//! under its key. A *removal* has such a number, too, and is durable before it is confirmed; an entry
//! is so after [`DiskOptions::sync_interval`]. What a crash, or damage, leaves of anything is found
//! out by checksums and is a miss.

mod directory;
mod error;
mod evict;
mod files;
mod frame;
mod index;
pub mod inspect;
mod large;
mod load;
mod log;
mod look_up;
mod medium;
mod options;
mod purged;
mod queue;
mod removals;
mod sidecar;
mod spare;
mod stats;
mod store;
mod sum;
mod writer;

use std::fmt;
use std::hash::Hasher;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};

use crate::clock::Clock;
use crate::codec::HeadCodec;
use crate::entry::{Entry, Head, Key};
use crate::error::TierFailure;
use crate::lease::Fence;
use crate::log::Purges;
use crate::tier::{Admitted, Answer, Looked, Tier};
use directory::{Directory, Paths};
pub(crate) use directory::{lock, make, numbered};
use files::Files;
use index::{Index, Place};
pub(crate) use medium::{Medium, System};
use purged::Judge;
use queue::{Message, Queue};
use spare::Spares;
use stats::Stats;
use writer::Writer;

pub use error::DiskError;
pub use options::{DiskOptions, SIZE_BYTES_MIN};
pub use stats::DiskSnapshot;

/// Reads that wait for the disk at once; more wait for their turn.
const READS_MAX: usize = 64;

/// Counters of removals; keys that share one by chance may keep an entry from being stored.
const MARKS: usize = 1_024;

/// What files take whole ones of.
const DISK_BLOCK_BYTES: u64 = 4 << 10;

/// Entries on disk.
pub struct DiskTier<H> {
    disk: Arc<Disk>,
    codec: Arc<dyn HeadCodec<H>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    // Given back last: who comes next finds all written.
    directory: Mutex<Option<Directory>>,
}

/// What the tier, its writer and those who read its bodies share.
struct Disk {
    paths: Paths,
    hash_key: [u64; 2],
    medium: Arc<dyn Medium>,
    index: Index,
    files: Files,
    spares: Spares,
    queue: Arc<Queue>,
    stats: Stats,
    clock: Clock,
    reads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    marks: Box<[AtomicU64]>,
    bytes: AtomicU64,
    is_paused: AtomicBool,
    size_bytes: u64,
    segment_bytes: u64,
    inline_bytes_max: u64,
    body_bytes_max: u64,
    sync_interval: Duration,
    retry_pause: Duration,
    budget: crate::budget::Budget,
    judge: OnceLock<Judge>,
}

impl<H: Head> DiskTier<H> {
    /// Opens a directory, which is this tier's alone until it is dropped, and reads what lies in
    /// it. Waits for the disk.
    pub fn open(
        options: DiskOptions,
        codec: Arc<dyn HeadCodec<H>>,
        clock: Clock,
    ) -> Result<Arc<Self>, DiskError> {
        Self::open_on(Arc::new(System), options, codec, clock)
    }

    fn open_on(
        medium: Arc<dyn Medium>,
        options: DiskOptions,
        codec: Arc<dyn HeadCodec<H>>,
        clock: Clock,
    ) -> Result<Arc<Self>, DiskError> {
        let DiskOptions { path, size_bytes, .. } = options.clone();
        if size_bytes < SIZE_BYTES_MIN {
            let size_bytes_min = SIZE_BYTES_MIN;
            return Err(DiskError::TooSmall { path, size_bytes, size_bytes_min });
        }
        let directory = Directory::open(&path)?;
        let disk = Arc::new(Disk::new(&directory, medium, &options, clock));
        let loaded = load::load(&disk).map_err(DiskError::system("read", &path))?;
        let writer = Writer::new(Arc::clone(&disk), loaded);
        let thread = std::thread::Builder::new().name("forebay-disk".to_owned());
        let running = thread
            .spawn(move || writer.run())
            .map_err(DiskError::system("start the writer of", &path))?;
        let writer = Mutex::new(Some(running));
        let directory = Mutex::new(Some(directory));
        Ok(Arc::new(Self { disk, codec, writer, directory }))
    }

    /// All numbers, now.
    pub fn snapshot(&self) -> DiskSnapshot {
        DiskSnapshot {
            objects: self.disk.index.len() as u64,
            index_bytes: self.disk.index.bytes() as u64,
            bytes: self.disk.bytes.load(Ordering::Relaxed),
            bytes_max: self.disk.size_bytes,
            paused: self.disk.is_paused.load(Ordering::Relaxed),
            ..self.disk.stats.snapshot()
        }
    }

    /// As [`Tier::look_up`], for who may let go of the tier before he is answered.
    pub fn looked_up<'a>(&self, key: &'a Key) -> Looked<'a, H> {
        look_up::look_up(&self.disk, &self.codec, key)
    }

    /// Returns when all that was stored before is durable.
    pub async fn sync(&self) -> Result<(), TierFailure> {
        let (reply, answer) = oneshot::channel();
        self.disk.queue.push(Message::Sync(reply));
        answer.await.unwrap_or_else(|_| Err(TierFailure::new("cannot sync the disk: it is closed")))
    }
}

impl<H> DiskTier<H> {
    /// Writes what waits, makes it durable, and takes no more. Waits for the disk. Dropping the
    /// tier does the same.
    pub fn close(&self) {
        self.disk.queue.close();
        let running = self.writer.lock().take();
        if let Some(running) = running
            && running.join().is_err()
        {
            tracing::error!(path = %self.disk.paths.root.display(), "the disk's writer panicked");
        }
    }
}

impl<H> DiskTier<H> {
    /// Closes the tier and lets go of its directory, which another process may open from then on.
    /// Who reads a large body reads on; nobody is to look anything up here any more.
    pub fn let_go(&self) {
        self.close();
        self.directory.lock().take();
    }
}

impl<H> Drop for DiskTier<H> {
    fn drop(&mut self) {
        self.close();
    }
}

impl Disk {
    fn new(
        directory: &Directory,
        medium: Arc<dyn Medium>,
        options: &DiskOptions,
        clock: Clock,
    ) -> Self {
        let Directory { paths, hash_key, .. } = directory;
        let segment_bytes = options.segment_bytes();
        Self {
            paths: paths.clone(),
            hash_key: *hash_key,
            medium,
            index: Index::new(),
            files: Files::new(paths.clone()),
            spares: Spares::default(),
            queue: Arc::new(Queue::new(options.write_queue_bytes)),
            stats: Stats::default(),
            clock,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            streams: Arc::new(Semaphore::new(options.streams_max.min(Semaphore::MAX_PERMITS))),
            marks: (0..MARKS).map(|_| AtomicU64::new(0)).collect(),
            bytes: AtomicU64::new(0),
            is_paused: AtomicBool::new(false),
            size_bytes: options.size_bytes,
            segment_bytes,
            inline_bytes_max: options::INLINE_BYTES_MAX.min(segment_bytes / 4),
            body_bytes_max: options.body_bytes_max.min(options.size_bytes / 4),
            sync_interval: options.sync_interval,
            retry_pause: options.retry_pause,
            budget: options.budget.clone(),
            judge: OnceLock::new(),
        }
    }

    // SipHash: keys are the clients' words, and what displaces what must not be theirs to choose.
    // The standard library's keyed constructor is the one that hashes alike in every process.
    #[expect(deprecated, reason = "its replacement cannot be keyed")]
    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = std::hash::SipHasher::new_with_keys(self.hash_key[0], self.hash_key[1]);
        hasher.write(key);
        hasher.finish()
    }

    fn mark(&self, hash: u64) -> u64 {
        self.marks[hash as usize % MARKS].load(Ordering::SeqCst)
    }

    fn note_removed(&self, hash: u64) {
        self.marks[hash as usize % MARKS].fetch_add(1, Ordering::SeqCst);
    }

    /// A record did not read: nobody finds it again, and the writer is told.
    fn note_damaged(&self, hash: u64, place: Place) {
        self.stats.damaged.one_more();
        if self.index.hide_this(hash, place).is_some() {
            self.queue.push(Message::Forget { hash });
        }
    }

    /// What is held is older than what was just refused.
    fn forget_older(&self, hash: u64) {
        self.note_removed(hash);
        if self.index.hide(hash).is_some() {
            self.queue.push(Message::Forget { hash });
        }
    }

    /// Reads on a thread that may wait for the disk.
    async fn read_behind<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let Ok(permit) = Arc::clone(&self.reads).acquire_owned().await else {
            return Err(io::Error::other("it is closed"));
        };
        self.stats.reads_behind.one_more();
        // Who asked may leave; the read goes on, and counts until it is done.
        large::behind(move || {
            let _permit = permit;
            read()
        })
        .await
    }
}

/// So many bytes in whole blocks.
fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(DISK_BLOCK_BYTES).saturating_mul(DISK_BLOCK_BYTES)
}

impl<H: Head> Tier<H> for DiskTier<H> {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn look_up<'a>(&'a self, key: &'a Key) -> Looked<'a, H> {
        self.looked_up(key)
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    fn body_bytes_max(&self) -> u64 {
        self.disk.body_bytes_max
    }

    fn heed(&self, purges: &Purges) {
        // Whoever told it first stays.
        let _ = self.disk.judge.set(Judge::new(purges, Arc::clone(&self.codec)));
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        entry: Arc<Entry<H>>,
        _: Option<&'a Fence>,
    ) -> Answer<'a, Admitted> {
        Box::pin(store::put(&self.disk, &*self.codec, key, entry))
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()> {
        Box::pin(async move {
            let hash = self.disk.hash(key.as_bytes());
            let permit = self.disk.queue.room_for_removal().await?;
            // From here on nothing waits: what was hidden is removed, whoever leaves.
            self.disk.note_removed(hash);
            self.disk.index.hide(hash);
            let (reply, answer) = oneshot::channel();
            self.disk.queue.push(Message::Remove { hash, reply, _permit: permit });
            answer.await.unwrap_or_else(|_| {
                Err(TierFailure::new("cannot remove from the disk: it is closed"))
            })
        })
    }
}

impl<H> fmt::Debug for DiskTier<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("DiskTier");
        shown.field("path", &self.disk.paths.root).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
