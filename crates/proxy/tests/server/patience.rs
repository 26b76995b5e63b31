//! How long a client is waited for, at each place where it can keep us waiting.

use std::time::Duration;

use forebay::config::Limits;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use crate::stage::{Stage, connect, connect_through, limits, read_all, statuses, stream, whole};

async fn ends_after(sent: &str, seconds: u64) -> String {
    let mut client = connect(Stage::echo(), limits());
    let begin = Instant::now();
    client.write_all(sent.as_bytes()).await.unwrap();
    let received = read_all(&mut client).await;
    let passed = begin.elapsed();
    let expected = Duration::from_secs(seconds);
    assert!(passed >= expected && passed < expected + Duration::from_secs(3), "{passed:?}");
    received
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed_without_a_word() {
    assert_eq!(ends_after("", 60).await, "");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_last_answer() {
    let received = ends_after("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 60).await;
    assert_eq!(statuses(&received), [200]);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_stays_unfinished_is_408() {
    assert_eq!(statuses(&ends_after("GET / HT", 10).await), [408]);
    assert_eq!(statuses(&ends_after("GET / HTTP/1.1\r\nHost: a\r\n", 10).await), [408]);
}

#[tokio::test(start_paused = true)]
async fn an_http2_preface_that_stays_unfinished_is_closed() {
    assert_eq!(ends_after("PRI * HTTP/2.0\r\n", 10).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_slow_loris_is_timed_from_its_first_byte() {
    let mut client = connect(Stage::echo(), limits());
    let begin = Instant::now();
    let (mut read, mut write) = tokio::io::split(client_of(&mut client));
    let drip = async {
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: aaaaaaaaaaaaaaaaaaa".iter() {
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let received = tokio::select! {
        received = read_all(&mut read) => received,
        () = drip => unreachable!("it drips for ever"),
    };
    assert_eq!(statuses(&received), [408]);
    assert!(begin.elapsed() < Duration::from_secs(14), "{:?}", begin.elapsed());
}

fn client_of(client: &mut tokio::io::DuplexStream) -> &mut tokio::io::DuplexStream {
    client
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut() {
    for stage in [
        Stage::new(|_| async { whole("x".repeat(100_000)) }),
        Stage::new(|_| async { stream(None, &["hello"; 5000]) }),
    ] {
        let mut client = connect_through(stage, Limits::default(), 1024);
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(29)).await;
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut client, &mut byte).await.unwrap();
        tokio::time::sleep(Duration::from_secs(29)).await;
        client.write_all(b"x").await.unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(client.write_all(b"x").await.is_err(), "the connection is still there");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exchange_may_take_its_time_and_a_half_closed_client_still_gets_its_answer() {
    let stage = Stage::new(|_| async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        whole("late")
    });
    let mut client = connect(stage, limits());
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    assert!(read_all(&mut client).await.ends_with("late"));
}
