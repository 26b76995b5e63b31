//! Keys as bytes: whatever tells two values apart, with no two keys that share their bytes.
//!
//! What is of one length is written as it is; what is not has its length before it. So no text can
//! pretend to be two, and a tuple is its parts.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Bytes of a key that are written in place, without an allocation.
const IN_PLACE_BYTES: usize = 88;

/// The longest key, the cache's name included. A longer one is an error.
pub const KEY_BYTES_MAX: usize = 16 << 10;

/// What can be a key of a [`Cache`](crate::Cache).
///
/// Two keys that are not equal must not write the same bytes, and a borrowed form must write the same
/// bytes as its owned one. Writing the fields one after the other does both:
///
/// ```
/// use forebay_cache::{CacheKey, KeyWriter};
///
/// struct Page {
///     site: u32,
///     path: String,
/// }
///
/// impl CacheKey for Page {
///     fn write(&self, to: &mut KeyWriter) {
///         self.site.write(to);
///         self.path.write(to);
///     }
/// }
/// ```
pub trait CacheKey {
    /// Writes what tells it from all others of its type.
    fn write(&self, to: &mut KeyWriter);
}

/// Takes the bytes of a key. Short keys need no allocation.
pub struct KeyWriter {
    place: [u8; IN_PLACE_BYTES],
    len: usize,
    // A writer is moved about on the way of every hit: what is rare lies elsewhere.
    rare: Option<Box<Rare>>,
}

/// What most keys do not need.
enum Rare {
    Spilled(Vec<u8>),
    Refused(KeyError),
}

/// Why something cannot be a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    why: Cow<'static, str>,
}

impl KeyWriter {
    /// One that begins with these bytes.
    pub(crate) fn after(begin: &[u8]) -> Self {
        let mut writer = Self { place: [0; IN_PLACE_BYTES], len: 0, rare: None };
        writer.fixed(begin);
        writer
    }

    /// One that goes on from this one, which is all in place.
    #[inline]
    pub(crate) fn from_begin(begin: &Self) -> Self {
        Self { place: begin.place, len: begin.len, rare: None }
    }

    /// Writes bytes whose number is the same for every key of the type.
    #[inline]
    pub fn fixed(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.place.get_mut(self.len..end) {
            Some(place) => place.copy_from_slice(bytes),
            None => return self.spill(bytes, end),
        }
        self.len = end;
    }

