//! Secrets that a request may say: the skip field's and the admin token.

use sha2::{Digest, Sha256};

/// Whether what was said is the secret. Digests are compared, so that the time taken says nothing
/// of it.
pub fn is_same(secret: &[u8], said: &[u8]) -> bool {
    Sha256::digest(secret) == Sha256::digest(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_secret_is_the_secret() {
        let check = |said: &[u8], expected: bool| assert_eq!(is_same(b"open", said), expected);
        check(b"open", true);
        check(b"ope", false);
        check(b"open ", false);
        check(b"", false);
    }
}
