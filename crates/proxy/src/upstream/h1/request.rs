//! A request head in wire form, written from the fields as they are (RFC 9112 sections 2 to 6).

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body::Body as _;

use super::super::request::{RequestBody, Said, Unsendable, declared_length};

/// How a request says where its body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// It has none, and says nothing.
    Nothing,
    /// After so many bytes.
    Length(u64),
    /// Behind the last chunk.
    Chunked,
}

impl Framing {
    /// What the body is, whatever the fields say of it (RFC 9112 section 6). CONNECT has no place
    /// behind a gateway.
    pub(super) fn of(request: &Request<RequestBody>) -> Result<Self, Unsendable> {
        if request.method() == Method::CONNECT {
            return Err(Unsendable);
        }
        Ok(match request.body() {
            RequestBody::Empty => Framing::of_nothing(request.method()),
            RequestBody::Whole(bytes) if bytes.is_empty() => Framing::of_nothing(request.method()),
            RequestBody::Whole(bytes) => Framing::Length(bytes.len() as u64),
            RequestBody::Stream(frames) if frames.is_end_stream() => {
                Framing::of_nothing(request.method())
            }
            RequestBody::Stream(frames) => frames
                .size_hint()
                .exact()
                .or_else(|| declared_length(request.headers()))
                .map_or(Framing::Chunked, Framing::Length),
        })
    }

    fn of_nothing(method: &Method) -> Self {
        match *method {
            Method::POST | Method::PUT | Method::PATCH => Framing::Length(0),
            _ => Framing::Nothing,
        }
    }
}

/// Appends the head. `Host` is first: what the fields say, else the target's authority, else the
/// member's own (RFC 9112 section 3.2). `Expect` is the gateway's own to answer.
pub(super) fn append_head(
    out: &mut Vec<u8>,
    request: &Request<RequestBody>,
    framing: Framing,
    member_host: &HeaderValue,
) {
    let said = request.extensions().get::<Said>();
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    for part in [request.method().as_str(), " ", path, " HTTP/1.1\r\nHost: "] {
        out.extend_from_slice(part.as_bytes());
    }
    let host_said = said.and_then(|said| said.host.as_ref());
    let host = match (request.headers().get(HOST), host_said, request.uri().authority()) {
        (Some(host), _, _) => host.as_bytes(),
        (None, Some(host), _) => host.as_bytes(),
        (None, None, Some(authority)) => authority.as_str().as_bytes(),
        (None, None, None) => member_host.as_bytes(),
    };
    out.extend_from_slice(host);
    out.extend_from_slice(b"\r\n");
    append_fields(out, request.headers());
    out.extend_from_slice(said.map_or(&[], |said| &said.lines));
    match framing {
        Framing::Nothing => {}
        Framing::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
}

fn append_fields(out: &mut Vec<u8>, fields: &HeaderMap) {
    static OURS: [HeaderName; 5] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT];
    for (name, value) in fields.iter().filter(|(name, _)| !OURS.contains(name)) {
        append_field(out, name, value);
    }
    if fields.contains_key(UPGRADE) {
        out.extend_from_slice(b"Connection: upgrade\r\n");
    }
}

/// Appends a field line. Names go out in the case that they are written in everywhere else: there
/// are origins that know no other.
pub(super) fn append_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let begin = out.len();
    out.extend_from_slice(name.as_str().as_bytes());
    let mut begins_word = true;
    for byte in &mut out[begin..] {
        if begins_word {
            byte.make_ascii_uppercase();
        }
        begins_word = *byte == b'-';
    }
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
