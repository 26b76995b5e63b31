//! What is kept stays within its bounds, and what is abandoned is let go.

use super::*;
use Act::{Read, Stall, Write};

const OK: Act = Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

#[tokio::test]
async fn no_more_idle_connections_are_kept_than_allowed() {
    let script = || vec![Read, OK, Read];
    let origin = Origin::start((0..4).map(|_| script()).collect()).await;
    let settings = UpstreamSettings { idle_connections_max: 1, ..http(origin.address) };
    let upstream = over_network(&settings);
    let asked = || ask(&upstream, get());
    let _ = tokio::join!(asked(), asked(), asked());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(origin.closed(), 2, "one is kept: {:?}", origin.seen());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_connection_is_woken_for_each_that_comes_back() {
    let (address, connections, _server) = super::versions::http1().await;
    let settings = UpstreamSettings { connections_max: 4, ..http(address) };
    let upstream = over_network(&settings);
    let settings = UpstreamSettings { connections_max: 64, ..settings };
    let wide = over_network(&settings);
    let begun = std::time::Instant::now();
    for (upstream, tasks) in [(upstream, 8), (wide, 64)] {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..tasks {
            let upstream = upstream.clone();
            asking.spawn(async move {
                for _ in 0..50 {
                    assert_eq!(ask(&upstream, get()).await.unwrap().status, 200);
                }
            });
        }
        while let Some(task) = asking.join_next().await {
            task.unwrap();
        }
    }
    assert!(connections.load(Ordering::Relaxed) <= 4 + 64, "{connections:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "nobody was left to wait in vain");
}

#[tokio::test]
async fn an_abandoned_exchange_closes_its_connection_and_frees_its_place() {
    let origin = Origin::start(vec![vec![Read, Stall], vec![Read, OK]]).await;
    let settings = UpstreamSettings { connections_max: 1, ..http(origin.address) };
    let upstream = over_network(&settings);
    let abandoned = tokio::time::timeout(Duration::from_millis(50), upstream.send(get(), None));
    assert!(abandoned.await.is_err());
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_ends_the_connection() {
    let origin = Origin::start(vec![vec![Read, OK, Stall], vec![Read, OK]]).await;
    let upstream = over_network(&http(origin.address));
    let frames = futures_util::stream::pending::<Result<http_body::Frame<Bytes>, _>>();
    let body = RequestBody::Stream(http_body_util::StreamBody::new(frames).boxed_unsync());
    assert_eq!(ask(&upstream, request("POST", body)).await.unwrap().body, "ok");
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
}

#[tokio::test]
async fn members_take_turns() {
    let script = || vec![Read, OK, Read, OK];
    let (one, two) = (Origin::start(vec![script()]).await, Origin::start(vec![script()]).await);
    let mut settings = http(one.address);
    settings.members.push(member(MemberScheme::Http, two.address));
    let upstream = over_network(&settings);
    for _ in 0..4 {
        ask(&upstream, get()).await.unwrap();
    }
    assert_eq!((one.seen().len(), two.seen().len()), (2, 2));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let check = |settings: UpstreamSettings, text: &str| {
        let error = Upstream::new(&settings, network()).err().unwrap();
        assert_eq!(error.to_string(), text);
    };
    check(UpstreamSettings::to(vec![]), "cannot use an upstream: it has no members");
    let mut settings = http("127.0.0.1:1".parse().unwrap());
    settings.members[0].scheme = MemberScheme::Https;
    settings.members[0].host = "no name".into();
    settings.ca_file = Some("/nowhere.pem".into());
    let error = Upstream::new(&settings, network()).err().unwrap().to_string();
    assert!(error.starts_with("cannot read the certificates in `/nowhere.pem`: "), "{error}");
}
