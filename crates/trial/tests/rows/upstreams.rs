//! Several origins behind one route: who is asked, who is left out, who comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use forebay_trial::client::Client;
use forebay_trial::real::Gateway;
use forebay_trial::wire::Message;

use crate::support::{Gate, Origin, Out, PATIENCE, connect, gateway, request, status, text, until};

/// An origin that says its name to everybody, and keeps nothing in any cache.
async fn named(name: &'static str) -> Origin {
    Origin::start(move |_, out| says(name, out)).await
}

async fn says(name: &str, out: Out) -> Option<Out> {
    let member = format!("X-Member: {name}");
    out.send(200, &["Cache-Control: no-store", &member], name).await
}

/// An origin whose status can be changed while it runs; it says its name.
async fn moody(name: &'static str) -> (Origin, Arc<AtomicU16>) {
    let mood = Arc::new(AtomicU16::new(200));
    let shown = mood.clone();
    let origin = Origin::start(move |_, out| {
        let status = shown.load(Ordering::SeqCst);
        async move { out.send(status, &["Cache-Control: no-store"], name).await }
    })
    .await;
    (origin, mood)
}

/// The program before these members, with these lines of the table `upstream`.
async fn before(members: &[String], upstream: &str) -> Gateway {
    let nobody = ([127, 0, 0, 1], 9).into();
    let (to, upstream) =
        (format!("to = [{}]", members.join(", ")), format!("upstream = {{ {upstream} }}"));
    gateway(nobody, &[("route", &[to.as_str(), upstream.as_str()])]).await
}

fn plain(origin: &Origin) -> String {
    format!("\"http://{}\"", origin.address)
}

fn weighted(origin: &Origin, weight: u32) -> String {
    format!("{{ url = \"http://{}\", weight = {weight} }}", origin.address)
}

async fn client(gateway: &Gateway) -> Client {
    connect(gateway.address).await
}

async fn get(client: &mut Client, path: &str) -> Message {
    client.ask(&request("GET", path, &[]), PATIENCE).await.expect("an answer comes")
}

#[tokio::test]
async fn each_member_gets_what_its_weight_says() {
    let (heavy, light) = (named("heavy").await, named("light").await);
    let gateway = before(&[weighted(&heavy, 3), plain(&light)], "balance = \"round-robin\"").await;
    let mut client = client(&gateway).await;
    for number in 0..40 {
        assert_eq!(status(&get(&mut client, &format!("/{number}")).await), 200);
    }
    assert_eq!((heavy.count(), light.count()), (30, 10));
}

#[tokio::test]
async fn a_member_that_answers_badly_is_not_asked_and_comes_back() {
    let (bad, mood) = moody("bad").await;
    let good = named("good").await;
    let ejection =
        "slow_start = \"0s\", ejection = { failures = 3, for = \"1s\", for_max = \"1s\" }";
    let gateway = before(&[plain(&bad), plain(&good)], ejection).await;
    let mut client = client(&gateway).await;
    mood.store(503, Ordering::SeqCst);
    let mut failed = 0;
    for number in 0..30 {
        failed += usize::from(status(&get(&mut client, &format!("/{number}")).await) == 503);
    }
    // Three in a row, and one more for each second that this may have taken.
    assert_eq!(failed, bad.count());
    assert!((3..15).contains(&failed), "{failed}");
    mood.store(200, Ordering::SeqCst);
    let before = bad.count();
    let begun = tokio::time::Instant::now();
    while bad.count() < before + 10 {
        assert_eq!(status(&get(&mut client, "/again").await), 200);
        assert!(begun.elapsed() < PATIENCE, "it does not come back");
    }
}

