//! The table's file: written beside its place and moved there, so that it is whole or the old one.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, rename};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::form::{Kept, TABLE_BYTES_MAX, decode};

/// What the file says; none where there is none.
pub(super) fn read(path: &Path, prefix: &str) -> Result<Option<Vec<Kept>>, String> {
    let refused = |why: &dyn std::fmt::Display| {
        format!("cannot use the table of routes `{}`: {why}", path.display())
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(&error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(TABLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| refused(&error))?;
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(refused(&"it is too long"));
    }
    decode(prefix, &bytes).map(Some).map_err(|damage| refused(&damage))
}

/// Puts the bytes in the file's place.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let put = || {
        let beside = beside(path);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        rename(&beside, path)?;
        // The move itself is safe when the directory is.
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    };
    put().map_err(|error: std::io::Error| {
        format!("cannot write the table of routes `{}`: {error}", path.display())
    })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    PathBuf::from(name)
}
