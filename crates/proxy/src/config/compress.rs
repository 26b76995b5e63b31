//! Which answers a route compresses, into what, and how hard it tries.

use forebay_semantics::coding::Coding;

use super::raw::{Section, said, size, word};
use super::text::{Refusal, refuse, word as one_of};

/// Bytes below which a response may be left alone.
const FROM: std::ops::RangeInclusive<u64> = 0..=1 << 30;

const CODINGS: &[(&str, Coding)] =
    &[("zstd", Coding::Zstd), ("br", Coding::Brotli), ("gzip", Coding::Gzip)];

const EFFORT: &[(&str, Effort)] =
    &[("fast", Effort::Fast), ("balanced", Effort::Balanced), ("best", Effort::Best)];

/// What a route compresses.
#[derive(Clone, Debug)]
pub struct CompressSettings {
    /// The codings that clients are offered, the preferred one first; none switches it off.
    pub codings: Vec<Coding>,
    /// Bytes from which a response is worth it.
    pub from_bytes: u64,
    /// How hard is tried.
    pub effort: Effort,
    /// Media types beside those that are known to get smaller.
    pub types: Vec<MediaTypes>,
}

/// How much time is spent on fewer bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Little.
    Fast,
    /// As much as pays for most.
    Balanced,
    /// All that there is: it is done once for many answers.
    Best,
}

/// A media type, or all of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTypes {
    group: String,
    /// `None` is all of the group.
    name: Option<String>,
}

impl Default for CompressSettings {
    fn default() -> Self {
        CompressSettings {
            codings: Vec::new(),
            // What is shorter fits into one packet anyway.
            from_bytes: 1 << 10,
            effort: Effort::Balanced,
            types: Vec::new(),
        }
    }
}

impl MediaTypes {
    /// Whether a media type in lower case is one of these.
    pub fn hold(&self, media_type: &str) -> bool {
        let Some((group, name)) = media_type.split_once('/') else { return false };
        group == self.group && self.name.as_deref().is_none_or(|own| own == name)
    }
}

/// Reads what a route and the defaults can say of it.
pub(super) fn read(table: &mut Section<'_>, settings: &mut CompressSettings) {
    if let Some(codings) = table.list("compress", said(|text| one_of(text, CODINGS))) {
        settings.codings.clear();
        for coding in codings {
            if !settings.codings.contains(&coding.value) {
                settings.codings.push(coding.value);
            }
        }
    }
    table.set("compress_from", size(FROM), &mut settings.from_bytes);
    table.set("compress_effort", word(EFFORT), &mut settings.effort);
    if let Some(types) = table.list("compress_types", said(media_types)) {
        settings.types = types.into_iter().map(|types| types.value).collect();
    }
}

fn media_types(text: &str) -> Result<MediaTypes, Refusal> {
    let is_word = |word: &str| {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !word.is_empty() && word.len() <= 127 && word.bytes().all(is_fine)
    };
    match text.split_once('/') {
        Some((group, "*")) if is_word(group) => {
            Ok(MediaTypes { group: group.to_ascii_lowercase(), name: None })
        }
        Some((group, name)) if is_word(group) && is_word(name) => {
            let (group, name) = (group.to_ascii_lowercase(), name.to_ascii_lowercase());
            Ok(MediaTypes { group, name: Some(name) })
        }
        Some(_) | None => refuse(
            "no response has such a type",
            "a media type such as \"application/x-protobuf\", or all of a group: \"model/*\"",
        ),
    }
}
