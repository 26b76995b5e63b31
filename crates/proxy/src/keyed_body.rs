//! Request bodies that are part of a cache key (P1.10): read whole, within a bound, and digested.

use bytes::{Bytes, BytesMut};
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

/// What of a body goes into the key.
pub fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
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
    fn different_bodies_have_different_digests() {
        assert_ne!(digest(b"a"), digest(b"b"));
        assert_eq!(digest(b""), digest(b""));
    }
}
