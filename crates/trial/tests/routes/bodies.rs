//! Large and slow bodies through a real process: nothing hangs, and memory stays flat.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::nodes::{Node, Nodes, Orders, request};
use forebay_trial::patience::until;
use forebay_trial::wire::Ending;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::support::*;

/// The bytes of one write of the origin, and of one number in its body.
const BLOCK_BYTES: usize = 64 << 10;

/// How much larger the process may get by a body that passes through, of whatever size: its window
/// (256 KiB), the buffers of two connections, and what the allocator keeps of them.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

/// What may be under way between an origin and a client that does not read: the window and the
/// buffers of four sockets, which the system lets grow to a few megabytes each.
const UNDER_WAY_BYTES_MAX: u64 = 64 << 20;

/// What an origin sends for each connection's one request, beginning with the head.
trait Sends: Send + Sync + 'static {
    fn send(&self, client: TcpStream) -> impl Future<Output = std::io::Result<()>> + Send;
}

/// An origin that speaks as it is told, a connection a request.
async fn origin(sends: impl Sends) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sends = Arc::new(sends);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let sends = Arc::clone(&sends);
            tokio::spawn(async move {
                let (mut head, mut piece) = (Vec::new(), [0; 4096]);
                while !head.ends_with(b"\r\n\r\n") {
                    let count = client.read(&mut piece).await.unwrap_or(0);
                    if count == 0 {
                        return;
                    }
                    head.extend_from_slice(&piece[..count]);
                }
                if head.starts_with(b"GET /small") {
                    let small = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
                    let _ = client.write_all(format!("{small}small").as_bytes()).await;
                } else {
                    // Whoever goes is told of by what the other side sees.
                    let _ = sends.send(client).await;
                }
            });
        }
    });
    address
}

/// Sends so many blocks as fast as they are taken, and counts the bytes that were taken.
struct Blocks {
    count: u64,
    taken: Arc<AtomicU64>,
}

impl Sends for Blocks {
    async fn send(&self, mut client: TcpStream) -> std::io::Result<()> {
        client.write_all(head_of(self.count * BLOCK_BYTES as u64).as_bytes()).await?;
        for number in 0..self.count {
            client.write_all(&vec![mark(number); BLOCK_BYTES]).await?;
            self.taken.fetch_add(BLOCK_BYTES as u64, Ordering::SeqCst);
        }
        client.shutdown().await
    }
}

fn head_of(bytes: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n")
}

/// What a block is full of.
fn mark(number: u64) -> u8 {
    (number % 251) as u8
}

async fn node(origin: SocketAddr, more: &str) -> Nodes {
    let route = format!("[[route]]\nto = \"http://{origin}\"\n{more}");
    Nodes::start(1, |_| Orders::File(route.clone())).await.unwrap()
}

/// Bytes that the process has in memory.
fn resident(node: &Node) -> u64 {
    let id = node.id().expect("it runs");
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap() << 10
}

/// A connection on which the answer to a request has begun: its head is read, and what came with it.
struct Reading {
    stream: TcpStream,
    read: u64,
    wrong: u64,
}

