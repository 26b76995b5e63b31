//! Bodies between the cache, the origin and the client: the adapters, and nothing else.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use forebay_cache::mechanism::{BodyWriter, End, Reader, Whole};
use forebay_semantics::FieldBlock;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};

use crate::answer::{AnswerBody, BodyError};
use crate::upstream::OriginBody;

/// Trailers that are kept behind a body; a larger block is dropped.
const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// A body that arrives.
pub fn arriving(reader: Reader, length: Option<u64>) -> AnswerBody {
    AnswerBody::Stream { length, frames: Arriving { reader: Some(reader) }.boxed_unsync() }
}

/// A whole body that is held in several pieces, or that has trailers.
pub fn whole(whole: &Whole) -> AnswerBody {
    let trailers = whole.trailer().map(|block| Frame::trailers(fields_of(block)));
    let data = whole.slices(0..u64::MAX).collect::<Vec<_>>().into_iter().map(Frame::data);
    let frames = data.chain(trailers).map(Ok::<_, BodyError>);
    let body = StreamBody::new(futures_util::stream::iter(frames));
    // HTTP/1.1 has trailers only behind chunks (RFC 9112 section 7.1.2), so no length is said.
    let length = whole.trailer().is_none().then_some(whole.len());
    AnswerBody::Stream { length, frames: body.boxed_unsync() }
}

/// These slices, one after the other.
pub fn slices(slices: Vec<Bytes>, length: u64) -> AnswerBody {
    if let [only] = slices.as_slice() {
        return AnswerBody::Whole(only.clone());
    }
    let frames = slices.into_iter().map(|slice| Ok::<_, BodyError>(Frame::data(slice)));
    let body = StreamBody::new(futures_util::stream::iter(frames));
    AnswerBody::Stream { length: Some(length), frames: body.boxed_unsync() }
}

/// How sending an origin's body on went.
pub enum Pumped {
    /// It came to its end.
    Ended(End),
    /// It broke before, in this way.
    Broke(&'static str),
    /// It was not kept, and nobody read it any more.
    Deserted,
}

/// Writes an origin's body to its end, or breaks what is written where it breaks.
///
/// It belongs to the flight and not to a client; it stops early only when the body is not kept and
/// nobody reads it any more.
pub async fn pump(mut body: OriginBody, mut writer: BodyWriter) -> Pumped {
    let mut trailer = None;
    loop {
        if writer.room().await.is_err() {
            return Pumped::Deserted;
        }
        let next = tokio::select! {
            next = body.frame() => next,
            () = writer.deserted() => return Pumped::Deserted,
        };
        match next {
            None => break,
            Some(Err(failure)) => {
                writer.abort(failure.to_string());
                return Pumped::Broke(failure.detail());
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if writer.push(data).is_err() {
                        return Pumped::Deserted;
                    }
                    // Not a moment later than its readers know that this was all.
                    if body.is_end_stream() {
                        break;
                    }
                }
                Err(frame) => trailer = frame.into_trailers().ok().and_then(|map| block_of(&map)),
            },
        }
    }
    Pumped::Ended(writer.finish(trailer))
}

fn block_of(trailers: &HeaderMap) -> Option<Bytes> {
    let block = FieldBlock::from_map(trailers).as_bytes().clone();
    (block.len() <= TRAILER_BYTES_MAX).then_some(block)
}

/// The fields of a block in wire form.
pub fn fields_of(block: &Bytes) -> HeaderMap {
    FieldBlock::from_wire(block.clone()).to_map()
}

/// A reader of the cache's as the body that the server sends.
struct Arriving {
    reader: Option<Reader>,
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(reader) = &mut self.reader else { return Poll::Ready(None) };
        match std::task::ready!(reader.poll_next(cx)) {
            Some(Ok(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(Err(broken)) => Poll::Ready(Some(Err(broken.into()))),
            None => {
                let trailer = reader.trailer();
                self.reader = None;
                Poll::Ready(trailer.map(|block| Ok(Frame::trailers(fields_of(&block)))))
            }
        }
    }
}
