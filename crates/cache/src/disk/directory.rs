//! The directory: what lies where in it, whose it is, and that no other process has it.
//!
//! Nothing is ever deleted in it but files with names that this module makes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::error::DiskError;
use crate::codec::checksum;

/// Raised with every change of what lies in the directory and how.
pub(super) const VERSION: u32 = 1;
const FIRST_LINE: &str = "forebay disk tier ";
/// More is not read of a file that says whose the directory is, or of a lock.
const TEXT_BYTES_MAX: u64 = 256;

/// The names in the directory.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) root: PathBuf,
    pub(super) segments: PathBuf,
    pub(super) large: PathBuf,
}

impl Paths {
    fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), segments: root.join("segments"), large: root.join("large") }
    }

    pub(super) fn segment(&self, number: u32) -> PathBuf {
        self.segments.join(format!("{number:08}.seg"))
    }

    pub(super) fn sidecar(&self, number: u32) -> PathBuf {
        self.segments.join(format!("{number:08}.idx"))
    }

    pub(super) fn large(&self, id: u64) -> PathBuf {
        self.large.join(format!("{id:016x}.body"))
    }

    /// Removals are written twice, so that no one damage loses one.
    pub(super) fn removals(&self, generation: u32) -> [PathBuf; 2] {
        ["a", "b"].map(|copy| self.segments.join(format!("{generation:08}.gone-{copy}")))
    }

    fn lock(&self) -> PathBuf {
        self.root.join("forebay.lock")
    }

    fn version(&self) -> PathBuf {
        self.root.join("forebay.disk")
    }
}

/// A directory that is ours alone for as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) paths: Paths,
    /// What keys are hashed with; nobody outside knows it.
    pub(super) hash_key: [u64; 2],
    _lock: File,
}

impl Directory {
    /// Makes it if need be, locks it, and sees that it is of this version.
    pub(super) fn open(root: &Path) -> Result<Self, DiskError> {
        make(root)?;
        let paths = Paths::of(root);
        let lock = lock(root, &paths.lock())?;
        let hash_key = match read_version(root, &paths.version())? {
            Some(hash_key) => hash_key,
            None => begin_anew(&paths)?,
        };
        make(&paths.segments)?;
        make(&paths.large)?;
        let synced = File::open(root).and_then(|names| names.sync_all());
        synced.map_err(DiskError::system("sync", root))?;
        Ok(Self { paths, hash_key, _lock: lock })
    }
}

/// Files of a directory whose names are a number and this ending.
pub(crate) fn numbered(
    directory: &Path,
    ending: &str,
    radix: u32,
) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let stem = path.file_name().and_then(|name| name.to_str()?.strip_suffix(ending));
        if let Some(number) = stem.and_then(|stem| u64::from_str_radix(stem, radix).ok()) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Makes a directory for this user alone, unless it is there.
pub(crate) fn make(path: &Path) -> Result<(), DiskError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => return Err(DiskError::NotADirectory { path: path.to_owned() }),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {}
        Err(refused) if refused.kind() == io::ErrorKind::NotADirectory => {
            return Err(DiskError::NotADirectory { path: path.to_owned() });
        }
        Err(refused) => return Err(DiskError::system("look at", path)(refused)),
    }
    // What clients were answered is nobody's business but this user's.
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|refused| match (refused.kind(), path.parent()) {
        (io::ErrorKind::NotFound, Some(parent)) => {
            DiskError::NoParent { path: path.to_owned(), parent: parent.to_owned() }
        }
        _ => DiskError::system("make directory", path)(refused),
    })
}

/// Locks a file, and with it this directory; another process that has it is named.
pub(crate) fn lock(root: &Path, path: &Path) -> Result<File, DiskError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(path).map_err(DiskError::system("open", path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            // Who has it may not have written its number yet.
            let _ = (&mut file).take(TEXT_BYTES_MAX).read_to_string(&mut pid);
            return Err(DiskError::Taken { path: root.to_owned(), pid: pid.trim().parse().ok() });
        }
        Err(refused) => return Err(DiskError::system("lock", path)(refused.into())),
    }
    let tell = || {
        file.set_len(0)?;
        writeln!(&mut &file, "{}", std::process::id())
    };
    tell().map_err(DiskError::system("write", path))?;
    Ok(file)
}