#[tokio::test]
async fn a_member_that_is_gone_costs_no_client_anything_and_comes_back() {
    let (mut gone, good) = (named("gone").await, named("good").await);
    let address = gone.address;
    let members = [plain(&gone), plain(&good)];
    let ejection = "slow_start = \"0s\", ejection = { for = \"200ms\", for_max = \"200ms\" }";
    let gateway = before(&members, ejection).await;
    let mut client = client(&gateway).await;
    gone.shut().await;
    for number in 0..100 {
        let answer = get(&mut client, &format!("/{number}")).await;
        assert_eq!((status(&answer), text(&answer).as_str()), (200, "good"));
    }
    let back = Origin::start_at(address, |_, out| says("back", out)).await;
    let begun = tokio::time::Instant::now();
    while back.count() < 10 {
        assert_eq!(status(&get(&mut client, "/again").await), 200);
        assert!(begun.elapsed() < PATIENCE, "it does not come back");
    }
}

#[tokio::test]
async fn a_member_that_is_busy_gets_nothing_while_another_is_idle() {
    let gate = Gate::shut();
    let shut = gate.clone();
    let busy = Origin::start(move |_, out| {
        let gate = shut.clone();
        async move {
            gate.passed().await;
            says("busy", out).await
        }
    })
    .await;
    let idle = named("idle").await;
    let gateway = before(&[plain(&busy), plain(&idle)], "balance = \"least-requests\"").await;
    let mut waiting = client(&gateway).await;
    let mut others = client(&gateway).await;
    // The first goes to one of them; if that is the idle one, the next is the busy one's turn.
    while busy.count() == 0 {
        let asked = idle.count();
        waiting.send(request("GET", "/first", &[]).as_bytes(), PATIENCE).await;
        until("one of them is asked", || busy.count() > 0 || idle.count() > asked).await;
        if busy.count() == 0 {
            waiting = client(&gateway).await;
        }
    }
    for number in 0..20 {
        assert_eq!(text(&get(&mut others, &format!("/{number}")).await), "idle");
    }
    assert_eq!(busy.count(), 1);
    gate.open();
}

#[tokio::test]
async fn a_key_stays_with_its_member_whatever_the_method_and_the_variant() {
    let members = [named("a").await, named("b").await, named("c").await];
    let to: Vec<String> = members.iter().map(plain).collect();
    let gateway = before(&to, "balance = \"hash\"").await;
    let mut client = client(&gateway).await;
    let mut owners = Vec::new();
    for round in 0..4 {
        for number in 0..30 {
            let (path, language) = (format!("/{number}"), format!("Accept-Language: l{round}"));
            let asked = match round {
                2 => request("HEAD", &path, &[]),
                3 => request("DELETE", &path, &[]),
                _ => request("GET", &path, &[&language]),
            };
            let answer = client.ask(&asked, PATIENCE).await.expect("an answer comes");
            assert_eq!(status(&answer), 200);
            let owner = answer.head.field("x-member").expect("it says its name");
            match round {
                0 => owners.push(owner),
                _ => assert_eq!(owners[number], owner, "{asked} moved"),
            }
        }
    }
    // With thirty keys none of three is left out but once in a hundred thousand ports.
    assert!(members.iter().all(|member| member.count() > 0));
}

#[tokio::test]
async fn when_all_are_gone_clients_are_told_at_once_and_when_to_come_again() {
    let (mut one, mut other) = (named("one").await, named("other").await);
    let gateway = before(&[plain(&one), plain(&other)], "connect_timeout = \"10s\"").await;
    one.shut().await;
    other.shut().await;
    let mut client = client(&gateway).await;
    let (mut unreached, mut told) = (0, 0);
    for number in 0..100 {
        let answer = get(&mut client, &format!("/{number}")).await;
        match status(&answer) {
            502 => unreached += 1,
            503 => {
                told += 1;
                let after = answer.head.field("retry-after").expect("a time");
                assert!((1..=10).contains(&after.parse::<u64>().expect("seconds")), "{after}");
            }
            other => panic!("{other}"),
        }
    }
    assert!(told > 50, "{told} of 100");
    assert!(unreached >= 1);
}
