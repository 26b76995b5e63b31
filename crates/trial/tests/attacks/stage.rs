//! The program before an origin that remembers every byte it was sent.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::origin::{Reply, Then};
use forebay_trial::process;
use forebay_trial::real::Gateway;
use forebay_trial::script::Table;
use forebay_trial::wire::{BodyReader, Message, MessageReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// How long anything may take that is expected to happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The built program; says how to build it where there is none.
pub(crate) fn program() -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().expect("a test is a file");
        test.parent().and_then(Path::parent).expect("it lies in target/…/deps").join("forebay")
    };
    let program = process::built().unwrap_or_else(beside);
    assert!(
        program.is_file(),
        "no program at `{}`: run `cargo build -p forebay`, or name it in FOREBAY_BIN",
        program.display()
    );
    program
}

/// The program before an origin. Dropped, both end.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) origin: Origin,
}

impl Stage {
    /// Before an origin that answers so.
    pub(crate) async fn start(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Stage::with(&[], answer).await
    }

    /// The same with lines in the configuration: of which table, and the line.
    pub(crate) async fn with(
        lines: &[(&str, &str)],
        answer: impl Fn(&Message) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let origin = Origin::start(answer).await;
        let gateway = gateway(origin.address, lines).await;
        Stage { gateway, origin }
    }

    /// A new client.
    pub(crate) async fn client(&self) -> Client {
        let client = Client::connect(self.gateway.address).await;
        client.unwrap_or_else(|error| panic!("no connection: {error}{}", self.last_words()))
    }

    /// What a new client gets for a request that ends with its head.
    pub(crate) async fn ask(&self, request: &str) -> Message {
        let mut client = self.client().await;
        let answer = client.ask(request, PATIENCE).await;
        answer.unwrap_or_else(|failure| panic!("{failure}, asked:\n{request}{}", self.last_words()))
    }

    /// What a new client without a peculiarity gets for this path from host `a`.
    pub(crate) async fn get(&self, path: &str) -> Message {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).await
    }

    /// Everything that comes back for these bytes until the gateway closes, which it must do by
    /// itself.
    pub(crate) async fn until_closed(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes).await;
        read_to_end(&mut stream).await
    }

    /// Everything that comes back for these bytes after which the client says no more.
    pub(crate) async fn talk(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        read_to_end(&mut stream).await
    }

    /// A connection of which nothing is known.
    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.gateway.address).await;
        let stream =
            stream.unwrap_or_else(|error| panic!("no connection: {error}{}", self.last_words()));
        stream.set_nodelay(true).expect("a TCP socket");
        stream
    }

    /// These bytes are answered by one 4xx or 5xx and a close, and the origin hears nothing.
    pub(crate) async fn refuses(&self, bytes: &[u8], statuses: &[u16]) {
        let shown = String::from_utf8_lossy(bytes).escape_debug().to_string();
        let heard = self.origin.heard().len();
        let came = self.until_closed(bytes).await;
        let all = status_lines(&came);
        assert!(all.len() == 1 && statuses.contains(&all[0]), "{shown}\ngot {all:?}:\n{came}");
        assert_eq!(self.origin.heard().len(), heard, "{shown}\nreached the origin");
    }

    /// The gateway lives, and serves others; what it was sent before has reached the origin by
    /// now, if it ever does.
    pub(crate) async fn lives(&mut self) {
        assert_eq!(self.gateway.process.ended(), None, "{}", self.gateway.process.output());
        let answer = self.get("/lives").await;
        assert!(answer.head.status().is_ok_and(|status| status < 500), "{}", answer.shown());
        let said = self.gateway.process.output();
        assert!(!said.contains("panicked"), "{said}");
    }

    /// What the gateway said last; a failure shows it.
    pub(crate) fn last_words(&self) -> String {
        let said = self.gateway.process.output();
        let lines: Vec<&str> = said.lines().rev().take(10).collect();
        let lines: String = lines.iter().rev().map(|line| format!("\n    {line}")).collect();
        format!("\nthe gateway said last:{lines}")
    }

    /// One of the numbers under /metrics.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        self.gateway.metric(name).await.unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// Bytes of memory that the process has resident.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let id = self.gateway.process.id().expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.expect("Linux tells it") * 1024
    }
}

