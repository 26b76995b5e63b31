//! Account and certificates on disk: readable to the gateway alone, and whole or not there.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::config::{AcmeSettings, HostPattern};
use crate::tls::certificate::Texts;

/// Bytes of a file in the store.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The account's file. No host is named so: hosts' files end in `.pem`.
const ACCOUNT: &str = "account.json";

/// A folder in which things are kept.
pub(in crate::tls) struct Store(PathBuf);

/// Why something cannot be kept or read.
#[derive(Debug)]
pub struct StoreError {
    tried: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`: {}", self.tried, self.path.display(), self.cause)
    }
}

impl std::error::Error for StoreError {}

impl Store {
    pub(in crate::tls) fn of(settings: &AcmeSettings) -> Self {
        Store(settings.store.clone())
    }

    /// Makes the folder, and sees that it can be written to before an authority is asked for what
    /// could not be kept.
    pub(super) fn make_ready(&self) -> Result<(), StoreError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|cause| self.failed("make the folder", &self.0, cause))?;
        let probe = self.0.join(".probe");
        self.write(&probe, b"")?;
        std::fs::remove_file(&probe).map_err(|cause| self.failed("remove", &probe, cause))
    }

    /// Where a host's certificate lies.
    pub(super) fn path(&self, host: &str) -> PathBuf {
        self.0.join(format!("{host}.pem"))
    }

    /// A host's certificate and its key, if they are there.
    pub(in crate::tls) fn certificate(&self, host: &str) -> Result<Option<Texts>, StoreError> {
        let text = self.read(&self.path(host))?;
        Ok(text.map(|text| Texts { chain: text.clone(), key: text, ocsp: None }))
    }

    /// Keeps a certificate and its key: in one file, so that neither is there without the other.
    pub(super) fn keep_certificate(&self, host: &str, texts: &Texts) -> Result<(), StoreError> {
        let text = [&texts.key[..], b"\n", &texts.chain].concat();
        self.write(&self.path(host), &text)
    }

    pub(super) fn account(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(&self.0.join(ACCOUNT))
    }

    pub(super) fn keep_account(&self, text: &[u8]) -> Result<(), StoreError> {
        self.write(&self.0.join(ACCOUNT), text)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", path, error)),
        };
        let mut text = Vec::new();
        let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text);
        match read.map_err(|cause| self.failed("read", path, cause))? as u64 {
            0..=FILE_BYTES_MAX => Ok(Some(text)),
            _ => Err(self.failed("read", path, io::Error::other("it is too long"))),
        }
    }

    /// Writes beside, then renames: a crash leaves the old file or the new one.
    fn write(&self, path: &Path, text: &[u8]) -> Result<(), StoreError> {
        let failed = |cause: io::Error| self.failed("write", path, cause);
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&beside).and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        });
        written.map_err(failed)?;
        std::fs::rename(&beside, path).map_err(failed)?;
        // Without it a crash of the machine may bring the old name back.
        File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn failed(&self, tried: &'static str, path: &Path, cause: io::Error) -> StoreError {
        StoreError { tried, path: path.to_owned(), cause }
    }
}

/// What a host's certificate is shown for.
pub(in crate::tls) fn pattern(host: &str) -> Vec<HostPattern> {
    vec![HostPattern::Exact(host.to_owned())]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_kept_is_read_and_is_nobody_elses() {
        let folder = std::env::temp_dir().join(format!("forebay-acme-{}", std::process::id()));
        let store = Store(folder.join("deep"));
        store.make_ready().unwrap();
        assert!(store.certificate("a.example").unwrap().is_none());
        let texts = Texts { chain: b"chain".to_vec(), key: b"key".to_vec(), ocsp: None };
        store.keep_certificate("a.example", &texts).unwrap();
        store.keep_certificate("a.example", &texts).unwrap();
        assert_eq!(store.certificate("a.example").unwrap().unwrap().chain, b"key\nchain");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.path("a.example")), 0o600);
        assert_eq!(mode(&store.0), 0o700);
        assert_eq!(std::fs::read_dir(&store.0).unwrap().count(), 1, "nothing lies beside");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_said_at_once() {
        let error = Store(PathBuf::from("/proc/forebay")).make_ready().unwrap_err().to_string();
        assert!(error.starts_with("cannot make the folder `/proc/forebay`: "), "{error}");
    }
}
