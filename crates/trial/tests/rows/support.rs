//! What the trials share: the built program before an origin that answers by code, and clients.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use forebay_trial::client::Client;
use forebay_trial::process;
use forebay_trial::real::Gateway;
use forebay_trial::script::Table;
use forebay_trial::wire::{BodyReader, Ending, Head, Message, MessageReader};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long an origin takes where the length of that is seen in the trial.
pub(crate) const SLOW: Duration = Duration::from_millis(400);

/// The built program. A trial without it proves nothing, and fails.
pub(crate) fn program() -> PathBuf {
    if let Some(named) = process::built() {
        return named;
    }
    let test = std::env::current_exe().expect("a test is a file");
    let built = test.parent().and_then(Path::parent).expect("it lies in target/…/deps");
    let program = built.join("forebay");
    assert!(
        program.is_file(),
        "`{}` is not built: type `cargo build -p forebay`, or set FOREBAY_BIN",
        program.display()
    );
    program
}

/// The program before an origin.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) origin: Origin,
}

/// Starts both, with these lines in the route.
pub(crate) async fn stage<F, A>(route: &[&str], answer: F) -> Stage
where
    F: Fn(Message, Out) -> A + Send + Sync + 'static,
    A: Future<Output = Option<Out>> + Send + 'static,
{
    stage_with(&[("route", route)], answer).await
}

/// Starts both, with these tables in the configuration.
pub(crate) async fn stage_with<F, A>(tables: &[(&str, &[&str])], answer: F) -> Stage
where
    F: Fn(Message, Out) -> A + Send + Sync + 'static,
    A: Future<Output = Option<Out>> + Send + 'static,
{
    let origin = Origin::start(answer).await;
    let gateway = gateway(origin.address, tables).await;
    Stage { gateway, origin }
}

/// The program alone, before this address.
pub(crate) async fn gateway(origin: SocketAddr, tables: &[(&str, &[&str])]) -> Gateway {
    let table = |(name, lines): &(&str, &[&str])| Table {
        name: (*name).to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    let tables: Vec<Table> = tables.iter().map(table).collect();
    Gateway::start(&program(), origin, &tables).await.expect("the gateway starts")
}

impl Stage {
    pub(crate) async fn client(&self) -> Client {
        connect(self.gateway.address).await
    }

    /// The answer to this request, over a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Message {
        let mut client = self.client().await;
        client.ask(request, PATIENCE).await.expect("an answer comes")
    }

    pub(crate) async fn get(&self, path: &str, fields: &[&str]) -> Message {
        self.ask(&request("GET", path, fields)).await
    }

    /// The answers to this request from so many clients at once.
    pub(crate) async fn crowd(&self, count: usize, request: &str) -> Vec<Message> {
        self.ask_all(vec![request.to_owned(); count]).await
    }

    /// The answers to these requests, all connected first and then asked at once, in order.
    pub(crate) async fn ask_all(&self, requests: Vec<String>) -> Vec<Message> {
        let mut asking = Vec::with_capacity(requests.len());
        for request in requests {
            asking.push((self.client().await, request));
        }
        let ask = |(mut client, request): (Client, String)| {
            tokio::spawn(async move { client.ask(&request, PATIENCE).await })
        };
        let asking: Vec<_> = asking.into_iter().map(ask).collect();
        let mut answers = Vec::with_capacity(asking.len());
        for asked in asking {
            let answer = asked.await.expect("a client does not panic");
            answers.push(answer.expect("an answer comes"));
        }
        answers
    }

    /// The value of a metric, its labels included in its name.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        self.gateway.metric(name).await.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Waits until this holds of a metric.
    pub(crate) async fn measures(&self, name: &str, holds: impl Fn(u64) -> bool) {
        let begun = tokio::time::Instant::now();
        loop {
            let value = self.metric(name).await;
            if holds(value) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "`{name}` stays at {value}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many entries have been taken into memory. An answer that is less than the
    /// stored body, or is not sent in the name of a flight, may end before that.
    pub(crate) async fn stored(&self, count: u64) {
        self.measures("forebay_memory_inserts_total", |inserts| inserts >= count).await;
    }

    /// Waits until memory holds nothing any more.
    pub(crate) async fn forgotten(&self) {
        self.measures("forebay_memory_entries", |entries| entries == 0).await;
    }

    /// Waits until so many requests have followed a flight.
    pub(crate) async fn followed(&self, count: u64) {
        self.measures("forebay_flights_followed_total", |followed| followed >= count).await;
    }

    /// Waits until no fetch is under way that several requests may share.
    pub(crate) async fn landed(&self) {
        self.measures("forebay_flights", |flights| flights == 0).await;
    }

    pub(crate) async fn admin(&self, path: &str) -> Message {
        let mut client = connect(self.gateway.admin).await;
        // Without a token it answers to nobody who asks by another name.
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.ask(&request, PATIENCE).await.expect("an answer comes")
    }

    /// Waits until the origin has heard so many requests.
    pub(crate) async fn heard(&self, count: usize) {
        let origin = &self.origin;
        until(&format!("the origin hears {count}"), || origin.count() >= count).await;
    }

    /// The program's resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> usize {
        let id = self.gateway.process.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).expect("Linux says it");
        kib.parse::<usize>().expect("a number") * 1024
    }
}

pub(crate) async fn connect(address: SocketAddr) -> Client {
    Client::connect(address).await.expect("the gateway accepts")
}

/// Waits until this holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Lets this span of freshness, pause or silence go by.
pub(crate) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

pub(crate) fn request(method: &str, path: &str, fields: &[&str]) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: example.test\r\n");
    for field in fields {
        request.push_str(field);
        request.push_str("\r\n");
    }
    request + "\r\n"
}

