//! How values become bytes for the levels below memory, and what becomes of bytes that do not read.

use std::fmt;
#[cfg(feature = "stored")]
use std::marker::PhantomData;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Turns values into bytes and back. What one process wrote, every other reads that has the same
/// schema (`Builder::schema`).
///
/// ```
/// use forebay_cache::{BoxError, Codec, Undecoded};
///
/// struct Text;
///
/// impl Codec<String> for Text {
///     fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<(), BoxError> {
///         out.extend_from_slice(value.as_bytes());
///         Ok(())
///     }
///
///     fn decode(&self, bytes: &[u8]) -> Result<String, Undecoded> {
///         String::from_utf8(bytes.to_vec()).map_err(|cause| Undecoded::Foreign(cause.into()))
///     }
/// }
/// ```
pub trait Codec<V>: Send + Sync + 'static {
    /// Appends the stored form of a value.
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<(), BoxError>;

    /// Makes a value of its stored form.
    fn decode(&self, bytes: &[u8]) -> Result<V, Undecoded>;
}

/// Why a stored form is not a value.
#[derive(Debug)]
pub enum Undecoded {
    /// It does not read: of another shape, or damaged. That is a miss.
    Foreign(BoxError),
    /// It reads, and no value can be made of it. The caller is told, and nothing is kept.
    NotTransformed(BoxError),
}

/// The default codec: [postcard](https://docs.rs/postcard), compact and fast, for any type that serde
/// reads and writes. It does not describe itself: a type that changes needs another
/// schema (`Builder::schema`).
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

#[cfg(feature = "serde")]
impl<V: serde::Serialize + serde::de::DeserializeOwned> Codec<V> for Postcard {
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.append(&mut postcard::to_allocvec(value)?);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, Undecoded> {
        match postcard::take_from_bytes(bytes) {
            Ok((value, [])) => Ok(value),
            Ok((_, more)) => {
                let why = format!("{} bytes more than the value", more.len());
                Err(Undecoded::Foreign(why.into()))
            }
            Err(cause) => Err(Undecoded::Foreign(cause.into())),
        }
    }
}

/// A codec for values whose stored form is of another type: text that is parsed, rules that are
/// compiled. The form is stored, the value is what memory holds.
#[cfg(feature = "stored")]
#[derive(Clone)]
pub struct Transformed<S, C, To, From> {
    codec: C,
    to_stored: To,
    from_stored: From,
    stored: PhantomData<fn() -> S>,
}

#[cfg(feature = "stored")]
impl<S, C, To, From> Transformed<S, C, To, From> {
    /// Stores what `to_stored` makes of a value, as `codec` writes it; `from_stored` makes the value
    /// again when it comes up into memory. Its error reaches the caller, and nothing is kept.
    pub fn new(codec: C, to_stored: To, from_stored: From) -> Self {
        Self { codec, to_stored, from_stored, stored: PhantomData }
    }
}

#[cfg(feature = "stored")]
impl<V, S, C, To, From> Codec<V> for Transformed<S, C, To, From>
where
    S: 'static,
    C: Codec<S>,
    To: Fn(&V) -> Result<S, BoxError> + Send + Sync + 'static,
    From: Fn(S) -> Result<V, BoxError> + Send + Sync + 'static,
{
    fn encode(&self, value: &V, out: &mut Vec<u8>) -> Result<(), BoxError> {
        self.codec.encode(&(self.to_stored)(value)?, out)
    }

    fn decode(&self, bytes: &[u8]) -> Result<V, Undecoded> {
        let stored = self.codec.decode(bytes)?;
        (self.from_stored)(stored).map_err(Undecoded::NotTransformed)
    }
}

#[cfg(feature = "stored")]
impl<S, C: fmt::Debug, To, From> fmt::Debug for Transformed<S, C, To, From> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transformed").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl fmt::Display for Undecoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Undecoded::Foreign(cause) => write!(f, "cannot read the stored form: {cause}"),
            Undecoded::NotTransformed(cause) => {
                write!(f, "cannot make a value of the stored form: {cause}")
            }
        }
    }
}

impl std::error::Error for Undecoded {}
