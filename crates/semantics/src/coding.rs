//! Content codings: which of those that a server has suits a request best (RFC 9110 sections 8.4.1 and
//! 12.5.3), and what a coded form may say of itself.
//!
//! Read strictly: of a field that is not well formed nothing is believed, and the answer is as it is
//! stored. A coding that the client did not ask for is never sent.

#[cfg(test)]
mod tests;

use http::{HeaderMap, header};

use crate::etag::{self, Comparison, EntityTag, Strength};
use crate::fields::members_of;
use crate::weighted::Weighted;

/// Members of one `Accept-Encoding` that are read; one with more asks for nothing.
pub const MEMBERS_MAX: usize = 64;

/// A content coding that a response can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// Zstandard (RFC 8878).
    Zstd,
    /// Brotli (RFC 7932).
    Brotli,
    /// Gzip (RFC 1952).
    Gzip,
}

impl Coding {
    /// Each, in the order of [`Coding::place`].
    pub const ALL: [Coding; 3] = [Coding::Zstd, Coding::Brotli, Coding::Gzip];

    /// Its name in `Content-Encoding`.
    pub fn word(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
        }
    }

    /// Its place in [`Coding::ALL`].
    pub fn place(self) -> usize {
        self as usize
    }

    fn is_named(self, word: &[u8]) -> bool {
        let is_old = self == Coding::Gzip && word.eq_ignore_ascii_case(b"x-gzip");
        is_old || word.eq_ignore_ascii_case(self.word().as_bytes())
    }
}

/// The offered coding that the client wants most, the first offered of several; `None` where the
/// response as it is suits it as well or better. A client that says nothing gets no coding.
pub fn choose(request: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let wishes = Wishes::read(request)?;
    let mut best: Option<(Coding, u16)> = None;
    for coding in offered {
        let weight = wishes.of(|word| coding.is_named(word)).unwrap_or(wishes.rest);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((*coding, weight));
        }
    }
    // Without a word of it, identity is acceptable and not wanted.
    let as_it_is = wishes.of(|word| word.eq_ignore_ascii_case(b"identity")).unwrap_or(0);
    best.filter(|(_, weight)| *weight >= as_it_is).map(|(coding, _)| coding)
}

/// What an `Accept-Encoding` says.
struct Wishes<'a> {
    members: Vec<Weighted<'a>>,
    /// The weight of what is not named: that of `*`, or 0.
    rest: u16,
}

impl<'a> Wishes<'a> {
    fn read(request: &'a HeaderMap) -> Option<Self> {
        if !request.contains_key(header::ACCEPT_ENCODING) {
            return None;
        }
        let mut members = Vec::new();
        for member in members_of(request, &header::ACCEPT_ENCODING) {
            if members.len() == MEMBERS_MAX {
                return None;
            }
            members.push(Weighted::read(member)?);
        }
        let mut wishes = Wishes { members, rest: 0 };
        wishes.rest = wishes.of(|word| word == b"*").unwrap_or(0);
        Some(wishes)
    }

    /// The least weight that is given to it: who refuses it once, refuses it.
    fn of(&self, is_it: impl Fn(&[u8]) -> bool) -> Option<u16> {
        self.members.iter().filter(|it| is_it(it.word)).map(|it| it.weight).min()
    }
}

/// The entity tag of a coded form, given that of the form as it is stored: weak, since its bytes are
/// others (RFC 9110 section 8.8.3.3). `None` where the tag is weak already, or no tag.
pub fn weakened(etag: &[u8]) -> Option<Vec<u8>> {
    match EntityTag::parse(etag)?.strength {
        Strength::Strong => Some([b"W/", etag.trim_ascii()].concat()),
        Strength::Weak => None,
    }
}

/// Whether the client that is told 304 holds the form as it is stored, for it named the strong tag.
/// What it holds otherwise may be a coded form.
pub fn holds_stored_form(request: &HeaderMap, etag: Option<&[u8]>) -> bool {
    let tag = etag.and_then(EntityTag::parse);
    etag::lists(request, &header::IF_NONE_MATCH, tag, Comparison::Strong)
}

/// Whether a field of a stored response is not true of a coded form: it is about the bytes. Takes the
/// name in lower case.
pub fn is_about_bytes(name: &str) -> bool {
    const ABOUT_BYTES: [&str; 6] = [
        "accept-ranges",
        "content-digest",
        "content-length",
        "content-md5",
        "digest",
        "repr-digest",
    ];
    ABOUT_BYTES.contains(&name)
}
