//! Every wait for a member ends. Time is not real here, and members are pipes.

use super::*;
use crate::answer::BodyError;
use crate::upstream::tests::origin::Pipes;
use Act::{Pause, Read, Stall, Write};
use http_body::Frame;
use tokio::time::Instant;

const HEAD: Act = Write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");

fn over(pipes: Arc<Pipes>, settings: &UpstreamSettings) -> Arc<Upstream> {
    Upstream::new(settings, pipes).unwrap()
}

fn settings() -> UpstreamSettings {
    UpstreamSettings {
        connect_timeout: Duration::from_secs(10),
        send_timeout: Duration::from_secs(20),
        read_timeout: Duration::from_secs(30),
        ..http("127.0.0.1:1".parse().unwrap())
    }
}

async fn check(
    scripts: Vec<Vec<Act>>,
    body: RequestBody,
    expected: Result<&str, FailureKind>,
    seconds: u64,
) {
    let named = format!("{scripts:?}");
    let begun = Instant::now();
    let upstream = over(Pipes::new(1024, scripts), &settings());
    let heard = ask(&upstream, request("POST", body)).await;
    let heard = heard.as_ref().map(|heard| heard.body.as_str()).map_err(|failure| failure.kind);
    assert_eq!((heard, begun.elapsed().as_secs()), (expected, seconds), "{named}");
}

/// A client's body: each text comes after so many seconds.
fn slow(texts: Vec<(u64, String)>) -> RequestBody {
    let frames = futures_util::stream::unfold(texts.into_iter(), |mut texts| async move {
        let (seconds, text) = texts.next()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        Some((Ok::<_, BodyError>(Frame::data(Bytes::from(text))), texts))
    });
    RequestBody::Stream(http_body_util::StreamBody::new(frames).boxed_unsync())
}

#[tokio::test(start_paused = true)]
async fn each_wait_has_its_own_end() {
    use FailureKind::{BodyTimeout, ConnectTimeout, HeadTimeout, SendTimeout};
    let wait = |seconds| Pause(Duration::from_secs(seconds));
    let empty = || RequestBody::Empty;
    check(vec![], empty(), Err(ConnectTimeout), 10).await;
    check(vec![vec![Read, Stall]], empty(), Err(HeadTimeout), 30).await;
    check(vec![vec![Read, HEAD, Stall]], empty(), Err(BodyTimeout), 30).await;
    let slow_but_alive =
        vec![Read, wait(29), HEAD, wait(29), Write("abc"), wait(29), Write("def"), Stall];
    check(vec![slow_but_alive], empty(), Ok("abcdef"), 87).await;
    let stuck = slow(vec![(0, "x".repeat(500_000)), (0, "x".repeat(500_000))]);
    check(vec![vec![Stall]], stuck, Err(SendTimeout), 20).await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_not_the_origins_silence() {
    let body = slow(vec![(50, "abc".into()), (50, "def".into())]);
    let script = vec![Act::ReadUntil("def\r\n0\r\n\r\n"), HEAD, Write("answer"), Stall];
    check(vec![script], body, Ok("answer"), 100).await;
}

#[tokio::test(start_paused = true)]
async fn a_response_may_last_as_long_as_the_request_goes_on() {
    let body = slow(vec![(0, "abc".into()), (100, "def".into())]);
    let script = vec![Read, HEAD, Act::ReadUntil("def\r\n0\r\n\r\n"), Write("answer"), Stall];
    check(vec![script], body, Ok("answer"), 100).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_in_mid_body_is_named() {
    let frames = futures_util::stream::iter([
        Ok(Frame::data(Bytes::from("abc"))),
        Err::<_, BodyError>("the client left".into()),
    ]);
    let body = RequestBody::Stream(http_body_util::StreamBody::new(frames).boxed_unsync());
    check(vec![vec![Read, Stall]], body, Err(FailureKind::RequestCut), 0).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_time() {
    let script = || vec![Read, Write("HTTP/1.1 204 No Content\r\n\r\n"), Act::Read];
    let pipes = Pipes::new(1024, vec![script(), script()]);
    let settings = UpstreamSettings { idle_timeout: Duration::from_secs(60), ..settings() };
    let upstream = over(pipes.clone(), &settings);
    ask(&upstream, get()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(pipes.seen()[1], "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(pipes.seen()[1], origin::CLOSED);
    ask(&upstream, get()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_a_connection_within_connect_timeout() {
    let reply = Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let five = Pause(Duration::from_secs(5));
    let script = vec![Read, five, reply, Read, five, reply, Read, five, reply];
    let settings = UpstreamSettings { connections_max: 1, ..settings() };
    let upstream = over(Pipes::new(1024, vec![script]), &settings);
    let begun = Instant::now();
    let (first, second, third) =
        tokio::join!(ask(&upstream, get()), ask(&upstream, get()), ask(&upstream, get()));
    let texts = [first, second, third].map(|heard| heard.map(|heard| heard.body));
    let full =
        texts.iter().filter(|text| text.as_ref().is_err_and(|f| f.kind == FailureKind::PoolFull));
    assert_eq!(full.count(), 1, "{texts:?}");
    assert_eq!(texts.iter().filter(|text| text.is_ok()).count(), 2);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_full_pool_refuses_when_nothing_comes_free() {
    let settings = UpstreamSettings { connections_max: 2, ..settings() };
    let upstream = over(Pipes::new(1024, vec![vec![Read, Stall], vec![Read, Stall]]), &settings);
    let asked = || ask(&upstream, get());
    let begun = Instant::now();
    let heard = tokio::join!(asked(), asked(), asked());
    assert_eq!(heard.2.unwrap_err().kind, FailureKind::PoolFull);
    assert_eq!(heard.0.unwrap_err().kind, FailureKind::HeadTimeout);
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_connection_to_an_address_that_the_name_left_is_not_used_again() {
    let script = || vec![Read, Write("HTTP/1.1 204 No Content\r\n\r\n"), Read];
    let pipes = Pipes::new(1024, vec![script(), script()]);
    let mut named = settings();
    named.members[0].host = "origin.example".to_owned();
    let upstream = over(pipes.clone(), &named);
    ask(&upstream, get()).await.unwrap();
    pipes.generation.store(1, Ordering::Relaxed);
    ask(&upstream, get()).await.unwrap();
    assert_eq!(pipes.seen()[1], origin::CLOSED);
}

#[tokio::test(start_paused = true)]
async fn a_member_that_could_not_be_reached_rests_while_another_answers() {
    struct FirstIsDead(Arc<Pipes>);
    impl Connect for FirstIsDead {
        fn connect(&self, member: &MemberAddress) -> Connecting {
            match member {
                MemberAddress::Tcp { port: 1, .. } => Box::pin(std::future::pending()),
                MemberAddress::Tcp { .. } | MemberAddress::Unix(_) => self.0.connect(member),
            }
        }
    }
    let reply = Write("HTTP/1.1 204 No Content\r\n\r\n");
    let pipes = Pipes::new(1024, vec![[Read, reply].repeat(4)]);
    let mut settings = settings();
    settings.members.push(member(MemberScheme::Http, "127.0.0.1:2".parse().unwrap()));
    let upstream = Upstream::new(&settings, Arc::new(FirstIsDead(pipes))).unwrap();
    let mut waited = Vec::new();
    for _ in 0..4 {
        let begun = Instant::now();
        ask(&upstream, get()).await.unwrap();
        waited.push(begun.elapsed().as_secs());
    }
    assert_eq!(waited, [10, 0, 0, 0]);
}
