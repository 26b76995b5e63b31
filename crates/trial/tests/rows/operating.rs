//! Operating it: draining, what is said of an exchange, health, and how it refuses to start.

use std::time::Duration;

use forebay_trial::process::Process;
use forebay_trial::real::free_address;
use forebay_trial::wire::Ending;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{
    Gate, PATIENCE, Stage, check, head, pass, program, request, said, stage, stage_with, status,
    text, until,
};

const FRESH: &str = "Cache-Control: max-age=60";

/// Before an origin that says the head, and the body when the gate opens.
async fn slow(limits: &[&str]) -> (Stage, Gate) {
    let gate = Gate::shut();
    let shut = gate.clone();
    let stage = stage_with(&[("limits", limits)], move |_, out| {
        let gate = shut.clone();
        async move {
            let out = out.write(head(200, &[FRESH, "Content-Length: 6"])).await.write("abc").await;
            gate.passed().await;
            Some(out.write("def").await)
        }
    })
    .await;
    (stage, gate)
}

#[tokio::test]
async fn sigterm_lets_exchanges_under_way_finish_and_takes_no_new_ones() {
    let (mut stage, gate) = slow(&[]).await;
    let mut client = stage.client().await;
    client.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    client.begin(PATIENCE).await.unwrap();
    let mut idle = stage.client().await;
    stage.gateway.process.terminate().await.unwrap();
    let output = || stage.gateway.process.output();
    until("it says that it drains", || output().contains("draining")).await;
    // Who has said nothing yet is let go; who is new is not let in.
    idle.closed(PATIENCE).await.unwrap();
    until("nobody new is let in", || std::net::TcpStream::connect(stage.gateway.address).is_err())
        .await;
    let ready = stage.admin("/ready").await;
    assert_eq!((status(&ready), text(&ready).as_str()), (503, "draining\n"));
    assert_eq!(stage.gateway.process.ended(), None);
    gate.open();
    let rest = client.rest(PATIENCE).await.unwrap();
    assert_eq!((rest.body.as_slice(), rest.ending), (&b"abcdef"[..], Ending::Whole));
    assert!(stage.gateway.process.wait(PATIENCE).await.unwrap().success());
}

#[tokio::test]
async fn a_drain_does_not_last_longer_than_its_limit() {
    let (mut stage, _gate) = slow(&["drain_timeout = \"500ms\""]).await;
    let mut client = stage.client().await;
    client.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    client.begin(PATIENCE).await.unwrap();
    stage.gateway.process.terminate().await.unwrap();
    stage.gateway.process.wait(PATIENCE).await.unwrap();
    assert_eq!(client.rest(PATIENCE).await.unwrap().ending, Ending::Cut);
}

