//! Authentication of stored values: whoever can write to a shared tier but does not know the secret
//! cannot make a node serve what he likes, nor move a value from one name to another.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::damage::Damage;

/// Bytes that a seal adds.
pub const SEAL_BYTES: usize = 32;

/// A secret that all nodes share (HMAC-SHA256, RFC 2104).
#[derive(Clone)]
pub struct Seal(Hmac<Sha256>);

impl Seal {
    /// A seal with this secret.
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("a key of any length will do"))
    }

    /// Appends the seal of a value that lies under this name.
    pub fn close(&self, name: &[u8], value: &mut Vec<u8>) {
        let seal = self.of(name, value).finalize().into_bytes();
        value.extend_from_slice(&seal);
    }

    /// The length of the value without its seal, if that holds for this name. Compared in constant
    /// time.
    pub fn open(&self, name: &[u8], sealed: &[u8]) -> Result<usize, Damage> {
        let len = sealed.len().checked_sub(SEAL_BYTES).ok_or(Damage::Unauthentic)?;
        let (value, seal) = sealed.split_at(len);
        self.of(name, value).verify_slice(seal).map_err(|_| Damage::Unauthentic)?;
        Ok(len)
    }

    // The name's length goes first, so that no name and value can be read as another pair.
    fn of(&self, name: &[u8], value: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        mac.update(&(name.len() as u64).to_le_bytes());
        mac.update(name);
        mac.update(value);
        mac
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}
