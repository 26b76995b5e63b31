//! A service that plays what a test says, and ways to talk to it in bytes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use forebay::answer::{Answer, AnswerBody, BodyError};
use forebay::config::Limits;
use forebay::server::{Peer, Request, Service, Transport, serve_connection};
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

pub(crate) const PEER: Peer = Peer { address: None, local: None, transport: Transport::Plain };

type Played = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Answers as a closure says.
#[derive(Clone)]
pub(crate) struct Stage(Arc<dyn Fn(Request) -> Played + Send + Sync>);

impl Stage {
    pub(crate) fn new<F>(play: impl Fn(Request) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        Stage(Arc::new(move |request| Box::pin(play(request))))
    }

    /// Says method, target, host and body of every request.
    pub(crate) fn echo() -> Self {
        Stage::new(echo)
    }
}

async fn echo(request: Request) -> Answer {
    let host = request.fields.get("host").map_or("-", |host| host.to_str().unwrap()).to_owned();
    let told = format!("{} {} {host}", request.method, request.target);
    match request.body.collect().await {
        Ok(body) => {
            let trailers = body.trailers().cloned();
            let body = body.to_bytes();
            let mut told = format!("{told} [{}]", String::from_utf8_lossy(&body));
            for (name, value) in trailers.iter().flatten() {
                told.push_str(&format!(" {name}={}", value.to_str().unwrap()));
            }
            whole(told)
        }
        Err(error) => whole(format!("{told} ({error})")),
    }
}

impl Service for Stage {
    fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send {
        (self.0)(request)
    }
}

pub(crate) fn answer(status: StatusCode, body: AnswerBody) -> Answer {
    let date = Bytes::from_static(b"date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
    Answer { status, prepared: [date, Bytes::new()], fields: HeaderMap::new(), body, tunnel: None }
}

pub(crate) fn whole(body: impl Into<Bytes>) -> Answer {
    answer(StatusCode::OK, AnswerBody::Whole(body.into()))
}

/// A streamed answer; an empty piece stands for an error.
pub(crate) fn stream(length: Option<u64>, pieces: &'static [&'static str]) -> Answer {
    stream_with(length, pieces, None)
}

pub(crate) fn stream_with(
    length: Option<u64>,
    pieces: &'static [&'static str],
    trailers: Option<HeaderMap>,
) -> Answer {
    let data = pieces.iter().map(|piece| match *piece {
        "" => Err::<_, BodyError>("the origin went away".into()),
        piece => Ok(Frame::data(Bytes::from_static(piece.as_bytes()))),
    });
    let frames = futures_util::stream::iter(data)
        .chain(futures_util::stream::iter(trailers.map(|trailers| Ok(Frame::trailers(trailers)))));
    let frames = StreamBody::new(frames).boxed_unsync();
    answer(StatusCode::OK, AnswerBody::Stream { length, frames })
}

pub(crate) fn limits() -> Limits {
    Limits {
        head_bytes_max: 2048,
        target_bytes_max: 512,
        fields_max: 20,
        body_bytes_max: 1 << 20,
        ..Limits::default()
    }
}

/// A connection to a stage.
pub(crate) fn connect(stage: Stage, limits: Limits) -> DuplexStream {
    connect_through(stage, limits, 64 * 1024)
}

/// The same over a pipe that holds so many bytes in each direction.
pub(crate) fn connect_through(stage: Stage, limits: Limits, bytes: usize) -> DuplexStream {
    let (client, server) = duplex(bytes);
    tokio::spawn(serve_connection(server, PEER, limits, stage));
    client
}

/// Sends bytes, closes that direction, and reads all that comes back.
pub(crate) async fn talk(stage: Stage, sent: &str) -> String {
    let mut client = connect(stage, limits());
    // The server may close before it has read all.
    let _ = client.write_all(sent.as_bytes()).await;
    let _ = client.shutdown().await;
    read_all(&mut client).await
}

pub(crate) async fn read_all(client: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut received = Vec::new();
    let _ = client.read_to_end(&mut received).await;
    String::from_utf8_lossy(&received).into_owned()
}

/// Reads until the text was seen.
pub(crate) async fn read_until(client: &mut (impl AsyncReadExt + Unpin), text: &str) -> String {
    let mut received = String::new();
    while !received.contains(text) {
        let mut bytes = [0; 4096];
        let count = client.read(&mut bytes).await.unwrap();
        assert!(count > 0, "the connection ended before {text:?}: {received:?}");
        received.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    received
}

/// The statuses of the responses in what was received, and the line that ends the last one.
pub(crate) fn statuses(received: &str) -> Vec<u16> {
    received
        .match_indices("HTTP/1.1 ")
        .map(|(at, text)| received[at + text.len()..][..3].parse().unwrap())
        .collect()
}
