//! The log as a file: a [`FileLog`] of one node alone, or the [`Journal`] of a node that follows a
//! log elsewhere and would know its purges, too, when it starts and cannot reach that.
//!
//! A purge is durable before it returns. What was torn off while it was written is cut off at
//! start: nobody was told that it stands. Any other damage makes a log of another lineage, so that
//! all that is held is validated before it is used.

pub mod form;
mod written;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::memory::{new_lineage, numbered, own_standing, within_bound};
use super::{APPENDED_MAX, Appended, Later, Log, LogFailure, LogSnapshot, NodeStanding, Purges};
use crate::clock::Clock;
use crate::disk::{DiskError, Medium, System};
use crate::purge::{Bounds, ENTRY_BYTES_MAX, LogEntry, Position, Rule, Rules};
use crate::stats::Count;
use form::Contents;
use written::{Failed, Opened, Written};

/// Calls that wait for the file at once; more are refused.
const WRITES_MAX: usize = 64;

/// Why nothing is written while another process may have the file.
const LET_GO: &str = "another process takes over from this one; ask again in a moment";

/// How large a file becomes. Over it, its older half goes: a node that starts then has a higher
/// floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileBounds {
    /// Its bytes; no less than twice what one call may write.
    pub bytes_max: u64,
    /// Its entries; no less than twice what one call may write.
    pub entries_max: usize,
}

impl FileBounds {
    fn clamped(self) -> Self {
        Self {
            bytes_max: self.bytes_max.max((2 * APPENDED_MAX * ENTRY_BYTES_MAX) as u64),
            entries_max: self.entries_max.max(2 * APPENDED_MAX),
        }
    }
}

impl Default for FileBounds {
    fn default() -> Self {
        Self { bytes_max: 64 << 20, entries_max: 100_000 }
    }
}

/// Where a log of purges lies, and its bounds.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The directory, which is this log's alone. It is made if it does not exist, in a parent that
    /// does.
    pub directory: PathBuf,
    /// The bounds of the file in it.
    pub file: FileBounds,
    /// The bounds of the table of rules.
    pub rules: Bounds,
}

impl FileOptions {
    /// The defaults, for a directory.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let (file, rules) = (FileBounds::default(), Bounds::default());
        Self { directory: directory.into(), file, rules }
    }
}

/// A log in a file, whose only node is this one.
pub struct FileLog {
    node: String,
    clock: Clock,
    purges: Purges,
    shared: Arc<Shared>,
}

/// What a log and the threads that write it share.
struct Shared {
    /// `None` while another process may have it.
    written: Mutex<Option<Written>>,
    bounds: FileBounds,
    medium: Arc<dyn Medium>,
    writes: Arc<Semaphore>,
    directory: PathBuf,
    /// For who does not wait for the disk.
    file_bytes: AtomicU64,
    appended: Count,
    refused: Count,
    last_failure: Mutex<Option<String>>,
}

impl FileLog {
    /// Opens a directory, and reads what lies in it. `node` is the name under which its only node is
    /// listed. Waits for the disk.
    pub fn open(
        options: FileOptions,
        node: impl Into<String>,
        clock: Clock,
    ) -> Result<Self, DiskError> {
        Self::open_on(Arc::new(System), options, node.into(), clock)
    }

    fn open_on(
        medium: Arc<dyn Medium>,
        options: FileOptions,
        node: String,
        clock: Clock,
    ) -> Result<Self, DiskError> {
        let FileOptions { directory, file, rules } = options;
        let opened = Written::open(&directory, file, Arc::clone(&medium))?;
        let (mut written, opened, contents) = opened;
        tell(&directory, &opened);
        let contents = match opened {
            Opened::Read { .. } => contents,
            Opened::New | Opened::Lost { .. } => {
                let base = Position::start_of(new_lineage());
                let begun = written.begin(base).map_err(Failed::into_error);
                begun.map_err(DiskError::system("write a log of purges in", &directory))?;
                Contents { base, ..contents }
            }
        };
        let purges = Purges::own(rules_of(&contents, rules));
        let shared = Shared::of(written, directory, file, medium);
        Ok(Self { node, clock, purges, shared })
    }
}

/// What a node has read of a log elsewhere, in a file: where it reads on when it starts again.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

