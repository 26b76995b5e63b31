//! A key read back: whose resource it is about.
//!
//! A purge names hosts and URIs; what is kept is known by its key alone. So the parts of a key that
//! come from the target URI are found in it again, without allocating.

use super::{Kind, Scheme};

/// The parts of a key that come from the target URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTarget<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// The host in lower case, without a trailing dot.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// The path, where the key has it; else the prefix of its route.
    pub path: &'a [u8],
    /// What follows the authority.
    rest: &'a [u8],
}

impl<'a> KeyTarget<'a> {
    /// Reads a primary key; `None` for bytes that are none.
    pub fn of(key: &'a [u8]) -> Option<Self> {
        let (&kind, rest) = key.split_first()?;
        let scheme = match kind {
            kind if kind == Kind::Http as u8 => Scheme::Http,
            kind if kind == Kind::Https as u8 => Scheme::Https,
            _ => return None,
        };
        let (host, rest) = bytes(rest)?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let mut target = KeyTarget {
            scheme,
            host: str::from_utf8(host).ok()?,
            port: u16::from_be_bytes(*port),
            path: b"",
            rest,
        };
        let mut pieces = Pieces(rest);
        let path = pieces.find(|piece| piece.kind == Kind::Path as u8);
        target.path = match path {
            Some(path) => path.value,
            // Behind a key without a path stands the prefix of its route.
            None => pieces.0,
        };
        Some(target)
    }

    /// The port, where the scheme does not imply it.
    pub fn odd_port(&self) -> Option<u16> {
        (self.port != self.scheme.default_port()).then_some(self.port)
    }

    /// The pieces that tell this resource from others of its authority: path and query, as the key
    /// has them.
    pub fn resource(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut pieces = Pieces(self.rest);
        let mut is_over = false;
        std::iter::from_fn(move || {
            for piece in pieces.by_ref() {
                let is_query =
                    (Kind::QueryAbsent as u8..=Kind::QueryParameters as u8).contains(&piece.kind);
                if is_query || piece.kind == Kind::Path as u8 {
                    return Some(piece.whole);
                }
            }
            let left = std::mem::replace(&mut is_over, true);
            (!left && !pieces.0.is_empty()).then_some(pieces.0)
        })
    }

    /// A URI that makes these parts of the key: that of the request, or, where parameters are sorted or
    /// left out, one with those that the key has in its order. `None` where the key has no path or query.
    pub fn uri(&self) -> Option<String> {
        let mut pieces = Pieces(self.rest);
        let path = pieces.find(|piece| piece.kind == Kind::Path as u8)?;
        let query = Pieces(self.rest).find_map(|piece| match piece.kind {
            kind if kind == Kind::QueryAbsent as u8 => Some(None),
            kind if kind == Kind::QueryWhole as u8 => Some(Some(piece.value.to_vec())),
            kind if kind == Kind::QueryParameters as u8 => joined(piece.whole),
            _ => None,
        })?;
        let mut uri = format!("{}://{}", self.scheme.word(), self.host);
        if let Some(port) = self.odd_port() {
            uri.push_str(&format!(":{port}"));
        }
        uri.push_str(str::from_utf8(path.value).ok()?);
        if let Some(query) = query {
            uri.push('?');
            uri.push_str(str::from_utf8(&query).ok()?);
        }
        Some(uri)
    }

    /// Whether a GET of [`KeyTarget::uri`], without any field, has this key.
    pub fn is_of_uri_alone(&self) -> bool {
        let [first, last] = [Kind::Path, Kind::QueryParameters].map(|kind| kind as u8);
        let mut pieces = Pieces(self.rest);
        let is_of_uri = |piece: Piece<'_>| match piece.kind {
            kind if kind == Kind::Method as u8 => piece.value == b"GET",
            kind => (first..=last).contains(&kind),
        };
        pieces.all(is_of_uri) && pieces.0.is_empty()
    }
}

/// The query of which a list of parameters was made, in its order; none within where it had none.
fn joined(list: &[u8]) -> Option<Option<Vec<u8>>> {
    let (count, mut rest) = number(list.get(1..)?)?;
    let mut parameters = Vec::new();
    for _ in 0..count {
        let (parameter, after) = bytes(rest)?;
        parameters.push(parameter);
        rest = after;
    }
    Some((!parameters.is_empty()).then(|| parameters.join(&b'&')))
}

/// The pieces of a key behind its authority, up to the first byte that begins none.
struct Pieces<'a>(&'a [u8]);

/// One of them.
#[derive(Clone, Copy)]
struct Piece<'a> {
    kind: u8,
    /// All its bytes.
    whole: &'a [u8],
    /// What it says; nothing for lists.
    value: &'a [u8],
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let all = self.0;
        let (&kind, rest) = all.split_first()?;
        let (value, rest) = match kind {
            kind if kind == Kind::QueryAbsent as u8 => (&b""[..], rest),
            kind if kind == Kind::QueryParameters as u8 => (&b""[..], list(rest)?),
            kind if kind == Kind::Field as u8 || kind == Kind::Cookie as u8 => {
                let (name, rest) = bytes(rest)?;
                (name, list(rest)?)
            }
            kind if (Kind::Method as u8..=Kind::Body as u8).contains(&kind) => bytes(rest)?,
            _ => return None,
        };
        self.0 = rest;
        Some(Piece { kind, whole: &all[..all.len() - rest.len()], value })
    }
}

