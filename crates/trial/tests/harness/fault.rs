//! The proxy between two: does it do what each mood says, also to connections that are there?

use std::time::Duration;

use forebay_trial::fault::{FaultProxy, Mood};
use forebay_trial::redis::{Connection, RedisServer, Reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::{MOMENT, PATIENCE};

/// A proxy before a target that sends back what it gets, and a connection through it.
struct Echo {
    proxy: FaultProxy,
    stream: TcpStream,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let target = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                    let _ = writer.shutdown().await;
                });
            }
        });
        let proxy = FaultProxy::start(target).await.expect("it starts");
        let stream = TcpStream::connect(proxy.address()).await.expect("it accepts");
        let mut echo = Echo { proxy, stream };
        assert!(echo.sends_back("first").await < PATIENCE);
        echo
    }

    /// How long it takes until this comes back.
    async fn sends_back(&mut self, text: &str) -> Duration {
        let begun = Instant::now();
        self.stream.write_all(text.as_bytes()).await.expect("it is read");
        self.reads(text).await;
        begun.elapsed()
    }

    async fn reads(&mut self, text: &str) {
        let mut read = vec![0; text.len()];
        let reading = timeout(PATIENCE, self.stream.read_exact(&mut read));
        reading.await.expect("in time").expect("all of it");
        assert_eq!(String::from_utf8_lossy(&read), text);
    }

    async fn is_silent(&mut self) {
        assert!(timeout(MOMENT, self.stream.read_u8()).await.is_err());
    }

    async fn is_ended(&mut self) {
        let read = timeout(PATIENCE, self.stream.read_u8()).await.expect("it ends");
        assert!(read.is_err());
    }

    async fn another(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.expect("it accepts")
    }
}

#[tokio::test]
async fn pass_forwards_and_counts() {
    let mut echo = Echo::start().await;
    echo.sends_back("abc").await;
    let _other = echo.another().await;
    let counted = (echo.proxy.bytes_there(), echo.proxy.bytes_back());
    assert_eq!(counted, (8, 8));
    forebay_trial::patience::until("both count", PATIENCE, async || echo.proxy.connections() == 2)
        .await
        .unwrap();
    // Who says no more still hears the rest, and then the end.
    echo.stream.write_all(b"last").await.unwrap();
    echo.stream.shutdown().await.unwrap();
    echo.reads("last").await;
    echo.is_ended().await;
}

#[tokio::test]
async fn latency_delays_each_direction_and_not_the_throughput() {
    let mut echo = Echo::start().await;
    let (there, back) = (Duration::from_millis(120), Duration::from_millis(60));
    echo.proxy.set(Mood::Latency { there, back }).await.unwrap();
    let took = echo.sends_back("abc").await;
    assert!(took >= there + back, "{took:?}");
    // A window of pieces is under way at once: not one piece a latency, which were 5.8 s.
    let took = echo.sends_back(&"x".repeat(512 * 1024)).await;
    assert!(took < 10 * (there + back), "{took:?}");
    echo.proxy.set(Mood::Pass).await.unwrap();
    assert!(echo.sends_back("abc").await < there + back);
}

#[tokio::test]
async fn stall_accepts_and_holds_everything_back_until_it_passes() {
    let mut echo = Echo::start().await;
    echo.proxy.set(Mood::Stall).await.unwrap();
    echo.stream.write_all(b"abc").await.unwrap();
    let mut other = echo.another().await;
    other.write_all(b"def").await.unwrap();
    echo.is_silent().await;
    assert!(timeout(MOMENT, other.read_u8()).await.is_err());
    assert_eq!(echo.proxy.bytes_there(), 5);
    echo.proxy.set(Mood::Pass).await.unwrap();
    echo.reads("abc").await;
    echo.stream = other;
    echo.reads("def").await;
}

#[tokio::test]
async fn cut_ends_what_there_is_and_refuses_what_comes() {
    let mut echo = Echo::start().await;
    echo.proxy.set(Mood::Cut).await.unwrap();
    assert!(TcpStream::connect(echo.proxy.address()).await.is_err());
    echo.is_ended().await;
    echo.proxy.set(Mood::Pass).await.unwrap();
    echo.stream = echo.another().await;
    echo.sends_back("abc").await;
}

#[tokio::test]
async fn half_open_reads_and_never_answers_also_when_it_is_over() {
    let mut echo = Echo::start().await;
    let idle = echo.another().await;
    echo.proxy.set(Mood::HalfOpen).await.unwrap();
    let silent = echo.another().await;
    let mut new = echo.another().await;
    // More than any buffer between us: so it is read.
    let much = vec![0; 32 << 20];
    for stream in [&mut echo.stream, &mut new] {
        timeout(PATIENCE, stream.write_all(&much)).await.expect("it is read").unwrap();
    }
    echo.is_silent().await;
    assert_eq!(echo.proxy.bytes_there(), 5);
    echo.proxy.set(Mood::Pass).await.unwrap();
    echo.is_ended().await;
    echo.stream = new;
    echo.is_ended().await;
    // Nobody lost anything on these.
    for stream in [idle, silent] {
        echo.stream = stream;
        echo.sends_back("abc").await;
    }
}

#[tokio::test]
async fn drip_forwards_so_many_bytes_an_interval() {
    let mut echo = Echo::start().await;
    let every = Duration::from_millis(20);
    echo.proxy.set(Mood::Drip { bytes: 10, every }).await.unwrap();
    let took = echo.sends_back(&"x".repeat(100)).await;
    assert!(took >= 9 * every, "{took:?}");
    echo.proxy.set(Mood::Pass).await.unwrap();
    echo.sends_back(&"x".repeat(100_000)).await;
}

#[tokio::test]
async fn a_target_that_is_gone_ends_the_connection() {
    let mut redis = RedisServer::start().await.unwrap();
    let proxy = FaultProxy::start(redis.address()).await.unwrap();
    assert_eq!(redis.url_through(proxy.address()), format!("redis://{}", proxy.address()));
    let mut client = Connection::tcp(proxy.address()).await.unwrap();
    assert_eq!(client.command(&["PING"]).await.unwrap(), Reply::Status("PONG".into()));
    redis.kill().await.unwrap();
    assert!(client.next(PATIENCE).await.is_err());
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(timeout(PATIENCE, stream.read_u8()).await.expect("it ends").is_err());
}
