//! A directory, entries, and a disk that remembers what was done to it and can be told to fail.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;

use super::super::*;
use crate::body::{Body, BodyWriter, Limits, Reader};
use crate::budget::Budget;
use crate::clock::Timestamp;

pub(super) type Tier32 = DiskTier<u32>;

/// A head of four bytes.
pub(super) struct Numbers;

impl HeadCodec<u32> for Numbers {
    fn encode(&self, head: &u32, out: &mut Vec<u8>) {
        out.extend(head.to_le_bytes());
    }

    fn decode(&self, bytes: &Bytes) -> Option<u32> {
        Some(u32::from_le_bytes(bytes[..].try_into().ok()?))
    }
}

/// A directory that goes when the test ends.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        Self::under(&std::env::temp_dir())
    }

    pub(super) fn under(parent: &Path) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("forebay-disk-{}-{number}", std::process::id());
        let path = parent.join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn options(&self) -> DiskOptions {
        DiskOptions {
            sync_interval: Duration::from_secs(3_600),
            body_bytes_max: u64::MAX,
            ..DiskOptions::new(&self.0, SIZE_BYTES_MIN)
        }
    }

    pub(super) fn open(&self) -> Arc<Tier32> {
        self.open_as(|_| {})
    }

    pub(super) fn open_as(&self, change: impl FnOnce(&mut DiskOptions)) -> Arc<Tier32> {
        self.open_on_as(Arc::new(System), change)
    }

    pub(super) fn open_with(&self, clock: &Clock) -> Arc<Tier32> {
        DiskTier::open(self.options(), Arc::new(Numbers), clock.clone()).unwrap()
    }

    pub(super) fn open_on(&self, medium: Arc<dyn Medium>) -> Arc<Tier32> {
        self.open_on_as(medium, |_| {})
    }

    pub(super) fn open_on_as(
        &self,
        medium: Arc<dyn Medium>,
        change: impl FnOnce(&mut DiskOptions),
    ) -> Arc<Tier32> {
        let mut options = self.options();
        change(&mut options);
        DiskTier::open_on(medium, options, Arc::new(Numbers), Clock::system()).unwrap()
    }

    pub(super) fn refused(&self) -> DiskError {
        DiskTier::open(self.options(), Arc::new(Numbers), Clock::system()).map(|_| ()).unwrap_err()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn clock() -> Clock {
    Clock::virtual_from(Timestamp::from_millis(1_000_000))
}

pub(super) fn key(name: &str) -> Key {
    Key::from(name.as_bytes())
}

pub(super) fn entry(head: u32, body: &[u8]) -> Arc<Entry<u32>> {
    entry_until(head, body, Timestamp::FAR)
}

pub(super) fn entry_until(head: u32, body: &[u8], keep_until: Timestamp) -> Arc<Entry<u32>> {
    let body = Body::whole(&Bytes::copy_from_slice(body), None, &Budget::new(0));
    Arc::new(Entry::new(head, body, keep_until))
}

pub(super) async fn put(tier: &Tier32, name: &str, head: u32, body: &[u8]) {
    assert_eq!(tier.put(&key(name), entry(head, body), None).await, Ok(Admitted::Kept));
}

/// A body without a writer's end, kept in memory.
pub(super) fn arriving(len: Option<u64>) -> (BodyWriter, Body) {
    let bytes = 64 << 20;
    let limits =
        Limits { kept_bytes_max: bytes, tapped_bytes_max: bytes, window_bytes_max: 1 << 10 };
    Body::arriving(limits, &Budget::new(1 << 30), len)
}

/// All of a body, or `None` if it broke.
pub(super) async fn read_all(reader: &mut Reader) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(piece) = reader.next().await {
        all.extend_from_slice(&piece.ok()?);
    }
    Some(all)
}

pub(super) async fn found(tier: &Tier32, name: &str) -> Option<(u32, Vec<u8>)> {
    let entry = tier.look_up(&key(name)).await.unwrap()?;
    let mut reader = entry.body().reader().unwrap();
    Some((*entry.head(), read_all(&mut reader).await?))
}

/// Names and lengths.
pub(super) fn files_in(path: &Path) -> BTreeMap<PathBuf, u64> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect()
}

/// Bytes of all files, in whole blocks.
pub(super) fn bytes_in(root: &Path) -> u64 {
    let folders = ["segments", "large"].map(|name| root.join(name));
    folders.iter().flat_map(|path| files_in(path).into_values()).map(blocks).sum()
}

/// What was done to the disk.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Create(PathBuf),
    Write { path: PathBuf, at: u64, bytes: Vec<u8> },
    Sync(PathBuf),
    Delete(PathBuf),
    SyncNames(PathBuf),
}

/// The system's disk, but it remembers, and fails when told.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) acts: Mutex<Vec<Act>>,
    pub(super) fails: Mutex<Option<io::ErrorKind>>,
    pub(super) names_fail: AtomicBool,
}

impl Recorder {
    pub(super) fn syncs(&self) -> usize {
        self.acts.lock().iter().filter(|act| matches!(act, Act::Sync(_))).count()
    }

    pub(super) fn fail_with(&self, kind: Option<io::ErrorKind>) {
        *self.fails.lock() = kind;
    }

    fn note(&self, act: Act) -> io::Result<()> {
        if let Some(kind) = *self.fails.lock() {
            return Err(kind.into());
        }
        self.acts.lock().push(act);
        Ok(())
    }
}

impl Medium for Recorder {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.note(Act::Create(path.to_owned()))?;
        System.create(path)
    }

    fn write_at(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
        self.note(Act::Write { path: path.to_owned(), at, bytes: bytes.to_vec() })?;
        System.write_at(file, path, bytes, at)
    }

    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        System.sync(file, path)?;
        self.note(Act::Sync(path.to_owned()))
    }

    fn delete(&self, path: &Path) -> io::Result<()> {
        self.note(Act::Delete(path.to_owned()))?;
        System.delete(path)
    }

    fn sync_names(&self, directory: &Path) -> io::Result<()> {
        if self.names_fail.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Other.into());
        }
        System.sync_names(directory)?;
        self.note(Act::SyncNames(directory.to_owned()))
    }
}

/// The directory as a process that is killed now leaves it.
pub(super) fn copied(directory: &Scratch) -> Scratch {
    let copy = Scratch::new();
    for folder in ["", "segments", "large"] {
        std::fs::create_dir_all(copy.path().join(folder)).unwrap();
        for path in files_in(&directory.path().join(folder)).into_keys() {
            if path.is_file() {
                let name = path.file_name().unwrap();
                std::fs::copy(&path, copy.path().join(folder).join(name)).unwrap();
            }
        }
    }
    copy
}
