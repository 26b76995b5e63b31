//! What the tier does to the disk, as one seam: tests see what was synced and when, lose what was
//! not, and let any act fail. What it reads, and what it writes once at the first start, is no part
//! of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Acts that change what lies on the disk.
pub(crate) trait Medium: Send + Sync + 'static {
    /// A new file, to be written and read.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Bytes at a place.
    fn write_at(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> io::Result<()>;

    /// All bytes of a file are durable then; its name may not be.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()>;

    /// The file has no name then, which may not be durable. Who has it open reads on.
    fn delete(&self, path: &Path) -> io::Result<()>;

    /// What names a directory has is durable then.
    fn sync_names(&self, directory: &Path) -> io::Result<()>;
}

/// The system's.
#[derive(Debug)]
pub(crate) struct System;

impl Medium for System {
    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    fn write_at(&self, file: &File, _: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn sync(&self, file: &File, _: &Path) -> io::Result<()> {
        file.sync_data()
    }

    fn delete(&self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn sync_names(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }
}
