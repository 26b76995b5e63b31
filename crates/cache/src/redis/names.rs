//! Under which keys things lie in Redis: `<prefix>{<tag>}:<kind>…`.
//!
//! The tag is a digest of what a cache key belongs to, its family: all that belongs together lies in
//! one slot of a Redis Cluster, and no cache key's length or bytes show in a name. Two cache keys
//! with one digest are told apart when they are read: the full key is compared.

use sha2::{Digest, Sha256};

use crate::entry::Key;

/// What a cache key belongs to: a part of its bytes, or all of them.
pub type Family = fn(&[u8]) -> &[u8];

/// Bytes of a digest that are kept.
const DIGEST_BYTES: usize = 16;

/// Makes the names.
#[derive(Clone, Debug)]
pub struct Names {
    prefix: Box<str>,
    family: Family,
}

impl Names {
    /// Names that begin so. A brace in the prefix would move the hash tag: it is left out.
    pub fn new(prefix: &str, family: Family) -> Self {
        let prefix = prefix.chars().filter(|c| !matches!(c, '{' | '}')).collect::<String>();
        Self { prefix: prefix.into(), family }
    }

    /// Each key is a family of its own.
    pub fn of_whole_keys(prefix: &str) -> Self {
        Self::new(prefix, |key| key)
    }

    /// What this key belongs to.
    pub fn family_of(&self, key: &Key) -> Key {
        Key::from((self.family)(key.as_bytes()))
    }

    /// Where an entry lies.
    pub fn entry(&self, key: &Key) -> Vec<u8> {
        self.name(key, "e")
    }

    /// Where a piece of a long body lies; the token is of one store alone.
    pub fn chunk(&self, key: &Key, token: &[u8; 16], index: u32) -> Vec<u8> {
        let mut name = self.name(key, "c");
        name.push(b':');
        push_hex(token, &mut name);
        name.extend_from_slice(format!(":{index}").as_bytes());
        name
    }

    /// Where the lease for a key lies. Its value begins with the 16 bytes of its token.
    pub fn lease(&self, key: &Key) -> Vec<u8> {
        self.name(key, "l")
    }

    /// Where it is said that a refresh failed, and a pause is kept.
    pub fn rest(&self, key: &Key) -> Vec<u8> {
        self.name(key, "r")
    }

    /// Where it is said that a key is not shareable.
    pub fn declined(&self, key: &Key) -> Vec<u8> {
        self.name(key, "d")
    }

    /// Where it is said that an entry was offered once.
    pub fn sighting(&self, key: &Key) -> Vec<u8> {
        self.name(key, "s")
    }

    /// A channel, or another name that belongs to no key.
    pub fn global(&self, word: &str) -> Vec<u8> {
        format!("{}{word}", self.prefix).into_bytes()
    }

    // The family's own name is short; another key of it has a digest of its own behind the kind.
    fn name(&self, key: &Key, kind: &str) -> Vec<u8> {
        let (whole, family) = (key.as_bytes(), (self.family)(key.as_bytes()));
        let mut name = Vec::with_capacity(self.prefix.len() + 4 * DIGEST_BYTES + 8);
        name.extend_from_slice(self.prefix.as_bytes());
        name.push(b'{');
        push_hex(&digest(family), &mut name);
        name.extend_from_slice(b"}:");
        name.extend_from_slice(kind.as_bytes());
        if whole != family {
            name.push(b':');
            push_hex(&digest(whole), &mut name);
        }
        name
    }
}

fn digest(bytes: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut kept = [0; DIGEST_BYTES];
    kept.copy_from_slice(&Sha256::digest(bytes)[..DIGEST_BYTES]);
    kept
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn until_slash(key: &[u8]) -> &[u8] {
        key.split(|byte| *byte == b'/').next().unwrap_or(key)
    }

    fn tag(name: &[u8]) -> &[u8] {
        let open = name.iter().position(|byte| *byte == b'{').unwrap();
        let close = name.iter().position(|byte| *byte == b'}').unwrap();
        &name[open + 1..close]
    }

    #[test]
    fn a_family_shares_one_tag_and_no_name() {
        let names = Names::new("fb:", until_slash);
        let (family, member) = (Key::from(&b"a"[..]), Key::from(&b"a/b"[..]));
        let all = [
            names.entry(&family),
            names.entry(&member),
            names.chunk(&family, &[7; 16], 0),
            names.chunk(&member, &[7; 16], 0),
            names.chunk(&member, &[7; 16], 1),
            names.chunk(&member, &[8; 16], 1),
            names.lease(&family),
            names.lease(&member),
            names.rest(&family),
            names.declined(&family),
            names.sighting(&family),
        ];
        for (index, name) in all.iter().enumerate() {
            assert_eq!(tag(name), tag(&all[0]));
            assert!(!all[..index].contains(name));
        }
        assert_ne!(tag(&names.entry(&Key::from(&b"b/b"[..]))), tag(&all[0]));
    }

    #[test]
    fn a_prefix_cannot_move_the_hash_tag() {
        let name = Names::of_whole_keys("a{b}c:").entry(&Key::from(&b"k"[..]));
        assert!(name.starts_with(b"abc:{"), "{}", name.escape_ascii());
    }
}
