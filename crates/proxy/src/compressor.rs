//! Makes coded forms behind answers: each once, few at a time, and off the threads that answer.

mod coder;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use forebay_cache::mechanism::{Body, End, Entry, Key, Mark, Place};
use forebay_semantics::coding::Coding;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::config::CompressSettings;
use crate::kept::{Cache, Coded, Kept, KeptEntry};

/// Forms that are being made or wait for it; for more there is no form yet, and nobody waits.
const FORMS_MAX: usize = 1024;

/// Bytes of the bodies that they are made of.
const BYTES_MAX: usize = 64 << 20;

/// Bytes of the longest body that is compressed. What is longer is seldom text.
const SOURCE_BYTES_MAX: u64 = 8 << 20;

/// Forms made at once: half of the processors.
fn at_once() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).max(1)
}

/// What an answer in a coding saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saving {
    /// The coding.
    pub coding: Coding,
    /// Bytes that it is shorter by.
    pub bytes: u64,
}

/// A form that is not there: of which content, in which coding, and where it is to lie.
pub struct Wanted<'a> {
    /// The primary key of what it is a form of.
    pub primary: &'a [u8],
    /// What it is a form of.
    pub source: &'a KeptEntry,
    /// Under which key it is kept.
    pub key: Key,
    /// The coding.
    pub coding: Coding,
}

/// What became of the wish for a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// It is there.
    Stored,
    /// It would not have been shorter.
    NotShorter,
    /// Too many are being made.
    Busy,
    /// It could not be read or encoded.
    Failed,
}

impl Made {
    /// Each, in the order of its place.
    pub const ALL: [Made; 4] = [Made::Stored, Made::NotShorter, Made::Busy, Made::Failed];

    /// The word for a metric's label.
    pub fn word(self) -> &'static str {
        match self {
            Made::Stored => "stored",
            Made::NotShorter => "not-shorter",
            Made::Busy => "busy",
            Made::Failed => "failed",
        }
    }
}

/// Makes coded forms, and counts them. Cloning it shares it.
#[derive(Clone)]
pub struct Compressor(Arc<State>);

struct State {
    wanted: Mutex<HashSet<Key>>,
    bytes: AtomicUsize,
    turns: Semaphore,
    made: [AtomicU64; Made::ALL.len()],
    sent: [AtomicU64; Coding::ALL.len()],
    saved_bytes: AtomicU64,
}

impl Default for Compressor {
    fn default() -> Self {
        Compressor(Arc::new(State {
            wanted: Mutex::default(),
            bytes: AtomicUsize::new(0),
            turns: Semaphore::new(at_once()),
            made: Default::default(),
            sent: Default::default(),
            saved_bytes: AtomicU64::new(0),
        }))
    }
}

impl Compressor {
    /// Makes a form behind the answer, unless it is being made already. To be called within a runtime.
    pub fn make(&self, cache: &Cache, settings: &CompressSettings, wanted: Wanted<'_>) {
        let Wanted { primary, source, key, coding } = wanted;
        if source.body().len_known().is_some_and(|length| length > SOURCE_BYTES_MAX) {
            return;
        }
        let Some(wish) = self.wish(&key) else { return };
        let job = Job {
            cache: cache.clone(),
            primary: primary.to_vec(),
            mark: cache.mark(primary),
            source: source.clone(),
            key,
            coding,
            settings: settings.clone(),
        };
        tokio::spawn(async move {
            if let Some(made) = job.run(&wish).await {
                wish.0.count_made(made);
            }
        });
    }

    /// A place among those that are made.
    fn wish(&self, key: &Key) -> Option<Wish> {
        let mut wanted = self.0.wanted.lock();
        if wanted.contains(key) {
            return None;
        }
        if wanted.len() >= FORMS_MAX {
            self.count_made(Made::Busy);
            return None;
        }
        wanted.insert(key.clone());
        Some(Wish(self.clone(), key.clone()))
    }

