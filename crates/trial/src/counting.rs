//! An origin whose answers are code, which can be slow, fail and recover; and many clients at once:
//! for trials that are no scripts.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Failure;
use crate::client::Client;
use crate::door::Door;
use crate::origin::{Reply, Then};
use crate::wire::{BodyReader, Head, Message, MessageReader};

/// Heads that are kept; further requests are counted only.
const HEARD_MAX: usize = 100_000;

/// An origin on a port of its own that asks a closure for each answer and counts. Dropped, it
/// refuses connections.
pub struct CountingOrigin {
    door: Door,
    shared: Arc<Shared>,
}

/// How slowly the origin answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Before the head.
    pub before_head: Duration,
    /// Between head and body.
    pub before_body: Duration,
    /// In the middle of the body, when half of it has been sent.
    pub within_body: Duration,
}

/// How the origin fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// It answers everything with this status.
    Status(u16),
    /// It has ended: connections are cut, and new ones refused.
    Refuse,
    /// It hears, and answers when it has recovered.
    Stall,
}

struct Shared {
    tally: Mutex<Tally>,
    pace: Mutex<Paces>,
    failing: watch::Sender<Option<Failing>>,
}

#[derive(Default)]
struct Tally {
    total: usize,
    of: BTreeMap<String, usize>,
    heard: Vec<Head>,
}

#[derive(Default)]
struct Paces {
    all: Pace,
    of: BTreeMap<String, Pace>,
}

impl CountingOrigin {
    /// Starts it.
    pub async fn start<F, A>(answer: F) -> Result<Self, Failure>
    where
        F: Fn(Message) -> A + Send + Sync + 'static,
        A: Future<Output = Reply> + Send + 'static,
    {
        let failing = watch::Sender::new(None);
        let shared = Arc::new(Shared { tally: Mutex::default(), pace: Mutex::default(), failing });
        let (answer, noted) = (Arc::new(answer), Arc::clone(&shared));
        let door = Door::open(move |stream| {
            let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
            async move {
                // A gateway that went is told by what the clients get.
                let _ = serve(stream, &*answer, &noted).await;
            }
        });
        Ok(CountingOrigin { door: door.await?, shared })
    }

    /// Starts one that answers everything alike: 200, these field lines, this body.
    pub async fn saying(fields: &[&str], body: &[u8]) -> Result<Self, Failure> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let body = body.to_vec();
        CountingOrigin::start(move |_| {
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            std::future::ready(Reply::whole(200, &fields, &body))
        })
        .await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// How many requests it has heard.
    pub fn count(&self) -> usize {
        unpoisoned(&self.shared.tally).total
    }

    /// How many of them were for this target.
    pub fn count_of(&self, target: &str) -> usize {
        unpoisoned(&self.shared.tally).of.get(target).copied().unwrap_or(0)
    }

    /// How many there were for each target.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        unpoisoned(&self.shared.tally).of.clone()
    }

    /// Counts from nothing again.
    pub fn forget(&self) {
        *unpoisoned(&self.shared.tally) = Tally::default();
    }

    /// The heads of all requests, in order.
    pub fn heard(&self) -> Vec<Head> {
        unpoisoned(&self.shared.tally).heard.clone()
    }

    /// Answers come at this pace from now on.
    pub fn pace(&self, pace: Pace) {
        unpoisoned(&self.shared.pace).all = pace;
    }

    /// Answers for this target come at this pace from now on.
    pub fn pace_of(&self, target: &str, pace: Pace) {
        unpoisoned(&self.shared.pace).of.insert(target.to_owned(), pace);
    }

    /// Fails from now on, also for who waits. When this returns from [`Failing::Refuse`],
    /// connections are refused.
    pub async fn fail(&mut self, failing: Failing) -> Result<(), Failure> {
        self.shared.failing.send_replace(Some(failing));
        match failing {
            Failing::Refuse => self.door.shut().await,
            Failing::Status(_) | Failing::Stall => self.door.reopen().await,
        }
    }

    /// Fails no longer.
    pub async fn recover(&mut self) -> Result<(), Failure> {
        self.shared.failing.send_replace(None);
        self.door.reopen().await
    }
}

impl Shared {
    fn note(&self, head: &Head) {
        let mut tally = unpoisoned(&self.tally);
        tally.total += 1;
        *tally.of.entry(head.target().to_owned()).or_default() += 1;
        if tally.heard.len() < HEARD_MAX {
            tally.heard.push(head.clone());
        }
    }

    fn pace_of(&self, target: &str) -> Pace {
        let paces = unpoisoned(&self.pace);
        paces.of.get(target).copied().unwrap_or(paces.all)
    }

    /// How it fails, waited for until it does something at all.
    async fn failing(&self) -> Option<Failing> {
        let mut failing = self.failing.subscribe();
        let stirs = failing.wait_for(|failing| *failing != Some(Failing::Stall)).await;
        stirs.map_or(Some(Failing::Refuse), |failing| *failing)
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

async fn serve<F, A>(stream: TcpStream, answer: &F, shared: &Shared) -> Result<(), Failure>
where
    F: Fn(Message) -> A,
    A: Future<Output = Reply>,
{
    let (reader, mut writer) = stream.into_split();
    let mut reader = MessageReader::new(reader);
    while let Some(head) = reader.head().await? {
        let framing = BodyReader::of_request(&head)?;
        let message = reader.rest(head, framing).await?;
        shared.note(&message.head);
        let pace = shared.pace_of(message.head.target());
        let bodiless = message.head.method() == "HEAD";
        pause(pace.before_head).await;
        let reply = match shared.failing().await {
            None => answer(message).await,
            Some(Failing::Status(status)) => Reply::whole(status, &[], b"failing as told"),
            Some(Failing::Refuse | Failing::Stall) => return Ok(()),
        };
        let sent = if bodiless { head_of(&reply.bytes) } else { &reply.bytes };
        send(&mut writer, sent, pace).await?;
        if reply.then == Then::Close {
            break;
        }
    }
    writer.shutdown().await.map_err(Failure::from)
}

async fn send(writer: &mut OwnedWriteHalf, bytes: &[u8], pace: Pace) -> Result<(), Failure> {
    let head = head_of(bytes).len();
    let middle = head + (bytes.len() - head) / 2;
    let mut sent = 0;
    for (until, before) in [(head, pace.before_body), (middle, pace.within_body)] {
        // What needs no pause goes in one write.
        if !before.is_zero() {
            writer.write_all(&bytes[sent..until]).await?;
            sent = until;
            sleep(before).await;
        }
    }
    writer.write_all(&bytes[sent..]).await.map_err(Failure::from)
}

async fn pause(span: Duration) {
    // A sleep of no length lasts until the clock's next tick.
    if !span.is_zero() {
        sleep(span).await;
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