    /// Writes bytes of any number.
    #[inline]
    pub fn counted(&mut self, bytes: &[u8]) {
        // What does not fit is refused below.
        self.fixed(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.fixed(bytes);
    }

    /// It cannot be a key, for this reason.
    pub fn refuse(&mut self, why: impl Into<Cow<'static, str>>) {
        match self.rare.as_deref() {
            Some(Rare::Refused(_)) => {}
            Some(Rare::Spilled(_)) | None => {
                self.rare = Some(Box::new(Rare::Refused(KeyError { why: why.into() })));
            }
        }
    }

    #[inline]
    pub(crate) fn bytes(&self) -> Result<&[u8], KeyError> {
        match self.rare.as_deref() {
            None => Ok(&self.place[..self.len]),
            Some(Rare::Spilled(bytes)) => Ok(bytes),
            Some(Rare::Refused(refused)) => Err(refused.clone()),
        }
    }

    // Once something is longer than the place, so is all that follows.
    #[cold]
    fn spill(&mut self, bytes: &[u8], end: usize) {
        if end > KEY_BYTES_MAX {
            return self.refuse(format!("it is longer than {KEY_BYTES_MAX} bytes"));
        }
        let place = &self.place[..self.len.min(IN_PLACE_BYTES)];
        let rare = self.rare.get_or_insert_with(|| Box::new(Rare::Spilled(place.to_vec())));
        if let Rare::Spilled(spilled) = &mut **rare {
            spilled.extend_from_slice(bytes);
            self.len = end;
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use this as a key: {}", self.why)
    }
}

impl std::error::Error for KeyError {}

macro_rules! fixed {
    ($($number:ty),*) => {$(
        impl CacheKey for $number {
            #[inline]
            fn write(&self, to: &mut KeyWriter) {
                to.fixed(&self.to_le_bytes());
            }
        }
    )*};
}

fixed!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

// Of one length on every machine that shares a tier.
impl CacheKey for usize {
    fn write(&self, to: &mut KeyWriter) {
        (*self as u64).write(to);
    }
}

impl CacheKey for isize {
    fn write(&self, to: &mut KeyWriter) {
        (*self as i64).write(to);
    }
}

impl CacheKey for bool {
    fn write(&self, to: &mut KeyWriter) {
        to.fixed(&[u8::from(*self)]);
    }
}

impl CacheKey for char {
    fn write(&self, to: &mut KeyWriter) {
        u32::from(*self).write(to);
    }
}

impl CacheKey for str {
    #[inline]
    fn write(&self, to: &mut KeyWriter) {
        to.counted(self.as_bytes());
    }
}

impl CacheKey for String {
    #[inline]
    fn write(&self, to: &mut KeyWriter) {
        self.as_str().write(to);
    }
}

impl CacheKey for [u8] {
    fn write(&self, to: &mut KeyWriter) {
        to.counted(self);
    }
}

impl CacheKey for Vec<u8> {
    fn write(&self, to: &mut KeyWriter) {
        to.counted(self);
    }
}

/// The bytes of a UUID, a digest, an address.
impl<const N: usize> CacheKey for [u8; N] {
    fn write(&self, to: &mut KeyWriter) {
        to.fixed(self);
    }
}

impl<T: CacheKey + ?Sized> CacheKey for &T {
    fn write(&self, to: &mut KeyWriter) {
        (**self).write(to);
    }
}

impl<T: CacheKey + ?Sized> CacheKey for Arc<T> {
    fn write(&self, to: &mut KeyWriter) {
        (**self).write(to);
    }
}

impl<T: CacheKey + ?Sized> CacheKey for Box<T> {
    fn write(&self, to: &mut KeyWriter) {
        (**self).write(to);
    }
}

impl<T: CacheKey> CacheKey for Option<T> {
    fn write(&self, to: &mut KeyWriter) {
        self.is_some().write(to);
        if let Some(key) = self {
            key.write(to);
        }
    }
}

/// For a cache of one value.
impl CacheKey for () {
    fn write(&self, _: &mut KeyWriter) {}
}

macro_rules! tuple {
    ($($part:ident)*) => {
        impl<$($part: CacheKey),*> CacheKey for ($($part,)*) {
            fn write(&self, to: &mut KeyWriter) {
                #[allow(non_snake_case)]
                let ($($part,)*) = self;
                $($part.write(to);)*
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);

/// Any type that serde can write, as a key. Its stored form is the key: a field that is added makes
/// other keys, and two keys with one form are one key. Maps without an order make poor keys.
#[cfg(feature = "serde")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SerdeKey<T>(pub T);

#[cfg(feature = "serde")]
impl<T: serde::Serialize> CacheKey for SerdeKey<T> {
    fn write(&self, to: &mut KeyWriter) {
        match postcard::to_allocvec(&self.0) {
            Ok(bytes) => to.counted(&bytes),
            Err(cause) => to.refuse(format!("serde does not write it: {cause}")),
        }
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn bytes(key: impl CacheKey) -> Vec<u8> {
        let mut writer = KeyWriter::after(b"");
        key.write(&mut writer);
        writer.bytes().unwrap().to_vec()
    }

    #[test]
    fn no_text_can_pretend_to_be_two() {
        assert_ne!(bytes(("a", "bc")), bytes(("ab", "c")));
        assert_ne!(bytes(("a\0", "b")), bytes(("a", "\0b")));
        assert_ne!(bytes((Some("a"), None::<&str>)), bytes((None::<&str>, Some("a"))));
        assert_ne!(bytes(("", 1_u32)), bytes((1_u32, "")));
    }

    #[test]
    fn a_borrowed_key_is_the_owned_one() {
        assert_eq!(bytes("a"), bytes(String::from("a")));
        assert_eq!(bytes(&b"a"[..]), bytes(b"a".to_vec()));
        assert_eq!(bytes(Arc::<str>::from("a")), bytes("a"));
    }

    #[test]
    fn a_long_key_is_whole_and_one_over_the_bound_is_refused() {
        let long = "x".repeat(5_000);
        let twice = bytes((long.as_str(), 7_u8, long.as_str()));
        assert_eq!(twice.len(), 2 * (4 + 5_000) + 1);
        assert_eq!(&twice[4..5_004], long.as_bytes());
        let mut writer = KeyWriter::after(b"name");
        "x".repeat(KEY_BYTES_MAX).write(&mut writer);
        assert!(writer.bytes().unwrap_err().to_string().contains("longer than 16384 bytes"));
    }

    proptest::proptest! {
        #[test]
        fn unequal_keys_have_unequal_bytes(
            one in proptest::prelude::any::<(String, Option<u16>, Vec<u8>, String)>(),
            other in proptest::prelude::any::<(String, Option<u16>, Vec<u8>, String)>(),
        ) {
            proptest::prop_assert_eq!(one == other, bytes(one.clone()) == bytes(other.clone()));
        }
    }
}
