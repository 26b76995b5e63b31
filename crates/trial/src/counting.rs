//! An origin whose answers are code, and many clients at once: for trials that are no scripts.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::Failure;
use crate::client::Client;
use crate::origin::{Reply, Then};
use crate::wire::{BodyReader, Head, Message, MessageReader};

/// An origin on a port of its own that asks a closure for each answer and counts. Dropped, it
/// refuses connections.
pub struct CountingOrigin {
    address: SocketAddr,
    count: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<Head>>>,
    accepting: JoinHandle<()>,
}

impl CountingOrigin {
    /// Starts it.
    pub async fn start<F, A>(answer: F) -> std::io::Result<Self>
    where
        F: Fn(Message) -> A + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (count, heard) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let noted = (Arc::clone(&count), Arc::clone(&heard));
        let answer = Arc::new(answer);
        let accepting = tokio::spawn(async move {
            // The connections end with this set, when the origin is dropped.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, noted) = (Arc::clone(&answer), noted.clone());
                connections.spawn(async move {
                    let _ = serve(stream, &*answer, noted).await;
                });
            }
        });
        Ok(CountingOrigin { address, count, heard, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests it has heard.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// The heads of all requests, in order.
    pub fn heard(&self) -> Vec<Head> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for CountingOrigin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Reply {
    /// A response with these field lines (`Name: value`) and this body, its length said.
    pub fn whole(status: u16, fields: &[&str], body: &[u8]) -> Self {
        let mut head = format!("HTTP/1.1 {status} As Told\r\nContent-Length: {}\r\n", body.len());
        let date = httpdate::fmt_http_date(std::time::SystemTime::now());
        head.push_str(&format!("Date: {date}\r\n"));
        for field in fields {
            head.push_str(field);
            head.push_str("\r\n");
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Reply { bytes, then: Then::Keep }
    }

    /// The same response, cut so many bytes before its end, and the connection closed.
    pub fn cut(mut self, missing: usize) -> Self {
        self.bytes.truncate(self.bytes.len().saturating_sub(missing));
        Reply { bytes: self.bytes, then: Then::Close }
    }
}

async fn serve<F, A>(
    stream: TcpStream,
    answer: &F,
    (count, heard): (Arc<AtomicUsize>, Arc<Mutex<Vec<Head>>>),
) -> Result<(), Failure>
where
    F: Fn(Message) -> A,
    A: Future<Output = Reply>,
{
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = MessageReader::new(reader);
    while let Some(head) = reader.head().await? {
        let framing = BodyReader::of_request(&head)?;
        let message = reader.rest(head, framing).await?;
        count.fetch_add(1, Ordering::SeqCst);
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(message.head.clone());
        let head = message.head.method() == "HEAD";
        let reply = answer(message).await;
        let bytes = if head { head_of(&reply.bytes) } else { &reply.bytes };
        writer.write_all(bytes).await?;
        if reply.then == Then::Close {
            break;
        }
    }
    writer.shutdown().await.map_err(Failure::from)
}

fn head_of(bytes: &[u8]) -> &[u8] {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    end.map_or(bytes, |end| &bytes[..end + 4])
}

/// This many clients, each with a connection of its own, ask the same at once. First all connect,
/// then all ask.
pub async fn crowd(
    count: usize,
    address: SocketAddr,
    request: &str,
    patience: Duration,
) -> Vec<Result<Message, Failure>> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        clients.push(Client::connect(address).await.map_err(Failure::from));
    }
    let asking: Vec<_> = clients.into_iter().map(|client| ask(client, request, patience)).collect();
    let mut answers = Vec::with_capacity(count);
    for task in asking {
        answers.push(match task.await {
            Ok(answer) => answer,
            Err(error) => Err(Failure::new(format!("a client did not finish: {error}"))),
        });
    }
    answers
}

fn ask(
    client: Result<Client, Failure>,
    request: &str,
    patience: Duration,
) -> JoinHandle<Result<Message, Failure>> {
    let request = request.to_owned();
    tokio::spawn(async move { client?.ask(&request, patience).await })
}