impl Journal {
    /// Opens a directory, and gives back what its file knows of the log: nothing, where there is
    /// none or it is damaged. Waits for the disk.
    pub fn open(options: FileOptions) -> Result<(Self, Rules), DiskError> {
        Self::open_on(Arc::new(System), options)
    }

    fn open_on(medium: Arc<dyn Medium>, options: FileOptions) -> Result<(Self, Rules), DiskError> {
        let FileOptions { directory, file, rules } = options;
        let (written, opened, contents) = Written::open(&directory, file, Arc::clone(&medium))?;
        tell(&directory, &opened);
        let rules = rules_of(&contents, rules);
        Ok((Self { shared: Shared::of(written, directory, file, medium) }, rules))
    }

    /// Lets go of the directory: until it is taken back, nothing is written.
    pub fn let_go(&self) {
        self.shared.written.lock().take();
    }

    /// Opens the directory again. What was not written meanwhile is missing in it, which a node
    /// that starts notices. Waits for the disk.
    pub fn take_back(&self) -> Result<(), DiskError> {
        self.shared.open_again().map(|_| ())
    }

    /// Writes entries of this log, as they were read and taken; they are durable when it returns
    /// well. To be called after [`Purges::take`] and before the log is told that they are applied,
    /// unless the take found a fork. Entries that do not follow what the file has begin it anew.
    /// Dropped while it waits, they may be written all the same.
    pub async fn write(&self, lineage: u64, entries: Vec<LogEntry>) -> Result<(), LogFailure> {
        let shared = Arc::clone(&self.shared);
        self.shared.behind(move || shared.journal(lineage, &entries)).await
    }

    /// The bytes of its file.
    pub fn file_bytes(&self) -> u64 {
        self.shared.file_bytes.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn of(
        written: Written,
        directory: PathBuf,
        bounds: FileBounds,
        medium: Arc<dyn Medium>,
    ) -> Arc<Self> {
        Arc::new(Self {
            file_bytes: AtomicU64::new(written.len()),
            written: Mutex::new(Some(written)),
            bounds,
            medium,
            writes: Arc::new(Semaphore::new(WRITES_MAX)),
            directory,
            appended: Count::default(),
            refused: Count::default(),
            last_failure: Mutex::new(None),
        })
    }

    /// Opens what was let go; what lies there now, unless it was never let go.
    fn open_again(&self) -> Result<Option<(Opened, Contents)>, DiskError> {
        let mut held = self.written.lock();
        if held.is_some() {
            return Ok(None);
        }
        let medium = Arc::clone(&self.medium);
        let (written, opened, contents) = Written::open(&self.directory, self.bounds, medium)?;
        tell(&self.directory, &opened);
        self.file_bytes.store(written.len(), Ordering::Relaxed);
        *held = Some(written);
        Ok(Some((opened, contents)))
    }

    /// Runs on a thread that may wait for the disk. It runs to its end, whoever leaves.
    async fn behind<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T, LogFailure> + Send + 'static,
    ) -> Result<T, LogFailure> {
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else {
            return Err(self.failed(Failed::Refused(io::Error::other("too many wait for it"))));
        };
        let acting = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            act()
        });
        let ended = acting.await;
        ended.unwrap_or_else(|lost| Err(self.failed(Failed::Unsure(io::Error::other(lost)))))
    }

    fn append(
        &self,
        rules: Vec<Rule>,
        purges: &Purges,
        clock: &Clock,
    ) -> Result<Appended, LogFailure> {
        let count = rules.len() as u64;
        let mut held = self.written.lock();
        let Some(written) = held.as_mut() else {
            self.refused.more(count);
            return Err(self.failed(Failed::Refused(io::Error::other(LET_GO))));
        };
        let before = written.last();
        let (entries, last) = numbered(before, rules, clock);
        if let Err(failed) = written.append(&entries) {
            self.refused.more(count);
            return Err(self.failed(failed));
        }
        self.file_bytes.store(written.len(), Ordering::Relaxed);
        purges.take(&entries, last, Instant::now());
        self.appended.more(count);
        Ok(Appended { first: before.number + 1, last })
    }

    fn journal(&self, lineage: u64, entries: &[LogEntry]) -> Result<(), LogFailure> {
        let mut held = self.written.lock();
        // Another process follows the same log, and writes it down.
        let Some(written) = held.as_mut() else { return Ok(()) };
        let last = written.last();
        let is_known = |entry: &LogEntry| last.lineage == lineage && entry.number <= last.number;
        let new = &entries[entries.partition_point(is_known)..];
        if entries.is_empty() && last.lineage != lineage {
            // Nothing was purged yet: what is kept is proven by this log all the same.
            written.begin(Position::start_of(lineage)).map_err(|failed| self.failed(failed))?;
        }
        for some in new.chunks(APPENDED_MAX) {
            let is_next = written.last().lineage == lineage && written.is_next(&some[0]);
            if !is_next {
                let base = Position::start_of(lineage).before(&some[0]);
                written.begin(base).map_err(|failed| self.failed(failed))?;
            }
            written.append(some).map_err(|failed| self.failed(failed))?;
            self.file_bytes.store(written.len(), Ordering::Relaxed);
            self.appended.more(some.len() as u64);
        }
        Ok(())
    }

    fn failed(&self, failed: Failed) -> LogFailure {
        let directory = self.directory.display();
        let said = |why: &io::Error| format!("cannot write purges in `{directory}`: {why}");
        let failure = match &failed {
            Failed::Refused(why) => LogFailure::refused(said(why)),
            Failed::Unsure(why) => LogFailure::unsure(said(why)),
        };
        *self.last_failure.lock() = Some(failure.to_string());
        failure
    }
}

