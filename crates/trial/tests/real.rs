//! The real stage on trial: processes, sockets and time, before a program that only passes through.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use forebay_trial::counting::{CountingOrigin, crowd};
use forebay_trial::engine::{self, Ending};
use forebay_trial::origin::Reply;
use forebay_trial::process::Process;
use forebay_trial::real::{Gateway, Real, configuration, free_address};
use forebay_trial::script::{self, Script, Table};
use forebay_trial::{Failure, suite};
use tokio::sync::Barrier;

/// The example that cargo builds beside this test.
fn pass_through() -> PathBuf {
    let test = std::env::current_exe().expect("a test is a file");
    let folder = test.parent().and_then(Path::parent).expect("it lies in target/…/deps");
    folder.join("examples/pass_through")
}

fn script(text: &str) -> Script {
    script::parse(Path::new("x.script"), &format!("# T\n{text}")).expect("it reads")
}

async fn told(text: &str) -> Result<Ending, Failure> {
    let script = script(text);
    let mut stage = Real::start(&pass_through(), &script.tables).await?;
    engine::tell(&script, &mut stage).await
}

#[tokio::test]
async fn a_story_is_told_over_sockets() {
    let text = "client asks GET /a\norigin hears GET /a\norigin answers 200 in chunks\n  | hello\n\
        client gets 200\n  | hello\nclient leaves\norigin is down\nclient B asks GET /a\n\
        client B gets 502\norigin is up\nclient C asks GET /b\norigin hears GET /b\n\
        origin begins 200\n  Content-Length: 9\n  | x\norigin closes\nclient C gets 200 cut short";
    assert_eq!(told(text).await, Ok(Ending::Whole));
}

#[tokio::test]
async fn nobody_waits_long_for_real() {
    assert_eq!(told("10 ms pass\n4 s pass\nclient gets 200").await, Ok(Ending::Until(3)));
}

#[tokio::test]
async fn what_is_not_told_fails_over_sockets_too() {
    let failure = told("client asks GET /a").await.expect_err("nobody heard it").to_string();
    assert!(failure.contains("asked more than was told"), "{failure}");
}

#[tokio::test]
async fn a_set_of_scripts_is_counted() {
    let simulated = "only simulated: why not\nclient asks GET /a";
    let good = "client asks GET /a\norigin hears GET /a\norigin answers 200\nclient gets 200";
    let bad = "client asks GET /a\norigin hears GET /a\norigin answers 200\nclient gets 404";
    let scripts = vec![script(simulated), script(good), script(bad), script("4 s pass")];
    let outcome = suite::tell_real(&pass_through(), scripts).await;
    assert_eq!((outcome.whole, outcome.skipped.len(), outcome.failures.len()), (1, 2, 1));
    let report = outcome.report();
    for said in ["not told here: why not", "x.script:2: not told beyond", "the gateway's last"] {
        assert!(report.contains(said), "{report}");
    }
}

#[tokio::test]
async fn a_program_that_ends_at_once_is_said_with_its_words() {
    let failed = Gateway::start(Path::new("/bin/false"), free_address().expect("one"), &[]).await;
    let failure = failed.err().expect("it ends").to_string();
    assert!(failure.contains("the gateway ended"), "{failure}");
}

#[tokio::test]
async fn a_crowd_asks_at_once_and_the_origin_counts() {
    // Nobody is answered before all have asked: so they ask at once.
    let all = Arc::new(Barrier::new(50));
    let origin = CountingOrigin::start(move |_| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            Reply::whole(200, &["Cache-Control: no-store"], b"hello")
        }
    });
    let origin = origin.await.expect("it listens");
    let gateway = Gateway::start(&pass_through(), origin.address(), &[]).await.expect("it runs");
    let request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    let answers = crowd(50, gateway.address, request, Duration::from_secs(10)).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|a| a.body == b"hello")));
    assert_eq!((origin.count(), origin.heard()[7].target()), (50, "/a"));
}

#[tokio::test]
async fn a_process_is_heard_and_stopped() {
    let origin = free_address().expect("one");
    let mut gateway = Gateway::start(&pass_through(), origin, &[]).await.expect("it runs");
    assert_eq!(gateway.process.ended(), None);
    assert!(gateway.process.wait(Duration::from_millis(20)).await.is_err());
    gateway.process.terminate().await.expect("it can be signalled");
    let status = gateway.process.wait(Duration::from_secs(5)).await.expect("it ends");
    assert!(!status.success());
    assert!(gateway.process.output().contains("passes through"));

    let mut other = Process::start(Path::new("/bin/sleep"), &["60"]).expect("it starts");
    other.kill().await.expect("it can be killed");
    assert!(other.ended().is_some());
}

#[test]
fn a_configuration_has_what_the_script_says_in_its_tables() {
    let table = |name: &str, line: &str| Table { name: name.into(), lines: vec![line.into()] };
    let tables = [table("route", "a = 1"), table("gateway", "b = 2"), table("limits", "c = 3")];
    let at = |port: u16| ([127, 0, 0, 1], port).into();
    let expected = "listen = [\"127.0.0.1:1\"]\nadmin = \"127.0.0.1:2\"\nb = 2\n\
        access_log = \"text\"\n[limits]\nc = 3\n[[route]]\nto = [\"http://127.0.0.1:3\"]\n\
        early_refresh = 0\na = 1\n";
    assert_eq!(configuration(at(1), at(2), at(3), &tables), expected);
}
