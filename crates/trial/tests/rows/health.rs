//! Members that are checked, tried one after another, bounded, and all down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use forebay_trial::wire::Message;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{
    Gate, Origin, PATIENCE, Stage, check, connect, gateway, pass, request, said, stage, status,
};

const SHORT: &str = "Cache-Control: max-age=1";

/// Checks that come often, so that nobody waits long for them.
const CHECKED: &str = r#"upstream.health = { path = "/well", interval = "100ms", healthy_after = 1, unhealthy_after = 2 }"#;

/// The name of a metric of the only member.
fn of_member(stage: &Stage, name: &str) -> String {
    format!("forebay_member_{name}{{route=\"*/\",member=\"{}\"}}", stage.origin.address)
}

/// Before an origin that is well, or ill, as its checks are told.
async fn checked(route: &[&str]) -> (Stage, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&well);
    let lines: Vec<&str> = route.iter().copied().chain([CHECKED]).collect();
    let stage = stage(&lines, move |asked, out| {
        let status = if told.load(Ordering::SeqCst) { 204 } else { 500 };
        async move {
            match asked.head.target() {
                "/well" => out.send(status, &[], "").await,
                _ => out.send(200, &[SHORT], "page").await,
            }
        }
    })
    .await;
    (stage, well)
}

#[tokio::test]
async fn with_all_members_down_clients_get_what_is_stored_or_503_at_once() {
    let (stage, well) = checked(&["stale_when_unreachable = \"1h\""]).await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "page");
    stage.stored(1).await;
    well.store(false, Ordering::SeqCst);
    stage.measures(&of_member(&stage, "up"), |up| up == 0).await;
    let pages = |stage: &Stage| {
        let heard = stage.origin.heard();
        heard.iter().filter(|asked| asked.head.target() != "/well").count()
    };
    let before = pages(&stage);
    let refused = stage.get("/b", &[]).await;
    assert_eq!(status(&refused), 503, "{}", refused.shown());
    assert!(said(&refused).contains("detail=no-member"), "{}", refused.shown());
    let after = refused.head.field("retry-after").expect("it says when").parse::<u64>().unwrap();
    assert!((1..=2).contains(&after), "{after}");
    pass(Duration::from_millis(1200)).await;
    let stale = stage.get("/a", &[]).await;
    check(&stale, 200, &["detail=stale-when-unreachable"], "page");
    assert_eq!(pages(&stage), before, "a member that is down is not asked");
    well.store(true, Ordering::SeqCst);
    stage.measures(&of_member(&stage, "up"), |up| up == 1).await;
    check(&stage.get("/b", &[]).await, 200, &["stored"], "page");
    assert!(stage.metric("forebay_health_checks_failed_total").await >= 2);
}

/// An origin that closes its connections instead of answering while it is dying.
async fn mortal(dying: &Arc<AtomicBool>) -> Origin {
    let dying = Arc::clone(dying);
    Origin::start(move |_, out| {
        let is_dying = dying.load(Ordering::SeqCst);
        async move { if is_dying { None } else { out.send(200, &[], "page").await } }
    })
    .await
}

/// The line of a route that leads to all of them.
fn members(origins: &[&Origin]) -> String {
    let urls = origins.iter().map(|origin| format!("\"http://{}\"", origin.address));
    format!("to = [{}]", urls.collect::<Vec<_>>().join(", "))
}

/// So many requests by clients that ask one after another; what is done after half of them.
async fn asked_half_by_half(
    at: std::net::SocketAddr,
    clients: usize,
    each: usize,
    between: impl FnOnce(),
) -> Vec<Message> {
    let mut answers = Vec::new();
    let mut between = Some(between);
    for half in 0..2 {
        let mut asking = Vec::new();
        for number in 0..clients {
            let mut client = connect(at).await;
            asking.push(tokio::spawn(async move {
                let mut answers = Vec::new();
                for turn in 0..each / 2 {
                    let path = format!("/{half}/{number}/{turn}");
                    let answer = client.ask(&request("GET", &path, &[]), PATIENCE).await;
                    answers.push(answer.expect("an answer comes"));
                }
                answers
            }));
        }
        for asked in asking {
            answers.extend(asked.await.expect("a client does not panic"));
        }
        if let Some(between) = between.take() {
            between();
        }
    }
    answers
}