/// A request with a body.
pub(crate) fn with_body(method: &str, path: &str, fields: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    let fields: Vec<&str> = fields.iter().copied().chain([length.as_str()]).collect();
    request(method, path, &fields) + body
}

pub(crate) fn status(message: &Message) -> u16 {
    message.head.status().expect("a response")
}

/// The line of `Cache-Status`.
pub(crate) fn said(message: &Message) -> String {
    message.head.field("cache-status").expect("every answer has one")
}

pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

/// Asserts status, what `Cache-Status` says, and the body.
pub(crate) fn check(message: &Message, expected: u16, words: &[&str], body: &str) {
    assert_eq!((status(message), text(message).as_str()), (expected, body), "{}", message.shown());
    assert_eq!(message.ending, Ending::Whole, "{}", message.shown());
    for word in words {
        assert!(said(message).contains(word), "no `{word}` in{}", message.shown());
    }
}

/// A door that is shut until somebody opens it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<watch::Sender<usize>>);

impl Gate {
    pub(crate) fn shut() -> Self {
        Gate(Arc::new(watch::Sender::new(0)))
    }

    /// Lets all through who wait for it to be opened this often.
    pub(crate) fn open(&self) {
        self.0.send_modify(|opened| *opened += 1);
    }

    pub(crate) async fn passed(&self) {
        self.opened(1).await;
    }

    pub(crate) async fn opened(&self, times: usize) {
        let mut opened = self.0.subscribe();
        opened.wait_for(|opened| *opened >= times).await.expect("the gate outlives this");
    }
}

/// An origin on a port of its own that counts, and answers by code byte for byte.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Message>>>,
    connections: Arc<Mutex<usize>>,
    accepting: JoinHandle<()>,
}

/// Where an origin's answer goes. Returned, the connection is kept; dropped, it is closed.
pub(crate) struct Out {
    to: OwnedWriteHalf,
    asked: Asked,
}

/// What an answer may consist of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    All,
    HeadAlone,
}

impl Out {
    /// Writes bytes as they are.
    pub(crate) async fn write(mut self, bytes: impl AsRef<[u8]>) -> Self {
        // A gateway that has gone is told by what the clients get.
        let _ = self.to.write_all(bytes.as_ref()).await;
        self
    }

    /// A whole response; to HEAD, its head.
    pub(crate) async fn send(
        self,
        status: u16,
        fields: &[&str],
        body: impl AsRef<[u8]>,
    ) -> Option<Self> {
        let body = body.as_ref();
        let length = format!("Content-Length: {}", body.len());
        let fields: Vec<&str> = fields.iter().copied().chain([length.as_str()]).collect();
        let out = self.write(head(status, &fields)).await;
        match out.asked {
            Asked::All => Some(out.write(body).await),
            Asked::HeadAlone => Some(out),
        }
    }

    /// Ends the connection by a reset.
    pub(crate) fn reset(self) -> Option<Self> {
        let _ = self.to.as_ref().set_zero_linger();
        self.to.forget();
        None
    }
}

/// A response's head with a date.
pub(crate) fn head(status: u16, fields: &[&str]) -> String {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut head = format!("HTTP/1.1 {status} As Told\r\nDate: {date}\r\n");
    for field in fields {
        head.push_str(field);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

impl Origin {
    pub(crate) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Message, Out) -> A + Send + Sync + 'static,
        A: Future<Output = Option<Out>> + Send + 'static,
    {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), answer).await
    }

    pub(crate) async fn start_at<F, A>(address: SocketAddr, answer: F) -> Self
    where
        F: Fn(Message, Out) -> A + Send + Sync + 'static,
        A: Future<Output = Option<Out>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (heard, connections) = (Arc::default(), Arc::default());
        let (noted, counted) = (Arc::clone(&heard), Arc::<Mutex<usize>>::clone(&connections));
        let answer = Arc::new(answer);
        let accepting = tokio::spawn(async move {
            // The connections end with this set, when the origin is dropped.
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *counted.lock().expect("nobody panics with it") += 1;
                serving.spawn(serve(stream, Arc::clone(&answer), Arc::clone(&noted)));
            }
        });
        Origin { address, heard, connections, accepting }
    }

    /// How many requests it has heard.
    pub(crate) fn count(&self) -> usize {
        self.heard().len()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().expect("nobody panics with it")
    }

    /// All requests, in order.
    pub(crate) fn heard(&self) -> Vec<Message> {
        self.heard.lock().expect("nobody panics with it").clone()
    }

    /// The last request's head.
    pub(crate) fn last(&self) -> Head {
        self.heard().pop().expect("it has heard one").head
    }

    /// Ends it: from here on connections are refused.
    pub(crate) async fn shut(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
        // What it had accepted ends when its tasks are next looked at.
        pass(Duration::from_millis(20)).await;
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve<F, A>(stream: TcpStream, answer: Arc<F>, noted: Arc<Mutex<Vec<Message>>>)
where
    F: Fn(Message, Out) -> A,
    A: Future<Output = Option<Out>>,
{
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let mut reader = MessageReader::new(reader);
    let mut out = Out { to: writer, asked: Asked::All };
    while let Ok(Some(head)) = reader.head().await {
        let framing = BodyReader::of_request(&head).expect("the gateway frames well");
        let Ok(message) = reader.rest(head, framing).await else { return };
        noted.lock().expect("nobody panics with it").push(message.clone());
        out.asked = if message.head.method() == "HEAD" { Asked::HeadAlone } else { Asked::All };
        match answer(message, out).await {
            Some(kept) => out = kept,
            None => return,
        }
    }
}
