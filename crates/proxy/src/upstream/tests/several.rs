//! Several members: which failures go to another, what bounds that, who is full, who is down.

use super::*;
use crate::config::{HealthMethod, HealthSettings};
use crate::upstream::tests::origin::Pipes;
use Act::{Pause, Read, Stall, Write};
use http::StatusCode;
use tokio::time::Instant;

const OK: Act = Write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
const BUSY: Act = Write("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");

/// Members behind pipes: each port has scripts of its own, and connections are refused where there
/// are none.
struct Ports(Vec<Arc<Pipes>>);

impl Ports {
    fn new(scripts: Vec<Vec<Vec<Act>>>) -> Arc<Ports> {
        Arc::new(Ports(scripts.into_iter().map(|scripts| Pipes::new(4096, scripts)).collect()))
    }

    /// How many requests each member has heard.
    fn heard(&self) -> Vec<usize> {
        let heard = |pipes: &Arc<Pipes>| {
            pipes.seen().iter().filter(|text| text.contains("HTTP/1.1")).count()
        };
        self.0.iter().map(heard).collect()
    }
}

impl Connect for Ports {
    fn connect(&self, member: &MemberAddress) -> Connecting {
        match member {
            MemberAddress::Tcp { port, .. } if self.0[usize::from(*port)].is_spent() => {
                Box::pin(async { Err(std::io::ErrorKind::ConnectionRefused.into()) })
            }
            MemberAddress::Tcp { port, .. } => self.0[usize::from(*port)].connect(member),
            MemberAddress::Unix(_) => Box::pin(std::future::pending()),
        }
    }
}

fn settings(members: u16) -> UpstreamSettings {
    let member = |port| MemberSettings {
        scheme: MemberScheme::Http,
        host: "10.0.0.1".to_owned(),
        port,
        weight: 1,
    };
    UpstreamSettings::to((0..members).map(member).collect())
}

/// What a request meets, how long that took in seconds, and how many requests each member heard.
/// Members are given in the order in which they are tried.
async fn check(
    settings: UpstreamSettings,
    asked: (&str, RequestBody),
    scripts: Vec<Vec<Vec<Act>>>,
    expected: Result<(u16, &str), FailureKind>,
    then: (u64, &[usize]),
) {
    let named = format!("{} {scripts:?}", asked.0);
    let ports = Ports::new(scripts);
    let upstream = Upstream::new(&settings, ports.clone()).unwrap();
    let begun = Instant::now();
    let heard = ask(&upstream, request(asked.0, asked.1)).await;
    let heard = heard.as_ref().map(|heard| (heard.status, heard.body.as_str()));
    assert_eq!(heard.map_err(|failure| failure.kind), expected, "{named}");
    assert_eq!((begun.elapsed().as_secs(), &*ports.heard()), then, "{named}");
}

fn stream() -> RequestBody {
    RequestBody::Stream(http_body_util::Full::from("x").map_err(|e| match e {}).boxed_unsync())
}

#[tokio::test(start_paused = true)]
async fn what_no_member_has_answered_goes_to_another_if_it_may() {
    let whole = || RequestBody::Whole(Bytes::from("x"));
    let fine = || vec![vec![Read, OK, Stall]];
    let cut = || vec![vec![Read]];
    let silent = || vec![vec![Read, Stall]];
    let begun = || vec![vec![Read, Write("HTTP/1.1 2")]];
    let ok = Ok((200, "ok"));
    let get = || ("GET", RequestBody::Empty);
    check(settings(2), get(), vec![vec![], fine()], ok, (0, &[0, 1])).await;
    check(settings(2), ("POST", stream()), vec![vec![], fine()], ok, (0, &[0, 1])).await;
    check(settings(2), get(), vec![cut(), fine()], ok, (0, &[1, 1])).await;
    check(settings(2), ("PUT", whole()), vec![cut(), fine()], ok, (0, &[1, 1])).await;
    check(settings(2), get(), vec![silent(), fine()], ok, (30, &[1, 1])).await;
    let failed = |kind| Err(kind);
    let head_cut = failed(FailureKind::HeadCut);
    check(settings(2), ("POST", whole()), vec![cut(), fine()], head_cut, (0, &[1, 0])).await;
    check(settings(2), ("PUT", stream()), vec![cut(), fine()], head_cut, (0, &[1, 0])).await;
    check(settings(2), get(), vec![begun(), fine()], head_cut, (0, &[1, 0])).await;
}