/// The program before this address.
pub(crate) async fn gateway(origin: SocketAddr, lines: &[(&str, &str)]) -> Gateway {
    let mut tables: Vec<Table> = Vec::new();
    for (name, line) in lines {
        match tables.iter_mut().find(|table| table.name == *name) {
            Some(table) => table.lines.push((*line).to_owned()),
            None => {
                tables.push(Table { name: (*name).to_owned(), lines: vec![(*line).to_owned()] });
            }
        }
    }
    let started = Gateway::start(&program(), origin, &tables).await;
    started.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The rest of a connection, as text; a reset counts as an end.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    let text: String = read.iter().map(|byte| char::from(*byte)).collect();
    assert!(ended.is_ok(), "the connection is still open after {PATIENCE:?}; it said:\n{text}");
    text
}

/// The statuses of all responses in a text.
pub(crate) fn status_lines(text: &str) -> Vec<u16> {
    let after = |found: (usize, &str)| text.get(found.0 + 9..found.0 + 12)?.parse().ok();
    text.match_indices("HTTP/1.1 ").filter_map(after).collect()
}

/// An origin that answers by a closure and remembers all requests, and every byte of them.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    memory: Arc<Memory>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Memory {
    heard: Mutex<Vec<Message>>,
    faults: Mutex<Vec<String>>,
}

impl Origin {
    async fn start(answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let memory = Arc::<Memory>::default();
        let (noted, answer) = (Arc::clone(&memory), Arc::new(answer));
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                connections.spawn(async move { serve(stream, &*answer, &noted).await });
            }
        });
        Origin { address, memory, accepting }
    }

    /// All requests so far. Fails if any bytes came that are no request.
    pub(crate) fn heard(&self) -> Vec<Message> {
        let faults = self.memory.faults.lock().expect("no holder panics");
        assert!(faults.is_empty(), "the gateway said something wrong to the origin: {faults:?}");
        self.memory.heard.lock().expect("no holder panics").clone()
    }

    /// The request lines of all requests so far, without the version.
    pub(crate) fn asked(&self) -> Vec<String> {
        let words = |m: Message| format!("{} {}", m.head.method(), m.head.target());
        self.heard().into_iter().map(words).collect()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, answer: &impl Fn(&Message) -> Reply, memory: &Memory) {
    let _ = stream.set_nodelay(true);
    let (reader, mut writer) = stream.into_split();
    let mut reader = MessageReader::new(reader);
    loop {
        let message = match next(&mut reader).await {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(fault) => return memory.faults.lock().expect("no holder panics").push(fault),
        };
        let reply = answer(&message);
        let is_head = message.head.method() == "HEAD";
        memory.heard.lock().expect("no holder panics").push(message);
        let end = reply.bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let bytes = match end {
            Some(end) if is_head => &reply.bytes[..end + 4],
            Some(_) | None => &reply.bytes,
        };
        if writer.write_all(bytes).await.is_err() || reply.then == Then::Close {
            return;
        }
    }
}

async fn next(
    reader: &mut MessageReader<tokio::net::tcp::OwnedReadHalf>,
) -> Result<Option<Message>, String> {
    let Some(head) = reader.head().await.map_err(|fault| fault.to_string())? else {
        return Ok(None);
    };
    let words: Vec<&str> = head.start.split(' ').collect();
    if words.len() != 3 || !words[2].starts_with("HTTP/1.") {
        return Err(format!("`{}` is no request line", head.start));
    }
    let framing = BodyReader::of_request(&head).map_err(|fault| fault.to_string())?;
    reader.rest(head, framing).await.map(Some).map_err(|fault| fault.to_string())
}

/// An answer that shows the whole request and may be kept for a minute: whatever of a request
/// reaches the origin is in it.
pub(crate) fn mirror(request: &Message) -> Reply {
    Reply::whole(200, &["Cache-Control: max-age=60"], shown(request).as_bytes())
}

/// The same, kept by nobody.
pub(crate) fn mirror_unkept(request: &Message) -> Reply {
    Reply::whole(200, &["Cache-Control: no-store"], shown(request).as_bytes())
}

/// A request as text.
pub(crate) fn shown(request: &Message) -> String {
    let latin1 = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    format!("{}{}", latin1(&request.head.raw), latin1(&request.body))
}

/// An answer as these bytes.
pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Reply {
    Reply { bytes: bytes.into(), then: Then::Keep }
}

/// A message's body as text.
pub(crate) fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.body).into_owned()
}

/// Whether an answer came from the cache.
pub(crate) fn is_hit(answer: &Message) -> bool {
    answer.head.field("cache-status").is_some_and(|status| status.contains("forebay; hit"))
}
