//! An origin that does what the path says.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use forebay_trial::wire::{BodyReader, Message, MessageReader, made_body};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

/// Bytes of `/big`.
pub(super) const BIG: usize = 3 << 20;

/// An origin. Dropped, it ends.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    /// Permits for answers to `/held`.
    pub(super) held: Arc<Semaphore>,
    accepting: AbortHandle,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Origin {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let held = Arc::new(Semaphore::new(0));
        let permits = held.clone();
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, permits.clone()));
            }
        });
        Origin { address, held, accepting: accepting.abort_handle() }
    }

    /// The line that makes a route lead here.
    pub(super) fn route(&self) -> String {
        format!("to = [\"http://{}\"]", self.address)
    }
}

async fn serve(stream: TcpStream, held: Arc<Semaphore>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = MessageReader::new(reader);
    while let Ok(Some(head)) = reader.head().await {
        let Ok(framing) = BodyReader::of_request(&head) else { return };
        if head.target() == "/held" {
            let Ok(permit) = held.acquire().await else { return };
            permit.forget();
        }
        let Ok(message) = reader.rest(head, framing).await else { return };
        if answer(&mut writer, &message).await.is_err() {
            return;
        }
    }
}

async fn answer(writer: &mut OwnedWriteHalf, asked: &Message) -> std::io::Result<()> {
    match asked.head.target() {
        "/big" => {
            let head = format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {BIG}\r\n\r\n"
            );
            writer.write_all(head.as_bytes()).await?;
            writer.write_all(&made_body(BIG)).await
        }
        "/early" => {
            let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
            let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            writer.write_all([early, last].concat().as_bytes()).await
        }
        "/broken" => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf";
            writer.write_all(head.as_bytes()).await?;
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        "/echo" => writer.write_all(&echo(asked)).await,
        path => {
            let text = format!("you asked for {path}\n");
            let head = format!(
                "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
            writer.write_all(head.as_bytes()).await
        }
    }
}

/// The body comes back with its length behind it, and whether a trailer `X-Sum` has come.
fn echo(asked: &Message) -> Vec<u8> {
    let heard = asked.trailers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-sum"));
    let front =
        format!("HTTP/1.1 200 OK\r\nX-Heard: {heard}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let length = asked.body.len();
    let chunk = match length {
        0 => Vec::new(),
        _ => [format!("{length:x}\r\n").as_bytes(), &asked.body, b"\r\n"].concat(),
    };
    let end = format!("0\r\nX-Length: {length}\r\n\r\n");
    [front.as_bytes(), &chunk, end.as_bytes()].concat()
}
