//! A client's connection, byte for byte: heads, chunks, trailers, and one request after another.
//!
//! An input is what the client sends. It is sent twice, at once and in crumbs.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use forebay::answer::{Answer, AnswerBody};
use forebay::config::Limits;
use forebay::server::{Peer, Request, Service, Transport, serve_connection};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

/// Pieces of requests.
pub const WORDS: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\n",
    b"HEAD / HTTP/1.0\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://a/ HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Host: a\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 18446744073709551616\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
    b"TE: trailers\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"0\r\nA: b\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b";a=\"b\"\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b": ",
    b" ",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

const PEER: Peer = Peer { address: None, local: None, transport: Transport::Plain };
/// Bytes in a pipe; fewer than an input may have, so that both sides wait for each other.
const PIPE_BYTES: usize = 1 << 12;
/// Bytes of a crumb; longer inputs are not sent in crumbs of one byte, as that would take long.
const CRUMB_BYTES: [usize; 2] = [1, 7];

/// The connection ends, and how its bytes were cut has changed nothing of what was heard.
pub fn run(bytes: &[u8]) {
    let (heard, answered) = talk(bytes, bytes.len().max(1));
    // HTTP/2 answers its streams in any order, and hears of the end before them.
    if bytes.starts_with(b"PRI ") {
        return;
    }
    assert!(answered.is_empty() || answered.starts_with(b"HTTP/1."), "no answer of HTTP/1");
    let crumb = CRUMB_BYTES[usize::from(bytes.len() > 512)];
    let (heard_in_crumbs, _) = talk(bytes, crumb);
    assert_eq!(heard, heard_in_crumbs);
}

/// Sends bytes in pieces of this size; gives what was asked, and what was answered.
fn talk(bytes: &[u8], piece: usize) -> (Vec<String>, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without a network needs nothing of the system");
    let echo = Echo::default();
    let mut answered = Vec::new();
    runtime.block_on(async {
        let (client, server) = duplex(PIPE_BYTES);
        let (mut from, mut to) = split(client);
        let send = async {
            for piece in bytes.chunks(piece) {
                if to.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            // The server may have closed before.
            let _ = to.shutdown().await;
        };
        let receive = from.read_to_end(&mut answered);
        let serve = serve_connection(server, PEER, limits(), echo.clone());
        let (_, received, ()) = tokio::join!(send, receive, serve);
        received.expect("a pipe in memory does not fail");
    });
    let heard = std::mem::take(&mut *echo.heard.lock().expect("nobody panicked with it"));
    (heard, answered)
}

fn limits() -> Limits {
    Limits {
        head_bytes_max: 2048,
        target_bytes_max: 512,
        fields_max: 20,
        body_bytes_max: 4096,
        ..Limits::default()
    }
}

/// Reads what it is asked and sends it back.
#[derive(Clone, Default)]
struct Echo {
    heard: Arc<Mutex<Vec<String>>>,
}

impl Service for Echo {
    async fn answer(&self, request: Request) -> Answer {
        let hosts = request.fields.get_all("host").iter().count();
        assert!(hosts <= 1, "a request with {hosts} hosts came through");
        let head = format!("{} {} {:?}", request.method, request.target, request.fields);
        let (body, trailers) = match request.body.collect().await {
            Ok(body) => {
                let trailers = format!("{:?}", body.trailers());
                (body.to_bytes(), trailers)
            }
            Err(_) => (Bytes::new(), "broken".to_owned()),
        };
        let told = format!("{head} {body:?} {trailers}");
        self.heard.lock().expect("nobody panicked with it").push(told);
        Answer {
            status: StatusCode::OK,
            prepared: [Bytes::new(), Bytes::new()],
            fields: HeaderMap::new(),
            body: AnswerBody::Whole(body),
            tunnel: None,
        }
    }
}