/// Requests that end in every way, each with what metrics and log call it.
async fn all_outcomes(log: &str) -> (Stage, Vec<(&'static str, String)>) {
    let log = format!("access_log = \"{log}\"");
    let gate = Gate::shut();
    let shut = gate.clone();
    let tables: [(&str, &[&str]); 2] = [("gateway", &[&log]), ("route", &["stale = \"60s\""])];
    let stage = stage_with(&tables, move |asked, out| {
        let gate = shut.clone();
        async move {
            let checked = ["Cache-Control: no-cache", "ETag: \"1\""];
            match (asked.head.target(), asked.head.field("if-none-match")) {
                ("/shared", _) => {
                    gate.passed().await;
                    out.send(200, &[FRESH], "shared").await
                }
                ("/checked", Some(_)) => Some(out.write(head(304, &checked)).await),
                ("/checked", None) => out.send(200, &checked, "checked").await,
                ("/gone", _) => None,
                // `Date` counts whole seconds: of two, one is left when the second ends on the way.
                (_, _) => out.send(200, &["Cache-Control: max-age=2"], "body").await,
            }
        }
    })
    .await;
    let mut told = Vec::new();
    for (path, result) in [("/a", "miss"), ("/a", "hit"), ("/checked", "miss")] {
        told.push((result, said(&stage.get(path, &[]).await)));
    }
    told.push(("revalidated", said(&stage.get("/checked", &[]).await)));
    told.push(("bypass", said(&stage.ask(&request("DELETE", "/b", &[])).await)));
    told.push(("refused", said(&stage.get("/c", &["Cache-Control: only-if-cached"]).await)));
    told.push(("miss", said(&stage.get("/gone", &[]).await)));
    let asked = request("GET", "/shared", &[]);
    let (mut shared, ()) = tokio::join!(stage.crowd(2, &asked), async {
        stage.followed(1).await;
        gate.open();
    });
    shared.sort_by_key(|answer| said(answer).contains("collapsed"));
    told.push(("miss", said(&shared[0])));
    told.push(("collapsed", said(&shared[1])));
    pass(Duration::from_millis(2200)).await;
    told.push(("stale", said(&stage.get("/a", &[]).await)));
    (stage, told)
}

#[tokio::test]
async fn metrics_and_the_text_log_say_what_cache_status_says() {
    let (stage, told) = all_outcomes("text").await;
    let logged = || stage.gateway.process.output().matches(" route=").count();
    until("all is logged", || logged() >= told.len()).await;
    let output = stage.gateway.process.output();
    for (_, said) in &told {
        assert!(output.lines().any(|line| line.contains(said)), "no `{said}` in\n{output}");
    }
    let results = ["hit", "stale", "revalidated", "collapsed", "miss", "bypass", "refused"];
    for result in results {
        let mut counted = 0;
        for class in ["2xx", "4xx", "5xx"] {
            let labels = format!("{{result=\"{result}\",status=\"{class}\"}}");
            counted += stage.metric(&format!("forebay_exchanges_total{labels}")).await;
        }
        let expected = told.iter().filter(|(word, _)| *word == result).count();
        assert_eq!(counted, expected as u64, "{result} of {told:?}");
    }
    assert_eq!(stage.metric("forebay_exchange_seconds_count").await, told.len() as u64);
}

#[tokio::test]
async fn the_json_log_says_what_cache_status_says() {
    let (stage, told) = all_outcomes("json").await;
    let lines = || {
        let output = stage.gateway.process.output();
        output.lines().filter(|line| line.starts_with('{')).map(str::to_owned).collect::<Vec<_>>()
    };
    until("all is logged", || lines().len() >= told.len()).await;
    let lines = lines();
    for (result, said) in &told {
        let said = format!("\"cache_status\":\"{}\"", said.replace('"', "\\\""));
        let wanted =
            [said.clone(), format!("\"result\":\"{result}\""), "\"version\":\"1.1\"".into()];
        let is_told = |line: &&String| wanted.iter().all(|part| line.contains(part));
        assert!(lines.iter().any(|line| is_told(&line)), "no {said} and {result} in\n{lines:#?}");
    }
}

#[tokio::test]
async fn operators_are_told_of_health_readiness_and_metrics() {
    let stage = stage(&[], |_, out| async move { out.send(200, &[FRESH], "").await }).await;
    for (path, expected, body) in [("/health", 200, "ok\n"), ("/ready", 200, "ready\n")] {
        let answer = stage.admin(path).await;
        assert_eq!((status(&answer), text(&answer).as_str()), (expected, body));
    }
    let metrics = stage.admin("/metrics").await;
    let kind = metrics.head.field("content-type").unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    assert!(text(&metrics).contains("# TYPE forebay_exchanges_total counter\n"));
    assert_eq!(status(&stage.admin("/metrix").await), 404);
    // They are not there for clients.
    check(&stage.get("/metrics", &[]).await, 200, &["fwd=uri-miss"], "");
    let closed = stage_with(&[("gateway", &["admin_token = \"s3cret\""])], |_, out| async move {
        out.send(200, &[], "").await
    })
    .await;
    assert_eq!(status(&closed.admin("/metrics").await), 401);
    assert_eq!(status(&closed.admin("/health").await), 200);
}

/// How the program ends with these arguments, and what it says.
async fn ends(arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = Process::start(&program(), arguments).expect("it starts");
    let ended = process.wait(PATIENCE).await.expect("it ends");
    (ended.code(), process.output())
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_its_place_and_a_status() {
    let folder = std::env::temp_dir();
    let file = |name: &str, text: &str| {
        let path = folder.join(format!("forebay-rows-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file("good.toml", "[[route]]\nto = \"http://localhost:1\"\n");
    let wrong = file("wrong.toml", "lisen = \"x\"\n[[route]]\nto = \"ftp://x\"\nkep = \"1s\"\n");
    assert_eq!(ends(&["check", "--config", &good]).await.0, Some(0));
    let (status, said) = ends(&["check", "--config", &wrong]).await;
    assert_eq!(status, Some(1), "{said}");
    for words in ["lisen", "listen", "ftp://x", "kep", "keep", "wrong.toml:4"] {
        assert!(said.contains(words), "no `{words}` in\n{said}");
    }
    let (status, said) = ends(&["run", "--config", &wrong]).await;
    // A line each, as a journal wants it, and a status by which nobody starts it again.
    assert!(status == Some(2) && said.contains("wrong.toml:1:1: "), "{status:?} {said}");
    assert_eq!(said.lines().count(), 3, "{said}");
    assert_eq!(ends(&["check", "--config", "/nonexistent.toml"]).await.0, Some(2));
    for path in [good, wrong] {
        let _ = std::fs::remove_file(path);
    }
}

#[tokio::test]
async fn an_address_in_use_is_said_and_ends_it() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = (taken.local_addr().unwrap(), taken);
    let (address, free) = (taken.0.to_string(), free_address().unwrap().to_string());
    for listeners in
        [["--listen", &address, "--admin", &free], ["--listen", &free, "--admin", &address]]
    {
        let to = ["run", "--to", "http://127.0.0.1:1"];
        let (status, said) = ends(&[&to[..], &listeners[..]].concat()).await;
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&address) && said.contains("in use"), "{said}");
        assert!(TcpStream::connect(&free).await.is_err(), "it listens all the same");
    }
}
