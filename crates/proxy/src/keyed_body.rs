//! Request bodies that are part of a cache key (P1.10): read whole, within a bound, and digested.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use sha2::{Digest, Sha256};

use crate::server::RequestBody;
use crate::upstream;

/// What became of reading a body.
pub enum Keyed {
    /// All of it.
    Whole(Bytes),
    /// It is longer than the bound: what was read, and the rest behind it.
    TooLarge(upstream::RequestBody),
    /// The client broke it off.
    Cut,
}

/// Reads a body up to the bound.
pub async fn read(mut body: RequestBody, bytes_max: u64) -> Keyed {
    if body.length().is_some_and(|length| length > bytes_max) {
        return Keyed::TooLarge(upstream::RequestBody::Stream(body.boxed_unsync()));
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Keyed::Cut };
        // Trailers say nothing that could be keyed, and are not replayed.
        let Ok(data) = frame.into_data() else { continue };
        read.extend_from_slice(&data);
        if read.len() as u64 > bytes_max {
            return Keyed::TooLarge(rejoined(read.freeze(), body));
        }
    }
    Keyed::Whole(read.freeze())
}

fn rejoined(read: Bytes, rest: RequestBody) -> upstream::RequestBody {
    let first = futures_util::stream::iter([Ok(Frame::data(read))]);
    let rest = http_body_util::BodyStream::new(rest);
    let frames = futures_util::StreamExt::chain(first, rest);
    upstream::RequestBody::Stream(StreamBody::new(frames).boxed_unsync())
}

/// What of a body goes into the key: its bytes, and the fields that say what they mean, since an
/// origin reads the same bytes in another way under another `Content-Type`.
pub fn digest(fields: &HeaderMap, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE] {
        let lines: Vec<&[u8]> = fields.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        add(&(lines.len() as u64).to_be_bytes());
        lines.into_iter().for_each(&mut add);
    }
    add(body);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn joined(body: upstream::RequestBody) -> Bytes {
        let upstream::RequestBody::Stream(frames) = body else { return Bytes::new() };
        frames.collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn a_body_at_the_bound_is_read_whole_and_one_beyond_goes_on_unchanged() {
        let body = || RequestBody::whole(Bytes::from_static(b"12345"));
        let Keyed::Whole(bytes) = read(body(), 5).await else { panic!("within the bound") };
        assert_eq!(bytes, "12345");
        let Keyed::TooLarge(rest) = read(body(), 4).await else { panic!("beyond the bound") };
        assert_eq!(joined(rest).await, "12345");
    }

    #[test]
    fn different_bodies_and_other_meanings_of_one_have_different_digests() {
        let plain = |body: &[u8]| digest(&HeaderMap::new(), body);
        assert_ne!(plain(b"a"), plain(b"b"));
        assert_eq!(plain(b""), plain(b""));
        let of_type = |kind| {
            let field = (header::CONTENT_TYPE, HeaderValue::from_static(kind));
            digest(&HeaderMap::from_iter([field]), b"a")
        };
        assert_ne!(of_type("text/plain"), of_type("text/html"));
        assert_ne!(of_type(""), plain(b"a"));
    }
}
