//! The same over real sockets: binding, limits, the drain.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use forebay::config::{Limits, Listen};
use forebay::server::{Drained, RefusalReason, Server, ServerStats};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::stage::{Stage, read_all, read_until, statuses, stream, whole};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct Running {
    address: std::net::SocketAddr,
    stats: std::sync::Arc<ServerStats>,
    stop: oneshot::Sender<()>,
    end: JoinHandle<Drained>,
}

fn run(stage: Stage, limits: &Limits) -> Running {
    let server = Server::bind(&[Listen::Tcp("127.0.0.1:0".parse().unwrap())], limits).unwrap();
    let [Listen::Tcp(address)] = server.listening()[..] else { panic!("one TCP listener") };
    let stats = server.stats();
    let (stop, stopped) = oneshot::channel();
    let end = tokio::spawn(server.serve(stage, async {
        let _ = stopped.await;
    }));
    Running { address, stats, stop, end }
}

#[tokio::test]
async fn a_client_over_tcp_is_answered_and_counted() {
    let running = run(Stage::echo(), &Limits::default());
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(GET).await.unwrap();
    read_until(&mut client, "[]").await;
    client.write_all(b"BAD\n").await.unwrap();
    assert_eq!(statuses(&read_all(&mut client).await), [400]);
    assert_eq!(running.stats.requests.load(Ordering::Relaxed), 1);
    assert_eq!(running.stats.refused(RefusalReason::Syntax), 1);
    assert_eq!(running.stats.connections_accepted.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_refused_client_reads_why_although_it_goes_on_sending() {
    let running = run(Stage::echo(), &Limits::default());
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n")
        .await
        .unwrap();
    for _ in 0..20 {
        client.write_all(&[b'x'; 50_000]).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let received = read_until(&mut client, "\n").await;
    assert_eq!(statuses(&received), [413]);
}

#[tokio::test]
async fn a_close_delimited_body_that_breaks_off_ends_in_a_reset() {
    let running = run(Stage::new(|_| async { stream(None, &["ab", ""]) }), &Limits::default());
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let error = client.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(running.stats.answers_broken.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_one_ends() {
    let limits = Limits { connections_max: 1, ..Limits::default() };
    let running = run(Stage::echo(), &limits);
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first.write_all(GET).await.unwrap();
    read_until(&mut first, "[]").await;
    let mut second = TcpStream::connect(running.address).await.unwrap();
    second.write_all(GET).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(50), second.read(&mut [0; 9])).await;
    assert!(early.is_err(), "the second was answered beside the first");
    drop(first);
    read_until(&mut second, "[]").await;
}

#[tokio::test]
async fn exchanges_beyond_the_limit_are_503() {
    let limits = Limits { requests_max: 1, ..Limits::default() };
    let running = run(Stage::new(|_| std::future::pending()), &limits);
    let mut first = TcpStream::connect(running.address).await.unwrap();
    first.write_all(GET).await.unwrap();
    while running.stats.exchanges_open.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let mut second = TcpStream::connect(running.address).await.unwrap();
    second.write_all(GET).await.unwrap();
    assert_eq!(statuses(&read_all(&mut second).await), [503]);
}

#[tokio::test]
async fn a_connection_that_only_waits_for_its_end_is_no_exchange() {
    let limits = Limits { requests_max: 1, ..Limits::default() };
    let running = run(Stage::echo(), &limits);
    for (sent, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ] {
        let mut first = TcpStream::connect(running.address).await.unwrap();
        first.write_all(sent.as_bytes()).await.unwrap();
        assert_eq!(statuses(&read_all(&mut first).await), [status]);
        // The first has heard all, and has not closed its own direction.
        let mut second = TcpStream::connect(running.address).await.unwrap();
        second.write_all(GET).await.unwrap();
        read_until(&mut second, " 200 ").await;
        drop(first);
    }
}

#[tokio::test]
async fn a_drain_closes_idle_connections_and_lets_exchanges_finish() {
    let stage = Stage::new(|_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        whole("done")
    });
    let running = run(stage, &Limits::default());
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    let mut busy = TcpStream::connect(running.address).await.unwrap();
    busy.write_all(GET).await.unwrap();
    while running.stats.exchanges_open.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    while running.stats.connections_open.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    running.stop.send(()).unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    let received = read_all(&mut busy).await;
    assert!(received.contains("connection: close") && received.ends_with("done"), "{received}");
    drop((idle, busy));
    assert_eq!(running.end.await.unwrap(), Drained { finished: 2, cut: 0 });
    assert!(TcpStream::connect(running.address).await.is_err(), "it still accepts");
}

#[tokio::test]
async fn a_drain_tells_http2_to_go_and_lets_its_streams_finish() {
    let stage = Stage::new(|_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        whole("done")
    });
    let running = run(stage, &Limits::default());
    let io = TokioIo::new(TcpStream::connect(running.address).await.unwrap());
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = || http::Request::get("http://a/").body(Empty::<Bytes>::new()).unwrap();
    let response = client.send_request(request());
    while running.stats.exchanges_open.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    running.stop.send(()).unwrap();
    let body = response.await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.to_bytes(), "done");
    connection.await.unwrap().unwrap();
    assert!(client.send_request(request()).await.is_err());
    assert_eq!(running.end.await.unwrap(), Drained { finished: 1, cut: 0 });
}

#[tokio::test]
async fn a_drain_that_lasts_too_long_cuts_the_rest() {
    let limits = Limits { drain_timeout: Duration::from_millis(50), ..Limits::default() };
    let running = run(Stage::new(|_| std::future::pending()), &limits);
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(GET).await.unwrap();
    while running.stats.exchanges_open.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    running.stop.send(()).unwrap();
    assert_eq!(running.end.await.unwrap(), Drained { finished: 0, cut: 1 });
    assert_eq!(read_all(&mut client).await, "");
}

#[tokio::test]
async fn a_reset_client_ends_its_exchange() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    struct Tell(tokio::sync::mpsc::UnboundedSender<()>);
    impl Drop for Tell {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let stage = Stage::new(move |_| {
        let tell = Tell(tell.clone());
        async move {
            let _tell = tell;
            std::future::pending().await
        }
    });
    let running = run(stage, &Limits::default());
    let mut client = TcpStream::connect(running.address).await.unwrap();
    client.write_all(GET).await.unwrap();
    while running.stats.exchanges_open.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    client.set_zero_linger().unwrap();
    drop(client);
    told.recv().await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_said_so() {
    let running = run(Stage::echo(), &Limits::default());
    let Err(error) = Server::bind(&[Listen::Tcp(running.address)], &Limits::default()) else {
        panic!("bound twice")
    };
    let expected = format!("cannot listen on {}: the address is in use", running.address);
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_dead_unix_socket_is_replaced_a_living_one_and_a_file_are_not() {
    let path = std::env::temp_dir().join(format!("forebay-server-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let bind = |path: &PathBuf| Server::bind(&[Listen::Unix(path.clone())], &Limits::default());
    let server = bind(&path).unwrap();
    let Err(error) = bind(&path) else { panic!("bound twice") };
    assert!(error.to_string().ends_with("the address is in use"), "{error}");
    let (stop, stopped) = oneshot::channel::<()>();
    let end = tokio::spawn(server.serve(Stage::echo(), async {
        let _ = stopped.await;
    }));
    let mut client = UnixStream::connect(&path).await.unwrap();
    client.write_all(GET).await.unwrap();
    read_until(&mut client, "[]").await;
    drop(client);
    stop.send(()).unwrap();
    end.await.unwrap();
    assert!(!path.exists(), "the path is left behind");
    std::fs::write(&path, "a file").unwrap();
    assert!(bind(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn ipv6_is_a_listener_of_its_own() {
    let Ok(server) = Server::bind(&[Listen::Tcp("[::1]:0".parse().unwrap())], &Limits::default())
    else {
        return;
    };
    let [Listen::Tcp(address)] = server.listening()[..] else { panic!("one TCP listener") };
    tokio::spawn(server.serve(Stage::echo(), std::future::pending()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    read_until(&mut client, "[]").await;
}