impl Reading {
    async fn begin(node: &Node, path: &str) -> Self {
        let mut stream = TcpStream::connect(node.address()).await.unwrap();
        stream.write_all(request("GET", path, &[]).as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        Reading { stream, read: 0, wrong: 0 }
    }

    /// Reads so much, or to the end of the body.
    async fn some(&mut self, until: u64, buffer: &mut [u8]) {
        while self.read < until {
            let room = buffer.len().min((until - self.read) as usize);
            let reading = self.stream.read(&mut buffer[..room]);
            let read = tokio::time::timeout(PATIENCE, reading).await.expect("more of the body");
            let read = read.expect("the connection holds");
            assert!(read > 0, "the body ends after {} bytes", self.read);
            let first = mark(self.read / BLOCK_BYTES as u64);
            self.read += read as u64;
            let last = mark((self.read - 1) / BLOCK_BYTES as u64);
            self.wrong += u64::from((buffer[0], buffer[read - 1]) != (first, last));
        }
    }
}

async fn answers(node: &Node) {
    let small = node.get("/small", &[]).await.expect("others are answered");
    assert_eq!((small.body.as_slice(), small.ending), (&b"small"[..], Ending::Whole));
}

#[tokio::test]
async fn p4_6_two_gibibytes_pass_through_and_memory_stays_flat() {
    let (count, taken) = ((2 << 30) / BLOCK_BYTES as u64, Arc::default());
    let origin = origin(Blocks { count, taken }).await;
    let nodes = node(origin, "").await;
    answers(nodes.node(0)).await;
    let before = resident(nodes.node(0));
    let mut reading = Reading::begin(nodes.node(0), "/large").await;
    let (mut buffer, mut most) = (vec![0; 1 << 20], 0);
    for part in 1..=64 {
        reading.some(part * (32 << 20), &mut buffer).await;
        most = most.max(resident(nodes.node(0)));
    }
    assert_eq!((reading.read, reading.wrong), (2 << 30, 0));
    println!("resident: {before} bytes before, {most} at most");
    assert!(most < before + GROWTH_BYTES_MAX, "{before} bytes before, {most} at most");
    answers(nodes.node(0)).await;
}

#[tokio::test]
async fn p4_6_a_slow_reader_holds_a_fast_backend_up_and_nobody_else() {
    let taken = Arc::new(AtomicU64::new(0));
    let whole = 4 * UNDER_WAY_BYTES_MAX;
    let blocks = Blocks { count: whole / BLOCK_BYTES as u64, taken: Arc::clone(&taken) };
    let origin = origin(blocks).await;
    let nodes = node(origin, "").await;
    let before = resident(nodes.node(0));
    let mut reading = Reading::begin(nodes.node(0), "/large").await;
    // Until nothing is taken from the origin any more.
    let mut last = u64::MAX;
    let waits = async || {
        pass(MOMENT).await;
        let now = taken.load(Ordering::SeqCst);
        std::mem::replace(&mut last, now) == now
    };
    until("the origin waits", PATIENCE, waits).await.unwrap();
    let under_way = taken.load(Ordering::SeqCst);
    println!("{under_way} bytes are under way");
    assert!(under_way < UNDER_WAY_BYTES_MAX, "{under_way} bytes");
    let grown = resident(nodes.node(0)).saturating_sub(before);
    assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes");
    for _ in 0..20 {
        answers(nodes.node(0)).await;
    }
    // A little at a time, then all of it.
    let mut buffer = vec![0; BLOCK_BYTES];
    for part in 1..20 {
        reading.some(part * 10_000, &mut buffer).await;
        pass(Duration::from_millis(20)).await;
    }
    reading.some(whole, &mut buffer).await;
    assert_eq!((reading.read, reading.wrong), (whole, 0));
}

/// Sends a block for each that it is told to, without announcing how many there are.
struct OnCall(tokio::sync::Mutex<mpsc::Receiver<u64>>);

impl Sends for OnCall {
    async fn send(&self, mut client: TcpStream) -> std::io::Result<()> {
        client.set_nodelay(true)?;
        client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").await?;
        let mut calls = self.0.lock().await;
        while let Some(number) = calls.recv().await {
            client.write_all(&[mark(number); 1]).await?;
        }
        client.shutdown().await
    }
}

#[tokio::test]
async fn p4_6_a_fast_reader_has_each_byte_of_a_slow_backend_before_it_sends_the_next() {
    let (call, calls) = mpsc::channel(1);
    let origin = origin(OnCall(tokio::sync::Mutex::new(calls))).await;
    let nodes = node(origin, "").await;
    let mut client = Client::connect(nodes.node(0).address()).await.unwrap();
    client.send(request("GET", "/slow", &[]).as_bytes(), PATIENCE).await;
    assert_eq!(client.begin(PATIENCE).await.unwrap().status().unwrap(), 200);
    for number in 0..100 {
        call.send(number).await.unwrap();
        assert_eq!(client.some(1, PATIENCE).await.unwrap(), [mark(number)]);
    }
    drop(call);
    assert_eq!(client.rest(PATIENCE).await.unwrap().ending, Ending::Whole);
}

/// Sends half of its body, and waits for a word before it goes on; without one it says nothing more.
struct Halves(tokio::sync::Mutex<mpsc::Receiver<()>>);

impl Sends for Halves {
    async fn send(&self, mut client: TcpStream) -> std::io::Result<()> {
        client.write_all(head_of(2 * BLOCK_BYTES as u64).as_bytes()).await?;
        client.write_all(&[mark(0); BLOCK_BYTES]).await?;
        if self.0.lock().await.recv().await.is_none() {
            // Until the gateway has had enough.
            let _ = client.read_u8().await;
            return Ok(());
        }
        client.write_all(&[mark(1); BLOCK_BYTES]).await?;
        client.shutdown().await
    }
}

#[tokio::test]
async fn p4_6_a_backend_that_stalls_in_the_middle_is_waited_for_and_then_given_up() {
    let (go_on, words) = mpsc::channel(1);
    let origin = origin(Halves(tokio::sync::Mutex::new(words))).await;
    let nodes = node(origin, "upstream = { read_timeout = \"2s\" }\n").await;
    let ask = async || {
        let mut client = Client::connect(nodes.node(0).address()).await.unwrap();
        client.send(request("GET", "/halves", &[]).as_bytes(), PATIENCE).await;
        assert_eq!(client.begin(PATIENCE).await.unwrap().status().unwrap(), 200);
        let half = client.some(BLOCK_BYTES, PATIENCE).await.unwrap();
        assert_eq!(half, [mark(0); BLOCK_BYTES]);
        answers(nodes.node(0)).await;
        client
    };
    let mut client = ask().await;
    client.nothing(MOMENT).await.unwrap();
    go_on.send(()).await.unwrap();
    let rest = client.rest(PATIENCE).await.unwrap();
    assert_eq!((rest.body.as_slice(), rest.ending), (&[mark(1); BLOCK_BYTES][..], Ending::Whole));
    drop(go_on);
    let mut client = ask().await;
    let rest = client.rest(PATIENCE).await.unwrap();
    assert_eq!((rest.body.len(), rest.ending), (0, Ending::Cut), "it must not look whole");
    answers(nodes.node(0)).await;
}
