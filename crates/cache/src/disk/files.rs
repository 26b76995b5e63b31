//! Files that are open to be read: so many at most, none of which was deleted.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{Advice, fadvise};
use rustix::io::{ReadWriteFlags, preadv2};

use super::directory::Paths;
use super::frame::{SEGMENT_HEADER_BYTES, read_segment_header};

/// Files that are open at once, but for those that somebody reads just now.
const OPEN_MAX: usize = 256;

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Segment(u32),
    Large(u64),
}

/// A file that is open. Deleted, it reads on.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    /// What its sums are bound to.
    pub(super) id: u64,
    /// Its length when it was opened.
    pub(super) len: u64,
}

impl Opened {
    pub(super) fn new(file: File, id: u64, len: u64) -> Self {
        Self { file, id, len }
    }

    /// Fills the buffers from this place on, if that takes no waiting for the disk.
    pub(super) fn read_at_once(&self, buffers: &mut [IoSliceMut<'_>], at: u64) -> bool {
        let wanted = buffers.iter().map(|buffer| buffer.len()).sum::<usize>();
        // What comes back short, or not at all, is for who may wait: he learns why.
        preadv2(&self.file, buffers, at, ReadWriteFlags::NOWAIT) == Ok(wanted)
    }

    /// Lets the system fetch from the disk what will be read next, behind.
    pub(super) fn read_ahead(&self, at: u64, bytes: NonZeroU64) {
        // Only advice: what is not taken is read when it is wanted.
        let _ = fadvise(&self.file, at, Some(bytes), Advice::WillNeed);
    }

    /// Fills the buffers from this place on, and waits for the disk.
    pub(super) fn read(&self, buffers: &mut [&mut [u8]], mut at: u64) -> io::Result<()> {
        for buffer in buffers {
            self.file.read_exact_at(buffer, at)?;
            at += buffer.len() as u64;
        }
        Ok(())
    }
}

/// The files that are open.
#[derive(Debug)]
pub(super) struct Files {
    paths: Paths,
    open: Mutex<HashMap<Name, Arc<Opened>>>,
}

impl Files {
    pub(super) fn new(paths: Paths) -> Self {
        Self { paths, open: Mutex::new(HashMap::new()) }
    }

    /// The file, if it is open.
    pub(super) fn opened(&self, name: Name) -> Option<Arc<Opened>> {
        self.open.lock().get(&name).cloned()
    }

    /// The file, opened if it is not yet. Waits for the disk.
    pub(super) fn open(&self, name: Name) -> io::Result<Arc<Opened>> {
        if let Some(opened) = self.opened(name) {
            return Ok(opened);
        }
        let opened = Arc::new(match name {
            Name::Segment(number) => self.open_segment(number)?,
            Name::Large(id) => {
                let file = File::open(self.paths.large(id))?;
                let len = file.metadata()?.len();
                Opened::new(file, id, len)
            }
        });
        self.hold(name, &opened);
        // Deleted meanwhile? Whoever did so may have looked for it here before we held it.
        if std::fs::metadata(self.path(name)).is_err() {
            self.close(name);
        }
        Ok(opened)
    }

    /// Holds a file that was just made.
    pub(super) fn hold(&self, name: Name, opened: &Arc<Opened>) {
        let mut open = self.open.lock();
        if open.len() >= OPEN_MAX
            && let Some(other) = open.keys().next().copied()
        {
            open.remove(&other);
        }
        open.insert(name, Arc::clone(opened));
    }

    /// Lets go of a file: it was deleted.
    pub(super) fn close(&self, name: Name) {
        self.open.lock().remove(&name);
    }

    fn path(&self, name: Name) -> std::path::PathBuf {
        match name {
            Name::Segment(number) => self.paths.segment(number),
            Name::Large(id) => self.paths.large(id),
        }
    }

    fn open_segment(&self, number: u32) -> io::Result<Opened> {
        let file = File::open(self.paths.segment(number))?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        file.read_exact_at(&mut header, 0)?;
        let id = read_segment_header(&header, number)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its header is damaged"))?;
        let len = file.metadata()?.len();
        Ok(Opened::new(file, id, len))
    }
}