// `None` where there is none yet, or where ours was damaged: then what lies here cannot be read.
fn read_version(root: &Path, path: &Path) -> Result<Option<[u64; 2]>, DiskError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(refused) => return Err(DiskError::system("open", path)(refused)),
    };
    let mut text = Vec::new();
    file.take(TEXT_BYTES_MAX).read_to_end(&mut text).map_err(DiskError::system("read", path))?;
    let text = String::from_utf8_lossy(&text);
    if !text.starts_with("forebay") {
        return Err(DiskError::Foreign { path: path.to_owned() });
    }
    match parse_version(&text) {
        Some((VERSION, hash_key)) => Ok(hash_key),
        Some((found, _)) => {
            Err(DiskError::OtherVersion { path: root.to_owned(), found, ours: VERSION })
        }
        None => {
            tracing::warn!(path = %path.display(), "version file is damaged: begin with nothing");
            Ok(None)
        }
    }
}

/// The version that a directory's own file says, if it is sound.
pub(super) fn version_in(root: &Path) -> Option<u32> {
    let file = File::open(Paths::of(root).version()).ok()?;
    let mut text = String::new();
    file.take(TEXT_BYTES_MAX).read_to_string(&mut text).ok()?;
    parse_version(&text).map(|(version, _)| version)
}

// First the version, last a checksum, whatever a version has between them.
fn parse_version(text: &str) -> Option<(u32, Option<[u64; 2]>)> {
    let (signed, seal) = text.trim_end().rsplit_once('\n')?;
    if u64::from_str_radix(seal, 16) != Ok(checksum(signed.as_bytes())) {
        return None;
    }
    let mut lines = signed.lines();
    let version = lines.next()?.strip_prefix(FIRST_LINE)?.parse().ok()?;
    let mut word = || u64::from_str_radix(lines.next()?, 16).ok();
    Some((version, word().zip(word()).map(|(one, other)| [one, other])))
}

fn version_text(hash_key: [u64; 2]) -> String {
    let signed = format!("{FIRST_LINE}{VERSION}\n{:016x}\n{:016x}", hash_key[0], hash_key[1]);
    let seal = checksum(signed.as_bytes());
    format!("{signed}\n{seal:016x}\n")
}

// The old entries go first: under a new hash key they would only take room.
fn begin_anew(paths: &Paths) -> Result<[u64; 2], DiskError> {
    let endings = [(&paths.segments, ".seg"), (&paths.segments, ".idx"), (&paths.large, ".body")];
    let removals = [(&paths.segments, ".gone-a"), (&paths.segments, ".gone-b")];
    for (directory, ending) in endings.into_iter().chain(removals) {
        for (_, path) in numbered(directory, ending, 16).unwrap_or_default() {
            std::fs::remove_file(&path).map_err(DiskError::system("delete", &path))?;
        }
    }
    let (path, hash_key) = (paths.version(), rand::random::<[u64; 2]>());
    let write = || {
        let fresh = path.with_extension("new");
        let mut file = File::create(&fresh)?;
        file.write_all(version_text(hash_key).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        File::open(&paths.root)?.sync_all()
    };
    write().map_err(DiskError::system("write", &path))?;
    Ok(hash_key)
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_whatever_lies_behind_it() {
        assert_eq!(parse_version(&version_text([1, 2])), Some((1, Some([1, 2]))));
        let signed = format!("{FIRST_LINE}7\nwhat a later version says");
        let later = format!("{signed}\n{:016x}\n", checksum(signed.as_bytes()));
        assert_eq!(parse_version(&later), Some((7, None)));
        assert_eq!(parse_version(&later.replace('7', "8")), None);
    }
}