#[tokio::test]
async fn nobody_sees_that_one_of_two_members_dies() {
    let dying = Arc::new(AtomicBool::new(false));
    let (dies, stays) = (mortal(&dying).await, mortal(&Arc::default()).await);
    let to = members(&[&dies, &stays]);
    let gateway = gateway(dies.address, &[("route", &[&to])]).await;
    let begin_to_die = || dying.store(true, Ordering::SeqCst);
    let answers = asked_half_by_half(gateway.address, 4, 40, begin_to_die).await;
    for answer in answers {
        check(&answer, 200, &[], "page");
    }
    assert!(dies.count() < stays.count(), "it is left out: {} {}", dies.count(), stays.count());
}

#[tokio::test]
async fn retries_stay_within_their_budget_when_all_members_die_under_load() {
    let dying = Arc::new(AtomicBool::new(false));
    let origins = [mortal(&dying).await, mortal(&dying).await];
    // Only the budget is to hold them back here.
    let (to, ejection) = (members(&origins.each_ref()), "upstream.ejection.failures = 1000");
    let gateway = gateway(origins[0].address, &[("route", &[&to, ejection])]).await;
    let begin_to_die = || dying.store(true, Ordering::SeqCst);
    let (clients, each) = (8, 100);
    let begun = tokio::time::Instant::now();
    let answers = asked_half_by_half(gateway.address, clients, each, begin_to_die).await;
    let windows = begun.elapsed().as_secs() as usize / 10 + 1;
    let requests = clients * each;
    let heard: usize = origins.iter().map(Origin::count).sum();
    let bad = answers.iter().filter(|answer| status(answer) == 502).count();
    assert_eq!(bad, requests / 2, "all of the second half fail");
    let retries = heard - requests;
    let allowed = requests / 5 + 10 * windows;
    assert!(retries >= 10 && retries <= allowed, "{retries} of {allowed}");
}

#[tokio::test]
async fn a_full_member_lets_wait_as_many_as_it_may_and_refuses_the_others_at_once() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let route = [r#"upstream = { requests_max = 1, queue_max = 2, queue_timeout = "1m" }"#];
    let stage = stage(&route, move |_, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            out.send(200, &[], "done").await
        }
    })
    .await;
    let waiting = of_member(&stage, "waiting");
    let post = |path: &str| request("POST", path, &["Content-Length: 0"]);
    let mut clients = Vec::new();
    for (number, path) in ["/first", "/second"].into_iter().enumerate() {
        let mut client = stage.client().await;
        client.send(post(path).as_bytes(), PATIENCE).await;
        stage.heard(1).await;
        stage.measures(&waiting, |waiting| waiting == number as u64).await;
        clients.push(client);
    }
    let mut leaves = TcpStream::connect(stage.gateway.address).await.unwrap();
    leaves.write_all(post("/leaves").as_bytes()).await.unwrap();
    stage.measures(&waiting, |waiting| waiting == 2).await;
    let refused = stage.ask(&post("/refused")).await;
    assert_eq!(status(&refused), 503, "{}", refused.shown());
    assert!(said(&refused).contains("detail=member-full"), "{}", refused.shown());
    assert!(refused.head.field("retry-after").is_some());
    leaves.set_zero_linger().unwrap();
    drop(leaves);
    stage.measures(&waiting, |waiting| waiting == 1).await;
    let mut third = stage.client().await;
    third.send(post("/third").as_bytes(), PATIENCE).await;
    stage.measures(&waiting, |waiting| waiting == 2).await;
    gate.open();
    clients.push(third);
    for mut client in clients {
        check(&client.response(PATIENCE).await.unwrap(), 200, &[], "done");
    }
    let heard: Vec<String> =
        stage.origin.heard().iter().map(|asked| asked.head.target().to_owned()).collect();
    assert_eq!(heard, ["/first", "/second", "/third"], "in the order of coming");
}
