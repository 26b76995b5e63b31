//! Another configuration while the process runs: all of it or nothing, and nothing is cut by it.

use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::counting::Pace;
use forebay_trial::patience::until;
use forebay_trial::redis::RedisServer;
use serde_json::Value;

use super::support::*;

#[tokio::test]
async fn what_begins_after_a_reload_sees_it_and_what_began_before_ends_as_it_began() {
    let (one, other) = (origin("one").await, origin("other").await);
    let life = Life::start(&route(&one)).await;
    assert_eq!(life.body("/kept").await, (200, "one".to_owned()));
    let mut standing = Client::connect(life.address).await.unwrap();
    standing.ask(&request("/pass/1"), PATIENCE).await.unwrap();
    one.pace_of("/pass/slow", Pace { within_body: Duration::from_secs(1), ..Pace::default() });
    let mut slow = Client::connect(life.address).await.unwrap();
    slow.send(request("/pass/slow").as_bytes(), PATIENCE).await;
    let asked = async || one.count_of("/pass/slow") == 1;
    until("the origin is asked", PATIENCE, asked).await.unwrap();
    life.write(&route(&other));
    let typed = life.type_in(&["reload"]).await;
    assert_eq!((typed.status, &*typed.said), (0, "reloaded: 1 route in the file\n"), "{typed:?}");
    let answer = standing.ask(&request("/pass/2"), PATIENCE).await.unwrap();
    assert_eq!(answer.body, b"other", "over a connection that was there before");
    assert_eq!(slow.response(PATIENCE).await.unwrap().body, b"one");
    let kept = life.get("/kept").await;
    assert_eq!(kept.body, b"one");
    assert!(kept.head.field("cache-status").unwrap().contains("hit"), "{}", kept.shown());
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_says_why() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    life.write("[[rout]]\nto = 3\n");
    let (status, said) = life.operate("POST", "/reload", "").await.unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status, 422, "{said}");
    let help = said["problems"][0]["help"].as_str().unwrap();
    assert!(help.contains("did you mean `route`"), "{said}");
    let typed = life.type_in(&["reload"]).await;
    assert_eq!(typed.status, 1, "{typed:?}");
    assert!(typed.complained.contains("forebay.toml:4:3: unknown key `rout`"), "{typed:?}");
    life.says("cannot reload, and goes on as before").await;
    let (_, health) = life.operate("GET", "/health", "").await.unwrap();
    assert!(health.starts_with("ok\nthe last reload was refused: "), "{health}");
    let metrics = life.metrics().await;
    assert_eq!(metrics.count("forebay_reloads_total", &[("result", "refused")]), 2);
    assert_eq!(metrics.count("forebay_reload_is_refused", &[]), 1);
    assert!(metrics.count("forebay_reload_refused_timestamp_seconds", &[]) > 1_000_000);
    assert_eq!(life.body("/pass").await, (200, "one".to_owned()));
    life.write(&route(&one));
    assert_eq!(life.type_in(&["reload"]).await.status, 0);
    assert_eq!(life.operate("GET", "/health", "").await.unwrap().1, "ok\n");
}

#[tokio::test]
async fn what_cannot_change_while_it_runs_is_named_and_nothing_changes() {
    let (one, other) = (origin("one").await, origin("other").await);
    let life = Life::start(&route(&one)).await;
    life.write(&format!("workers = 3\nmemory = \"64MiB\"\n{}", route(&other)));
    let (status, said) = life.operate("POST", "/reload", "").await.unwrap();
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &said["settings"]), (409, &serde_json::json!(["workers", "memory"])));
    assert!(said["error"].as_str().unwrap().contains("use `forebay upgrade`"), "{said}");
    assert_eq!(life.body("/pass").await, (200, "one".to_owned()));
}

#[tokio::test]
async fn sighup_reloads_and_so_does_a_change_that_is_watched() {
    let (one, other) = (origin("one").await, origin("other").await);
    let life = Life::start(&route(&one)).await;
    life.write(&format!("reload = \"watch\"\n{}", route(&other)));
    life.signal("-HUP", life.process.id().unwrap()).await;
    let leads = async |name: &str| life.body("/pass").await.1 == name;
    until("the signal is heard", PATIENCE, async || leads("other").await).await.unwrap();
    life.write(&format!("reload = \"watch\"\n{}", route(&one)));
    until("the change is seen", PATIENCE, async || leads("one").await).await.unwrap();
    // A wrong one is told of once, and the next right one counts.
    life.write("nonsense");
    life.says("goes on as before").await;
    life.write(&format!("reload = \"watch\"\n{}", route(&other)));
    until("the change is seen", PATIENCE, async || leads("other").await).await.unwrap();
}

#[tokio::test]
async fn limits_are_those_of_when_a_connection_was_accepted() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let mut before = Client::connect(life.address).await.unwrap();
    before.ask(&request("/pass"), PATIENCE).await.unwrap();
    life.write(&format!("[limits]\ntarget_bytes_max = \"1KiB\"\n{}", route(&one)));
    assert_eq!(life.type_in(&["reload"]).await.status, 0);
    let long = request(&format!("/pass{}", "x".repeat(2000)));
    assert_eq!(before.ask(&long, PATIENCE).await.unwrap().head.status(), Ok(200));
    let mut after = Client::connect(life.address).await.unwrap();
    assert_eq!(after.ask(&long, PATIENCE).await.unwrap().head.status(), Ok(414));
}

#[tokio::test]
async fn a_destination_that_is_denied_is_not_reached_over_a_connection_that_is_left() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    assert_eq!(life.body("/pass").await.0, 200);
    let deny = format!("[destinations]\ndeny = [\"{}\"]\n", one.address());
    life.write(&(deny + &route(&one)));
    assert_eq!(life.type_in(&["reload"]).await.status, 0);
    assert_eq!(life.body("/pass").await.0, 502);
    life.write(&route(&one));
    assert_eq!(life.type_in(&["reload"]).await.status, 0);
    assert_eq!(life.body("/pass").await.0, 200);
}

#[tokio::test]
async fn routes_in_redis_stay_known_and_begin_with_the_new_defaults() {
    let (one, redis) = (origin("one").await, RedisServer::start().await.unwrap());
    let tables =
        |defaults: &str| format!("[routes]\nredis = \"redis://{}\"\n{defaults}", redis.address());
    let life = Life::start(&tables("")).await;
    let to = one.address().to_string();
    let said = life.type_in(&["routes", "set", "example.test", &to]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(life.body("/pass").await, (200, "one".to_owned()));
    life.write(&tables("[defaults.response_fields]\nset = { X-New = \"yes\" }\n"));
    let said = life.type_in(&["reload"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    let answer = life.get("/pass").await;
    assert_eq!(answer.head.field("x-new").as_deref(), Some("yes"), "{}", answer.shown());
    assert_eq!(answer.body, b"one");
}

#[tokio::test]
async fn no_request_fails_while_configurations_come_and_go() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let load = Load::begin(life.address, 8, 50);
    for number in 0..20 {
        life.write(&format!("trusted_peers = [\"10.0.0.{number}\"]\n{}", route(&one)));
        assert_eq!(life.type_in(&["reload"]).await.status, 0);
    }
    let counted = load.end().await;
    assert_eq!(counted.failures, Vec::<String>::new());
    assert_eq!((counted.connections, counted.sent_again), (8, 0), "no connection was ended");
    assert!(one.count() <= 50, "each path is fetched once, for the cache is the same");
    assert!(counted.answers > one.count(), "{counted:?}");
}
