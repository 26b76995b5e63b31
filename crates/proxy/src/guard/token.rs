//! The token of a process that was given none: made at its start, put where only its user reads it,
//! and found there by the same user's commands.
//!
//! The file bears the address of the admin listener, and goes when the process ends. What a killed
//! process left is removed by the next one: nobody holds its lock.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Files that are looked at for being left over.
const LEFT_OVER_MAX: usize = 1024;

/// Bytes of a token's file that are read.
const TOKEN_BYTES_MAX: u64 = 1024;

const ENDING: &str = "token";

/// A token in its file. Dropped, the file is removed.
#[derive(Debug)]
pub struct MadeToken {
    token: String,
    path: PathBuf,
    is_left: AtomicBool,
    // Held as long as this is: a lock that ends with the process, however it ends.
    _locked: File,
}

impl MadeToken {
    /// Makes a token for the listener at this address, in the first of the directories where it can
    /// be put; or why it cannot be put into any.
    pub fn make(address: SocketAddr) -> Result<Self, String> {
        MadeToken::put_in(&directories(), address, &fresh())
    }

    /// Puts the token of the process that this one takes over from where that one had it.
    pub fn keep(address: SocketAddr, token: &str) -> Result<Self, String> {
        MadeToken::put_in(&directories(), address, token)
    }

    /// Leaves the file where it is when this is dropped: another process has it by then.
    pub fn leave(&self) {
        self.is_left.store(true, Ordering::Relaxed);
    }

    #[cfg(test)]
    fn make_in(directories: &[PathBuf], address: SocketAddr) -> Result<Self, String> {
        MadeToken::put_in(directories, address, &fresh())
    }

    fn put_in(directories: &[PathBuf], address: SocketAddr, token: &str) -> Result<Self, String> {
        let mut refusals = Vec::new();
        for directory in directories {
            match put(directory, address, token) {
                Ok(made) => {
                    remove_left_over(directory);
                    return Ok(made);
                }
                Err(cause) => refusals.push(format!("`{}`: {cause}", directory.display())),
            }
        }
        Err(format!("cannot keep an admin token in {}", refusals.join(", ")))
    }

    /// The token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for MadeToken {
    fn drop(&mut self) {
        if !self.is_left.load(Ordering::Relaxed) {
            // If it is gone already, that is what was wanted.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The token that a process of this user made for its listener at this address, if there is one.
pub fn found(address: SocketAddr) -> Option<String> {
    directories().iter().find_map(|directory| read(directory, address))
}

/// Where a token may be, best first.
fn directories() -> Vec<PathBuf> {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own.filter(|path| path.is_absolute()).map(|path| path.join("forebay"));
    let user = rustix::process::geteuid().as_raw();
    let shared =
        [PathBuf::from("/run/forebay"), std::env::temp_dir().join(format!("forebay-{user}"))];
    own.into_iter().chain(shared).collect()
}

fn name(address: SocketAddr) -> String {
    format!("{address}.{ENDING}")
}

fn put(directory: &Path, address: SocketAddr, token: &str) -> io::Result<MadeToken> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    own(directory)?;
    let path = directory.join(name(address));
    // Written beside it and moved there: who reads sees all of it, and a link in its place is
    // replaced, not followed.
    let beside = directory.join(format!(".{}.{}", name(address), std::process::id()));
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.try_lock()?;
    let written = file.write_all(token.as_bytes()).and_then(|()| fs::rename(&beside, &path));
    if let Err(error) = written {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    let token = token.to_owned();
    Ok(MadeToken { token, path, is_left: AtomicBool::new(false), _locked: file })
}

/// Whether a directory is ours, and nobody else can put anything there.
fn own(directory: &Path) -> io::Result<()> {
    let seen = fs::symlink_metadata(directory)?;
    let refuse = |why| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !seen.is_dir() {
        return refuse("it is no directory");
    }
    if seen.uid() != rustix::process::geteuid().as_raw() {
        return refuse("it belongs to another user");
    }
    if seen.mode() & 0o022 != 0 {
        return refuse("others may write there");
    }
    Ok(())
}

fn fresh() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Only what belongs to this user is read; for root, whatever the directory's owner put there.
fn read(directory: &Path, address: SocketAddr) -> Option<String> {
    let path = directory.join(name(address));
    let (within, seen) = (fs::symlink_metadata(directory).ok()?, fs::symlink_metadata(&path).ok()?);
    let user = rustix::process::geteuid();
    let is_ours = seen.uid() == user.as_raw() || user.is_root();
    if !seen.is_file() || !is_ours || seen.uid() != within.uid() || within.mode() & 0o022 != 0 {
        return None;
    }
    let mut token = String::new();
    File::open(path).ok()?.take(TOKEN_BYTES_MAX).read_to_string(&mut token).ok()?;
    Some(token).filter(|token| !token.is_empty())
}

/// Removes the files of processes that were killed. What is not understood stays.
fn remove_left_over(directory: &Path) {
    let Ok(files) = fs::read_dir(directory) else { return };
    for file in files.take(LEFT_OVER_MAX).flatten() {
        let path = file.path();
        let is_token = path.extension().is_some_and(|ending| ending == ENDING);
        let Some(open) = is_token.then(|| File::open(&path).ok()).flatten() else { continue };
        if open.try_lock().is_ok() {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests;
