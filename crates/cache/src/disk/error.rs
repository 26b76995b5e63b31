//! Why a disk tier cannot be opened: for the operator, at start.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a disk tier cannot be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiskError {
    /// The path is there and is not a directory.
    NotADirectory {
        /// What was given.
        path: PathBuf,
    },
    /// What it would lie in is not there. A path that was mistyped is not made.
    NoParent {
        /// What was given.
        path: PathBuf,
        /// What is missing.
        parent: PathBuf,
    },
    /// Another process has it.
    Taken {
        /// The directory.
        path: PathBuf,
        /// That process, if it wrote its number.
        pid: Option<u32>,
    },
    /// Another version of this program wrote it.
    OtherVersion {
        /// The directory.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The version of this program's form.
        ours: u32,
    },
    /// Something else wrote the file that says what the directory is.
    Foreign {
        /// That file.
        path: PathBuf,
    },
    /// It is to hold less than it can.
    TooSmall {
        /// The directory.
        path: PathBuf,
        /// What was asked.
        size_bytes: u64,
        /// The least.
        size_bytes_min: u64,
    },
    /// The system refused: permission, a read-only file system, no space.
    System {
        /// What was tried.
        tried: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl DiskError {
    /// For `map_err`: the system refused this, on that.
    pub(crate) fn system(tried: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::System { tried, path, source }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADirectory { path } => {
                write!(f, "cannot keep entries in `{}`: it is not a directory", path.display())
            }
            Self::NoParent { path, parent } => write!(
                f,
                "cannot make directory `{}`: `{parent}` is not there; make it first: mkdir -p {parent}",
                path.display(),
                parent = parent.display()
            ),
            Self::Taken { path, pid: Some(pid) } => {
                write!(f, "cannot lock `{}`: process {pid} has it", path.display())
            }
            Self::Taken { path, pid: None } => {
                write!(f, "cannot lock `{}`: another process has it", path.display())
            }
            Self::OtherVersion { path, found, ours } => write!(
                f,
                "cannot use `{}`: its form has version {found}, this program's {ours}; give \
                 another directory, or empty it",
                path.display()
            ),
            Self::Foreign { path } => write!(
                f,
                "cannot use `{}`: it is not one of ours; give another directory",
                path.display()
            ),
            Self::TooSmall { path, size_bytes, size_bytes_min } => write!(
                f,
                "cannot keep entries in `{}`: {size_bytes} bytes are less than {size_bytes_min}",
                path.display()
            ),
            Self::System { tried, path, source } => {
                write!(f, "cannot {tried} `{}`: {source}", path.display())
            }
        }
    }
}

// The cause stands in the message, last and once.
impl std::error::Error for DiskError {}