fn tell(directory: &Path, opened: &Opened) {
    let directory = directory.display();
    match opened {
        Opened::New | Opened::Read { torn_bytes: 0 } => {}
        Opened::Read { torn_bytes } => {
            tracing::warn!(%directory, torn_bytes, "cut off a purge that was not wholly written");
        }
        Opened::Lost { why } => {
            tracing::error!(%directory, %why, "purges are lost: all that is kept is to be validated");
        }
    }
}

fn rules_of(contents: &Contents, bounds: Bounds) -> Rules {
    let mut rules = Rules::new(bounds);
    rules.begin(contents.base);
    contents.entries.iter().for_each(|entry| rules.apply(entry));
    rules
}

impl Log for FileLog {
    fn append(&self, rules: Vec<Rule>) -> Later<'_, Result<Appended, LogFailure>> {
        Box::pin(async move {
            within_bound(&rules).inspect_err(|_| self.shared.refused.more(rules.len() as u64))?;
            let (shared, purges, clock) =
                (Arc::clone(&self.shared), self.purges.clone(), self.clock.clone());
            self.shared.behind(move || shared.append(rules, &purges, &clock)).await
        })
    }

    fn applied(&self, up_to: Position, _: Duration) -> Later<'_, Vec<NodeStanding>> {
        Box::pin(async move { vec![own_standing(&self.node, &self.purges, up_to)] })
    }

    fn let_go(&self) {
        self.shared.written.lock().take();
    }

    fn take_back(&self) -> Result<(), DiskError> {
        let Some((opened, contents)) = self.shared.open_again()? else { return Ok(()) };
        let own = self.purges.position();
        let is_ours = contents.base.lineage == own.lineage;
        match opened {
            Opened::Read { .. } if is_ours => {
                let new = contents.entries.partition_point(|entry| entry.number <= own.number);
                let newest = contents.entries[new..].iter().fold(own, |last, one| last.at(one));
                self.purges.take(&contents.entries[new..], newest, Instant::now());
                Ok(())
            }
            // What this node knows outlives what lies there.
            Opened::Read { .. } | Opened::New | Opened::Lost { .. } => {
                let mut held = self.shared.written.lock();
                let begun = held.as_mut().map_or(Ok(()), |written| written.begin(own));
                begun
                    .map_err(Failed::into_error)
                    .map_err(DiskError::system("write a log of purges in", &self.shared.directory))
            }
        }
    }

    fn purges(&self) -> &Purges {
        &self.purges
    }

    fn snapshot(&self) -> LogSnapshot {
        LogSnapshot {
            kind: "file",
            appended: self.shared.appended.now(),
            refused: self.shared.refused.now(),
            file_bytes: self.shared.file_bytes.load(Ordering::Relaxed),
            last_failure: self.shared.last_failure.lock().clone(),
        }
    }
}

impl fmt::Debug for FileLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FileLog");
        shown.field("directory", &self.shared.directory).field("purges", &self.purges);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Journal");
        shown.field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests;
