//! An origin's connection, byte for byte: heads, interim responses, chunks, trailers, and its end.
//!
//! An input is what the origin sends. It is sent twice, at once and in crumbs.

use std::sync::{Arc, Mutex};

use forebay::answer::Duplex;
use forebay::config::{MemberScheme, MemberSettings, UpstreamSettings};
use forebay::upstream::{Connect, Connecting, MemberAddress, RequestBody, Upstream};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

/// Pieces of responses.
pub const WORDS: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 200\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Trailer: a\r\n",
    b"5\r\nhello\r\n",
    b"5  \r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\nA: b\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b";a=\"b\"\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"\r\n ",
    b"\n",
    b"\r",
    b"\0",
    b": ",
    b" ",
];

/// Bytes in a pipe; fewer than an input may have, so that both sides wait for each other.
const PIPE_BYTES: usize = 256;
/// Bytes in a crumb: of a short input, and of a long one.
const CRUMB_BYTES: [usize; 2] = [1, 7];
/// Bytes of a response head.
const HEAD_BYTES_MAX: usize = 2048;

/// An exchange ends, and how the origin's bytes were cut has changed nothing of what was heard.
pub fn run(bytes: &[u8]) {
    let method = if bytes.len() % 4 == 3 { Method::HEAD } else { Method::GET };
    let heard = talk(&method, bytes, bytes.len().max(1));
    let crumb = CRUMB_BYTES[usize::from(bytes.len() > 512)];
    assert_eq!(heard, talk(&method, bytes, crumb));
    let Ok(heard) = heard else { return };
    let no_body = method == Method::HEAD
        || heard.status == StatusCode::NO_CONTENT
        || heard.status == StatusCode::NOT_MODIFIED;
    let length = heard.fields.get("content-length").and_then(|length| length.to_str().ok());
    match length.and_then(|length| length.trim().parse::<usize>().ok()) {
        _ if no_body => assert!(heard.body.is_empty(), "a body where there is none"),
        Some(length) => assert_eq!(heard.body.len(), length, "a body of another length"),
        None => {}
    }
    assert!(!heard.status.is_informational(), "an interim response for a final one");
}

#[derive(Debug, PartialEq)]
struct Heard {
    status: StatusCode,
    fields: HeaderMap,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// Asks an origin that sends these bytes in pieces of this size; gives what was heard, or the kind
/// of failure.
fn talk(method: &Method, bytes: &[u8], piece: usize) -> Result<Heard, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a network needs nothing of the system");
    runtime.block_on(async {
        let (ours, theirs) = duplex(PIPE_BYTES);
        let member =
            MemberSettings { scheme: MemberScheme::Http, host: "a".to_owned(), port: 1, weight: 1 };
        let settings = UpstreamSettings {
            head_bytes_max: HEAD_BYTES_MAX,
            ..UpstreamSettings::to(vec![member])
        };
        let pipe = Arc::new(Pipe(Mutex::new(Some(ours))));
        let upstream = Upstream::new(&settings, pipe).expect("the settings are sound");
        let (heard, ()) = tokio::join!(ask(&upstream, method.clone()), send(theirs, bytes, piece));
        heard
    })
}

async fn ask(upstream: &Upstream, method: Method) -> Result<Heard, String> {
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = method;
    let failed = |failure: forebay::failure::FetchFailure| format!("{:?}", failure.kind);
    let response = upstream.send(request, None).await.map_err(failed)?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(failed)?;
    let trailers = body.trailers().cloned();
    let body = body.to_bytes().to_vec();
    Ok(Heard { status: head.status, fields: head.headers, body, trailers })
}

/// Takes the request, sends the bytes, and ends. Who asked may have left before.
async fn send(pipe: DuplexStream, bytes: &[u8], piece: usize) {
    let (mut from, mut to) = split(pipe);
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        match from.read_u8().await {
            Ok(byte) => asked.push(byte),
            Err(_) => return,
        }
    }
    for piece in bytes.chunks(piece) {
        if to.write_all(piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    let _ = to.shutdown().await;
}

/// The one connection to the origin.
struct Pipe(Mutex<Option<DuplexStream>>);

impl Connect for Pipe {
    fn connect(&self, _member: &MemberAddress) -> Connecting {
        let pipe = self.0.lock().expect("nobody panicked with it").take();
        let pipe = pipe.map(|pipe| Box::new(pipe) as Box<dyn Duplex>);
        Box::pin(async { pipe.ok_or_else(|| std::io::ErrorKind::ConnectionRefused.into()) })
    }
}