/// What follows a list.
fn list(from: &[u8]) -> Option<&[u8]> {
    let (count, mut rest) = number(from)?;
    for _ in 0..count {
        rest = bytes(rest)?.1;
    }
    Some(rest)
}

fn bytes(from: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(from)?;
    rest.split_at_checked(length)
}

fn number(from: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_usize;
    for (place, byte) in from.iter().enumerate().take(5) {
        number |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((number, &from[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, Uri};
    use proptest::prelude::*;

    use super::super::{Part, Query, TargetParts, Template};
    use super::*;

    fn key(template: &Template, uri: &str) -> Vec<u8> {
        let mut fields = HeaderMap::new();
        fields.insert("cookie", HeaderValue::from_static("a=1; a=2"));
        let target: Uri = uri.parse().unwrap();
        let parts = TargetParts::of(Scheme::Http, &target, &fields).unwrap();
        let mut key = Vec::new();
        template.key(&parts, &Method::GET, &fields, None, &mut key);
        key
    }

    #[test]
    fn a_key_of_all_parts_gives_its_uri_back() {
        for uri in ["http://a.example/", "http://a.example:8080/b/c?d=e&f", "http://[::1]/?"] {
            let key = key(&Template::default(), uri);
            let read = KeyTarget::of(&key).unwrap();
            assert_eq!(read.uri().as_deref(), Some(uri));
            let parsed: Uri = uri.parse().unwrap();
            assert_eq!(read.path, parsed.path().as_bytes());
            assert_eq!(read.odd_port(), parsed.port_u16());
        }
    }

    #[test]
    fn only_path_and_query_tell_resources_apart() {
        let cookie = Part::Cookie("a".to_owned());
        let header = Part::Field(http::header::ACCEPT);
        let query = Part::Query(Query::Sorted);
        let long = Template { parts: vec![cookie, Part::Method, Part::Path, header, query] };
        let short = Template { parts: vec![Part::Path, Part::Query(Query::Sorted)] };
        let resource = |template: &Template, uri: &str| {
            let key = key(template, uri);
            KeyTarget::of(&key).unwrap().resource().map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let (one, other) = ("http://a/b?d=1&c=2", "http://a/b?c=2&d=1");
        assert_eq!(resource(&long, one), resource(&short, other));
        assert_ne!(resource(&long, one), resource(&short, "http://a/b?c=2"));
        assert_ne!(resource(&long, one), resource(&short, "http://a/c?c=2&d=1"));
        assert!(!KeyTarget::of(&key(&long, one)).unwrap().is_of_uri_alone(), "it has a cookie");
        assert!(KeyTarget::of(&key(&short, one)).unwrap().is_of_uri_alone());
    }

    #[test]
    fn a_key_of_some_parameters_gives_a_uri_that_makes_it_again() {
        let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        for (query, asked, made) in [
            (Query::Sorted, "http://a/b?d=1&c=2&c=1", "http://a/b?c=2&c=1&d=1"),
            (Query::Sorted, "http://a/b", "http://a/b"),
            (Query::Sorted, "http://a/b?", "http://a/b?"),
            (Query::Without(listed(&["u"])), "http://a/b?u=1&d=1", "http://a/b?d=1"),
            (Query::Without(listed(&["u"])), "http://a/b?u=1", "http://a/b"),
            (Query::Only(listed(&["d"])), "http://a/b?u=1&d=1&D=2", "http://a/b?D=2&d=1"),
        ] {
            let template = Template { parts: vec![Part::Path, Part::Query(query)] };
            let bytes = key(&template, asked);
            let uri = KeyTarget::of(&bytes).unwrap().uri();
            assert_eq!(uri.as_deref(), Some(made), "{asked}");
            assert_eq!(key(&template, made), bytes, "{asked}");
        }
    }

    #[test]
    fn a_key_of_another_method_or_of_a_field_is_not_of_its_uri_alone() {
        let of = |parts: Vec<Part>| {
            let key = key(&Template { parts }, "http://a/b");
            KeyTarget::of(&key).unwrap().is_of_uri_alone()
        };
        assert!(of(Template::default().parts));
        assert!(!of(vec![Part::Path, Part::Field(http::header::ACCEPT)]));
        let mut posted = Vec::new();
        let (target, fields) = ("http://a/b".parse().unwrap(), HeaderMap::new());
        let parts = TargetParts::of(Scheme::Http, &target, &fields).unwrap();
        let template = Template::default();
        template.key(&parts, &Method::POST, &fields, Some(&[7; 32]), &mut posted);
        assert!(!KeyTarget::of(&posted).unwrap().is_of_uri_alone());
    }

    #[test]
    fn a_key_without_a_path_has_the_prefix_of_its_route() {
        let mut bytes = key(&Template { parts: vec![Part::Method] }, "http://a/b");
        bytes.extend_from_slice(b"/shop/");
        let read = KeyTarget::of(&bytes).unwrap();
        assert_eq!(read.path, b"/shop/");
        assert_eq!(read.resource().collect::<Vec<_>>(), [b"/shop/"]);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(0_u8..12, 0..40)) {
            if let Some(read) = KeyTarget::of(&bytes) {
                prop_assert!(read.resource().map(<[u8]>::len).sum::<usize>() <= bytes.len());
                let _ = (read.uri(), read.is_of_uri_alone());
            }
        }
    }
}
