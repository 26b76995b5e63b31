//! Field sections of HTTP/3: what is read keeps its bounds.

use forebay::server::h3::qpack::{Bounds, decode};

pub use super::http3::WORDS;

/// Bytes and fields of a section.
const BOUNDS: Bounds = Bounds { bytes_max: 1000, fields_max: 10 };

/// What each field counts beside its name and value.
const FIELD_BYTES: usize = 32;

/// Whatever is read is within its bounds.
pub fn run(bytes: &[u8]) {
    // Few bytes begin a section, and most inputs should get beyond them.
    for front in [&[][..], &[0, 0]] {
        let Ok(fields) = decode([front, bytes].concat().into(), BOUNDS) else { continue };
        assert!(fields.len() <= BOUNDS.fields_max);
        let sizes = fields.iter().map(|field| field.name.len() + field.value.len() + FIELD_BYTES);
        assert!(sizes.sum::<usize>() <= BOUNDS.bytes_max);
    }
}