#[tokio::test(start_paused = true)]
async fn no_more_members_are_tried_than_allowed() {
    let get = || ("GET", RequestBody::Empty);
    let cut = || vec![vec![Read]];
    let four = || vec![cut(), cut(), cut(), vec![vec![Read, OK]]];
    let cut_off = Err(FailureKind::HeadCut);
    check(settings(4), get(), four(), cut_off, (0, &[1, 1, 1, 0])).await;
    let more = UpstreamSettings { retries: 3, ..settings(4) };
    check(more, get(), four(), Ok((200, "ok")), (0, &[1, 1, 1, 1])).await;
    let none = UpstreamSettings { retries: 0, ..settings(4) };
    check(none, get(), four(), cut_off, (0, &[1, 0, 0, 0])).await;
    check(settings(2), get(), vec![cut(), cut()], cut_off, (0, &[1, 1])).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_with_a_listed_status_is_exchanged_for_another_members() {
    let get = || ("GET", RequestBody::Empty);
    let settings = |members| UpstreamSettings {
        retry_statuses: vec![StatusCode::SERVICE_UNAVAILABLE],
        ..settings(members)
    };
    let busy = || vec![vec![Read, BUSY, Stall]];
    let fine = || vec![vec![Read, OK, Stall]];
    let whole = || RequestBody::Whole(Bytes::from("x"));
    check(settings(2), get(), vec![busy(), fine()], Ok((200, "ok")), (0, &[1, 1])).await;
    check(settings(2), ("PUT", whole()), vec![busy(), fine()], Ok((200, "ok")), (0, &[1, 1])).await;
    let stays = Ok((503, "busy"));
    check(settings(2), ("POST", whole()), vec![busy(), fine()], stays, (0, &[1, 0])).await;
    check(settings(2), ("PUT", stream()), vec![busy(), fine()], stays, (0, &[1, 0])).await;
    check(settings(2), get(), vec![busy(), busy()], stays, (0, &[1, 1])).await;
    check(settings(4), get(), vec![busy(), busy(), busy(), fine()], stays, (0, &[1, 1, 1, 0]))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_dying_upstream_is_not_stormed() {
    let cut = || vec![vec![Read]; 4000];
    let ports = Ports::new(vec![cut(), cut()]);
    let settings = UpstreamSettings {
        ejection: crate::config::Ejection { failures: u32::MAX, ..Default::default() },
        ..settings(2)
    };
    let upstream = Upstream::new(&settings, ports.clone()).unwrap();
    for _ in 0..1000 {
        ask(&upstream, get()).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let heard: usize = ports.heard().iter().sum();
    assert!((1100..=1210).contains(&heard), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_full_lets_wait_and_another_that_is_not_is_asked_first() {
    let slow = || vec![vec![Read, Pause(Duration::from_secs(5)), OK, Read, OK]; 2];
    let ports = Ports::new(vec![slow(), slow()]);
    let settings = UpstreamSettings {
        requests_max: Some(1),
        queue_max: 1,
        queue_timeout: Duration::from_secs(20),
        ..settings(2)
    };
    let upstream = Upstream::new(&settings, ports.clone()).unwrap();
    let begun = Instant::now();
    let asked = |number: u64| {
        let upstream = upstream.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(number)).await;
            let heard = ask(&upstream, get()).await;
            (heard.map(|heard| heard.status).map_err(|f| f.kind), begun.elapsed().as_secs())
        }
    };
    let told = tokio::join!(asked(0), asked(1), asked(2), asked(3), asked(4));
    let full = (Err(FailureKind::MemberFull), 0);
    let ok = |seconds| (Ok(200), seconds);
    assert_eq!(told, (ok(5), ok(5), ok(5), ok(5), full));
    assert_eq!(ports.heard(), [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_held_until_the_body_has_ended_and_waited_for_no_longer_than_allowed() {
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab";
    let script = vec![Read, Write(slow), Pause(Duration::from_secs(3)), Write("cd"), Read, OK];
    let settings = UpstreamSettings {
        requests_max: Some(1),
        queue_timeout: Duration::from_secs(2),
        ..settings(1)
    };
    let upstream = Upstream::new(&settings, Ports::new(vec![vec![script]])).unwrap();
    let first = upstream.send(get(), None).await.unwrap();
    let begun = Instant::now();
    let failure = ask(&upstream, get()).await.unwrap_err();
    assert_eq!((failure.kind, begun.elapsed().as_secs()), (FailureKind::MemberFull, 2));
    assert_eq!(failure.status(), StatusCode::SERVICE_UNAVAILABLE);
    let (first, second) = tokio::join!(hear(first), ask(&upstream, get()));
    assert_eq!((first.unwrap().body, second.unwrap().body), ("abcd".into(), "ok".into()));
}

#[tokio::test(start_paused = true)]
async fn a_place_comes_back_from_a_request_that_is_abandoned() {
    let settings = UpstreamSettings { requests_max: Some(1), ..settings(1) };
    let ports = Ports::new(vec![vec![vec![Read, Stall], vec![Read, OK]]]);
    let upstream = Upstream::new(&settings, ports).unwrap();
    let abandoned = tokio::time::timeout(Duration::from_millis(50), upstream.send(get(), None));
    assert!(abandoned.await.is_err());
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
}

fn checked(members: u16) -> UpstreamSettings {
    let health = HealthSettings {
        method: HealthMethod::Head,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(1),
        healthy_after: 2,
        unhealthy_after: 2,
        host: Some("health.example".to_owned()),
        ..HealthSettings::of("/well?x".to_owned())
    };
    UpstreamSettings { health: Some(health), ..settings(members) }
}

const WELL: Act = Write("HTTP/1.1 204 No Content\r\n\r\n");
const ILL: Act = Write("HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n");

/// Waits until the first member stands like this.
async fn stands(upstream: &Upstream, state: State) {
    while upstream.readings()[0].standing.state != state {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_that_fails_its_checks_is_not_asked_until_it_passes_them() {
    let mut script = vec![vec![Read, ILL]; 2];
    script.extend(vec![vec![Read, WELL]; 2]);
    script.push(vec![Read, OK]);
    let ports = Ports::new(vec![script]);
    let upstream = Upstream::new(&checked(1), ports.clone()).unwrap();
    stands(&upstream, State::Down).await;
    let begun = Instant::now();
    let failure = ask(&upstream, get()).await.unwrap_err();
    assert_eq!((failure.kind, begun.elapsed()), (FailureKind::NoMember, Duration::ZERO));
    assert_eq!(
        failure.to_string(),
        "cannot choose a member of `10.0.0.1:0`: all are down or at rest"
    );
    assert!((8..=11).contains(&failure.retry_after_seconds()), "{failure:?}");
    assert_eq!(upstream.readings()[0].checks_failed, 2);
    stands(&upstream, State::Up).await;
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
    let check =
        "HEAD /well?x HTTP/1.1\r\nHost: health.example\r\nUser-Agent: forebay-health\r\n\r\n";
    assert_eq!(ports.0[0].seen()[..4], [check; 4]);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_nobody_answers_fails_in_time() {
    let ports = Ports::new(vec![vec![vec![Read, Stall]; 3], vec![vec![Read, WELL]; 9]]);
    let upstream = Upstream::new(&checked(2), ports.clone()).unwrap();
    tokio::time::sleep(Duration::from_secs(25)).await;
    let states: Vec<_> = upstream.readings().iter().map(|one| one.standing.state).collect();
    assert_eq!(states, [State::Down, State::Up]);
}

#[tokio::test(start_paused = true)]
async fn upstreams_that_check_alike_check_once_and_stop_with_the_last() {
    let ports = Ports::new(vec![vec![vec![Read, WELL]; 100]]);
    let connect: Arc<dyn Connect> = ports.clone();
    let of = |settings: &UpstreamSettings| Upstream::new(settings, connect.clone()).unwrap();
    let alike: Vec<_> = (0..20).map(|_| of(&checked(1))).collect();
    tokio::time::sleep(Duration::from_secs(100)).await;
    let heard = ports.heard()[0];
    assert!((8..=12).contains(&heard), "{heard}");
    drop(alike);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(ports.heard()[0], heard);
}

#[tokio::test]
async fn upstreams_that_lead_to_the_same_place_share_its_connections() {
    let origin = Origin::start(vec![vec![Read, OK, Read, OK, Read, OK, Read]]).await;
    let connect = network();
    let of = |settings: &UpstreamSettings| Upstream::new(settings, connect.clone()).unwrap();
    let settings = http(origin.address);
    let (first, second) = (of(&settings), of(&settings));
    assert!(Arc::ptr_eq(first.first(), second.first()));
    for upstream in [&first, &second] {
        assert_eq!(ask(upstream, get()).await.unwrap().body, "ok");
    }
    let patient = UpstreamSettings { read_timeout: Duration::from_secs(31), ..settings.clone() };
    assert!(!Arc::ptr_eq(first.first(), of(&patient).first()));
    let other = Upstream::new(&settings, network()).unwrap();
    assert!(!Arc::ptr_eq(first.first(), other.first()));
    // A changed route: the new one is made before the old one goes.
    drop(second);
    let changed = UpstreamSettings { retries: 0, ..settings };
    let third = first.succeeded_by(&changed, connect.clone()).unwrap();
    drop(first);
    assert_eq!(ask(&third, get()).await.unwrap().body, "ok");
    assert_eq!(origin.seen().len(), 4, "one connection for all: {:?}", origin.seen());
}

#[tokio::test]
async fn a_removed_member_ends_what_it_has_and_closes_what_is_idle() {
    let slow = vec![Read, Write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")];
    let rest = vec![Pause(Duration::from_millis(100)), Write("cd"), Read];
    let script = [slow, rest].concat();
    let origin = Origin::start(vec![script, vec![Read, OK, Read]]).await;
    let upstream = over_network(&http(origin.address));
    let under_way = upstream.send(get(), None).await.unwrap();
    assert_eq!(ask(&upstream, get()).await.unwrap().body, "ok");
    drop(upstream);
    let idle_closed = async {
        while origin.closed() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (heard, ()) = tokio::join!(hear(under_way), idle_closed);
    assert_eq!(heard.unwrap().body, "abcd");
    while origin.closed() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn an_upstream_with_one_plain_member_is_small() {
    assert!(size_of::<Upstream>() <= 32, "{}", size_of::<Upstream>());
    assert!(size_of::<Member>() <= 640, "{}", size_of::<Member>());
}
