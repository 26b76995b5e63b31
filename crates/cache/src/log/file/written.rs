//! The file of purges as it is written: what is appended is durable when that returns, and what was
//! durable stays so whatever fails.
//!
//! It grows up to its bounds; then its newer half goes into a new file, whose header is written when
//! all else in it is durable, and the old one is deleted. A write that fails is taken back; where
//! that fails as well, the next one goes into a new file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FileBounds;
use super::form::{self, Contents, HEADER_BYTES, Unread, follows};
use crate::disk::{DiskError, Medium, lock, make, numbered};
use crate::purge::{LogEntry, Position};

const ENDING: &str = ".purges";

/// What a directory held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opened {
    /// Nothing.
    New,
    /// A file that read, and so many bytes behind it that did not.
    Read {
        /// What was torn off.
        torn_bytes: u64,
    },
    /// A file that did not read: what it said of purges is lost.
    Lost {
        /// Which, and why.
        why: String,
    },
}

pub(super) struct Written {
    directory: PathBuf,
    medium: Arc<dyn Medium>,
    bounds: FileBounds,
    generation: u64,
    file: Option<(File, PathBuf)>,
    /// Whether nothing lies in the file behind `len`, and all before it is durable.
    is_clean: bool,
    /// A newer file that was not finished, and would be read in place of this one.
    leftover: Option<PathBuf>,
    len: u64,
    count: usize,
    last: Position,
    _lock: File,
}

impl Written {
    /// Opens the directory, which is this log's alone until it is dropped, and reads what lies in
    /// it.
    pub(super) fn open(
        directory: &Path,
        bounds: FileBounds,
        medium: Arc<dyn Medium>,
    ) -> Result<(Self, Opened, Contents), DiskError> {
        make(directory)?;
        let lock = lock(directory, &directory.join("forebay.lock"))?;
        let found =
            numbered(directory, ENDING, 10).map_err(DiskError::system("read", directory))?;
        let mut written = Self {
            directory: directory.to_owned(),
            medium,
            bounds: bounds.clamped(),
            generation: found.last().map_or(0, |(generation, _)| *generation),
            file: None,
            is_clean: true,
            leftover: None,
            len: 0,
            count: 0,
            last: Position::default(),
            _lock: lock,
        };
        let (opened, contents) = written.read(found)?;
        Ok((written, opened, contents))
    }

    /// The newest entry.
    pub(super) fn last(&self) -> Position {
        self.last
    }

    /// The bytes of the file.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends entries that follow the last; they are durable when this returns well. Otherwise
    /// none of them is in the file, unless the error says so.
    pub(super) fn append(&mut self, entries: &[LogEntry]) -> Result<(), Failed> {
        self.clear_leftover().map_err(Failed::Refused)?;
        let bytes: Vec<u8> = entries.iter().flat_map(LogEntry::to_bytes).collect();
        let is_full = self.len + bytes.len() as u64 > self.bounds.bytes_max
            || self.count + entries.len() > self.bounds.entries_max;
        if is_full || !self.is_clean {
            self.make_room()?;
        }
        let Some((file, path)) = &self.file else {
            return Err(Failed::Refused(io::Error::other("it has no file yet")));
        };
        let wrote = self.medium.write_at(file, path, &bytes, self.len);
        let synced = wrote.and_then(|()| {
            // What a failed sync leaves on the disk nobody knows: then all is written anew.
            self.is_clean = false;
            self.medium.sync(file, path)
        });
        if let Err(refused) = synced {
            // Whatever was written is not to be found by who reads the file next.
            let cut = file.set_len(self.len).and_then(|()| self.medium.sync(file, path));
            self.is_clean &= cut.is_ok();
            return Err(if cut.is_ok() {
                Failed::Refused(refused)
            } else {
                Failed::Unsure(refused)
            });
        }
        self.is_clean = true;
        self.len += bytes.len() as u64;
        self.count += entries.len();
        self.last = entries.iter().fold(self.last, |last, entry| last.at(entry));
        Ok(())
    }

    /// Begins anew, from this place in this log, with nothing.
    pub(super) fn begin(&mut self, base: Position) -> Result<(), Failed> {
        self.write_anew(base, &[]).map_err(Failed::Refused)
    }

    /// Whether an entry follows the newest.
    pub(super) fn is_next(&self, entry: &LogEntry) -> bool {
        self.file.is_some() && follows(entry, self.last)
    }

    fn read(&mut self, mut found: Vec<(u64, PathBuf)>) -> Result<(Opened, Contents), DiskError> {
        let (mut lost, mut unfinished) = (None, Vec::new());
        let nothing = Contents { base: Position::default(), entries: Vec::new(), len: 0 };
        while let Some((generation, path)) = found.pop() {
            match self.read_file(&path).map_err(DiskError::system("read", &path))? {
                // Whoever wrote it did not get to deleting the one before it.
                Err(Unread::Unfinished) => unfinished.push((generation, path)),
                Ok((contents, file, torn_bytes)) => {
                    self.adopt(generation, file, path, &contents);
                    self.delete(found);
                    self.delete(unfinished);
                    return Ok((Opened::Read { torn_bytes }, contents));
                }
                Err(why) => {
                    lost = Some(format!("`{}`: {why}", path.display()));
                    // An older one lacks what this one had.
                    break;
                }
            }
        }
        Ok((lost.map_or(Opened::New, |why| Opened::Lost { why }), nothing))
    }