    fn count_made(&self, made: Made) {
        self.0.made[made as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer that was sent in a coding.
    pub fn count_sent(&self, saving: Saving) {
        self.0.sent[saving.coding.place()].fetch_add(1, Ordering::Relaxed);
        self.0.saved_bytes.fetch_add(saving.bytes, Ordering::Relaxed);
    }

    /// Forms by what became of them.
    pub fn made(&self) -> [(&'static str, u64); Made::ALL.len()] {
        Made::ALL.map(|made| (made.word(), self.0.made[made as usize].load(Ordering::Relaxed)))
    }

    /// Answers in each coding.
    pub fn sent(&self) -> [(&'static str, u64); Coding::ALL.len()] {
        Coding::ALL
            .map(|coding| (coding.word(), self.0.sent[coding.place()].load(Ordering::Relaxed)))
    }

    /// Bytes that they were shorter by, all in all.
    pub fn saved_bytes(&self) -> u64 {
        self.0.saved_bytes.load(Ordering::Relaxed)
    }

    /// Room for a body beside those that are being compressed.
    fn hold(&self, bytes: usize) -> Option<Held> {
        let before = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        let held = Held(self.clone(), bytes);
        (before.saturating_add(bytes) <= BYTES_MAX).then_some(held)
    }
}

/// A form that is wanted; dropping it forgets the wish.
struct Wish(Compressor, Key);

impl Drop for Wish {
    fn drop(&mut self) {
        self.0.0.wanted.lock().remove(&self.1);
    }
}

/// Bytes that are counted until this is dropped.
struct Held(Compressor, usize);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.bytes.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// One form to be made.
struct Job {
    cache: Cache,
    primary: Vec<u8>,
    mark: Mark,
    source: KeptEntry,
    key: Key,
    coding: Coding,
    settings: CompressSettings,
}

impl Job {
    /// Waits until the body is whole and it is its turn, then compresses it. `None` where nothing was
    /// to be done.
    async fn run(&self, wish: &Wish) -> Option<Made> {
        let compressor = &wish.0;
        if self.source.body().ended().await != End::Whole {
            return None;
        }
        let length = self.source.body().len_known()?;
        if !(self.settings.from_bytes..=SOURCE_BYTES_MAX).contains(&length) {
            return None;
        }
        // At most 8 MiB.
        let Some(_held) = compressor.hold(length as usize) else { return Some(Made::Busy) };
        let Ok(_turn) = compressor.0.turns.acquire().await else { return None };
        if self.lies_below().await {
            return None;
        }
        let Some(plain) = self.read().await else { return Some(Made::Failed) };
        let (coding, effort) = (self.coding, self.settings.effort);
        let encoding = tokio::task::spawn_blocking(move || {
            let coded = coder::encode(coding, effort, &plain)?;
            std::io::Result::Ok((coded, plain.len()))
        });
        let Ok(Ok((coded, plain_length))) = encoding.await else { return Some(Made::Failed) };
        let is_shorter = coded.len() < plain_length;
        self.keep(if is_shorter { Bytes::from(coded) } else { Bytes::new() });
        Some(if is_shorter { Made::Stored } else { Made::NotShorter })
    }

    /// Whether a tier below memory had it, and memory has it now.
    async fn lies_below(&self) -> bool {
        let cache = &self.cache;
        if !cache.has_tiers() || cache.look_up(&self.key).await.is_none() {
            return false;
        }
        let Some(response) = self.source.head().response() else { return true };
        let found = cache.peek(self.key.as_bytes());
        found.is_some_and(|found| found.head().is_form_of(response))
    }

    /// All of the body. Where trailers follow it, it is as good as none: a coded form has no place for
    /// them, so it is never worth it.
    async fn read(&self) -> Option<Vec<u8>> {
        let mut reader = self.source.body().reader()?;
        let mut bytes = Vec::new();
        while let Some(piece) = reader.next().await {
            bytes.extend_from_slice(&piece.ok()?);
            if bytes.len() as u64 > SOURCE_BYTES_MAX {
                return None;
            }
        }
        Some(if reader.trailer().is_none() { bytes } else { Vec::new() })
    }

    /// Puts the form into the cache, with the source's groups and what was known of purges when that
    /// was fetched.
    fn keep(&self, coded: Bytes) {
        let Some(response) = self.source.head().response() else { return };
        let cache = &self.cache;
        let head = Kept::Coded(Coded {
            coding: self.coding,
            content: response.content,
            received_at: response.stored.received_at(),
            tags: response.stored.tags().clone(),
        });
        let body = match coded.is_empty() {
            true => Body::empty(),
            false => Body::whole(&coded, None, cache.budget()),
        };
        let entry = Entry::new(head, body, self.source.keep_until()).since(self.source.epoch());
        let place = Place::from(self.key.clone());
        cache.insert_unless_removed(place, &Arc::new(entry), &self.primary, self.mark, None);
    }
}
