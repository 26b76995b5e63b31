//! A request to an origin, whatever version of HTTP it goes over.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::combinators::UnsyncBoxBody;

use crate::answer::BodyError;
use crate::http1::parse_fields;

/// What a gateway says of the client and of itself, as an extension of the request.
///
/// It is the same few lines each time. They are written as they go over HTTP/1, and become fields
/// only where somebody looks at them.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// `Host`, where the request has none; without either it is the member's own.
    pub host: Option<String>,
    /// Whole lines `Name: value\r\n`, none of them framing.
    pub lines: Vec<u8>,
}

/// The fields of a request, with all that is said among them.
pub fn spread<B>(request: &mut Request<B>) -> &mut HeaderMap {
    let Said { host, lines } = request.extensions_mut().remove::<Said>().unwrap_or_default();
    let fields = request.headers_mut();
    // What we wrote ourselves can be read.
    fields.extend(parse_fields(&Bytes::from(lines), 0).unwrap_or_default());
    if let Some(Ok(host)) = host.map(HeaderValue::try_from) {
        fields.entry(HOST).or_insert(host);
    }
    fields
}

/// The digest of a request's cache key, as an extension of the request: one that is chosen by it
/// goes to the same member as others of that key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyHash(pub u64);

/// The body of a request to an origin.
#[derive(Default)]
pub enum RequestBody {
    /// None.
    #[default]
    Empty,
    /// All of it; it can be sent twice.
    Whole(Bytes),
    /// It arrives from the client.
    Stream(UnsyncBoxBody<Bytes, BodyError>),
}

impl RequestBody {
    /// The same body once more, unless it can be read only once.
    pub(super) fn replay(&self) -> Option<RequestBody> {
        match self {
            RequestBody::Empty => Some(RequestBody::Empty),
            RequestBody::Whole(bytes) => Some(RequestBody::Whole(bytes.clone())),
            RequestBody::Stream(_) => None,
        }
    }
}

/// That a request cannot be said in the version of HTTP at hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unsendable;

/// The length that the fields say: one `Content-Length`, and it is a number.
pub(super) fn declared_length(fields: &HeaderMap) -> Option<u64> {
    let mut values = fields.get_all(CONTENT_LENGTH).iter();
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    let text = only.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}