    fn read_file(&self, path: &Path) -> io::Result<Result<(Contents, File, u64), Unread>> {
        let file = File::options().read(true).write(true).open(path)?;
        let len = file.metadata()?.len();
        if len > 2 * self.bounds.bytes_max {
            return Ok(Err(Unread::Header(crate::codec::Damage::TooLong)));
        }
        let contents = match form::read(&std::fs::read(path)?) {
            Ok(contents) => contents,
            Err(unread) => return Ok(Err(unread)),
        };
        let torn_bytes = len - contents.len as u64;
        if torn_bytes > 0 {
            file.set_len(contents.len as u64)?;
            self.medium.sync(&file, path)?;
        }
        Ok(Ok((contents, file, torn_bytes)))
    }

    fn adopt(&mut self, generation: u64, file: File, path: PathBuf, contents: &Contents) {
        self.generation = self.generation.max(generation);
        self.file = Some((file, path));
        self.len = contents.len as u64;
        self.count = contents.entries.len();
        self.last = contents.entries.iter().fold(contents.base, |last, entry| last.at(entry));
    }

    // The newer half, in both bounds.
    fn make_room(&mut self) -> Result<(), Failed> {
        let Some((_, path)) = &self.file else { return Ok(()) };
        let kept = std::fs::read(path).ok().and_then(|mut bytes| {
            bytes.truncate(usize::try_from(self.len).ok()?);
            form::read(&bytes).ok()
        });
        // What does not read any more is left out: who starts then holds all before it for unproven.
        let nothing = Contents { base: self.last, entries: Vec::new(), len: HEADER_BYTES };
        let contents = kept.unwrap_or(nothing);
        let (mut base, mut keep) = (contents.base, &contents.entries[..]);
        let mut len = contents.len.saturating_sub(HEADER_BYTES) as u64;
        let is_full = |len: u64, count: usize| {
            len > self.bounds.bytes_max / 2 || count > self.bounds.entries_max / 2
        };
        while let [first, rest @ ..] = keep
            && is_full(len, keep.len())
        {
            len -= first.to_bytes().len() as u64;
            (base, keep) = (base.at(first), rest);
        }
        self.write_anew(base, keep).map_err(Failed::Refused)
    }

    fn write_anew(&mut self, base: Position, entries: &[LogEntry]) -> io::Result<()> {
        self.clear_leftover()?;
        // A number is used once, whatever became of what bore it.
        self.generation += 1;
        let path = self.directory.join(format!("{:08}{ENDING}", self.generation));
        let file = self.medium.create(&path)?;
        let bytes: Vec<u8> = entries.iter().flat_map(LogEntry::to_bytes).collect();
        let (medium, old) = (Arc::clone(&self.medium), self.file.as_ref());
        let write = || {
            medium.write_at(&file, &path, &bytes, HEADER_BYTES as u64)?;
            medium.sync(&file, &path)?;
            medium.write_at(&file, &path, &form::header(base), 0)?;
            medium.sync(&file, &path)?;
            medium.sync_names(&self.directory)
        };
        if let Err(refused) = write() {
            self.leftover = Some(path);
            // Where it fails, the next write tries again before it does anything.
            let _ = self.clear_leftover();
            return Err(refused);
        }
        let before: Vec<_> = old.map(|(_, path)| (0, path.clone())).into_iter().collect();
        let len = HEADER_BYTES + bytes.len();
        let contents = Contents { base, entries: entries.to_vec(), len };
        self.adopt(self.generation, file, path, &contents);
        self.is_clean = true;
        self.delete(before);
        Ok(())
    }

    fn clear_leftover(&mut self) -> io::Result<()> {
        let Some(path) = &self.leftover else { return Ok(()) };
        self.medium.delete(path)?;
        self.medium.sync_names(&self.directory)?;
        self.leftover = None;
        Ok(())
    }

    fn delete(&self, files: Vec<(u64, PathBuf)>) {
        for (_, path) in files {
            if let Err(failed) = self.medium.delete(&path) {
                tracing::warn!(path = %path.display(), %failed, "cannot delete an old file of purges");
            }
        }
    }
}

/// Why purges were not written.
#[derive(Debug)]
pub(super) enum Failed {
    /// They are not in the file.
    Refused(io::Error),
    /// They may be in the file.
    Unsure(io::Error),
}

impl Failed {
    pub(super) fn into_error(self) -> io::Error {
        match self {
            Self::Refused(why) | Self::Unsure(why) => why,
        }
    }
}
