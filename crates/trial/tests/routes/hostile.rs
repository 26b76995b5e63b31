//! What should not be in Redis, or in a request: floods of hosts, wrong values, destinations that
//! nobody may be led to.

use std::time::Instant;

use forebay_trial::nodes::{Nodes, request};
use forebay_trial::patience::until;
use forebay_trial::pressure::{Plan, Pressure};

use super::support::*;

#[tokio::test]
async fn a_flood_of_random_hosts_neither_loads_redis_nor_evicts_routes() {
    let site = Site::new().await;
    let more = format!("{NEVER}lookups_per_second = 50\nknown_max = 1000\n");
    let nodes = site.nodes(1, &more).await;
    let hosts: Vec<String> = (0..20).map(|number| format!("known-{number}.test")).collect();
    for host in &hosts {
        site.set(host, &site.one).await;
        becomes(&nodes, host, "one").await;
    }
    let (before, began) = (reads(&site.redis).await, Instant::now());
    let mut client = forebay_trial::client::Client::connect(nodes.node(0).address()).await.unwrap();
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for number in 0..5_000 {
        let host = format!("Host: random-{number}.test");
        let answer = client.ask(&request("GET", "/", &[&host]), PATIENCE).await.unwrap();
        *statuses.entry(answer.head.status().unwrap()).or_default() += 1;
    }
    let (asked, took) = (reads(&site.redis).await - before, began.elapsed());
    println!("{statuses:?}, {asked} keys read in {took:?}");
    assert!(statuses.keys().all(|status| [404, 503].contains(status)), "{statuses:?}");
    // A second's worth may be saved up. Each host is looked up at its own name and two wildcards.
    let lookups_max = 50 * (took.as_secs() + 2);
    assert!(asked <= 3 * lookups_max, "{asked} keys in {took:?}");
    let limited = [("result", "limited")];
    let limited = nodes.sum("forebay_routes_lookups_total", &limited).await.unwrap();
    assert!(limited > 0, "the flood was no flood");
    let before = reads(&site.redis).await;
    for host in &hosts {
        assert_eq!(ask(nodes.node(0), host).await, "one");
    }
    assert_eq!(reads(&site.redis).await, before, "they are all still known");
}

#[tokio::test]
async fn while_hosts_flood_in_known_ones_are_served() {
    let site = Site::new().await;
    let nodes = site.nodes(1, NEVER).await;
    site.set("example.test", &site.one).await;
    becomes(&nodes, "example.test", "one").await;
    let pressure = Pressure::start(Plan {
        addresses: nodes.addresses(),
        clients: 2,
        paths: vec!["/".to_owned()],
        every: std::time::Duration::from_millis(2),
    });
    for number in 0..1_000 {
        ask(nodes.node(0), &format!("random-{number}.test")).await;
    }
    let tally = pressure.end().await;
    assert_eq!((tally.of(200), tally.failed), (tally.asked(), 0), "{tally:?}");
    assert!(tally.asked() > 0);
}

#[tokio::test]
async fn a_wrong_value_keeps_the_last_good_route_and_is_told_once() {
    let site = Site::new().await;
    let nodes = site.nodes(1, "reconcile = \"200ms\"\n").await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    for wrong in ["10.0.0.5:port", "ftp://10.0.0.5", "{\"to\":", "unix:/run/x.sock", "\u{1}"] {
        site.say(&format!("SET a.test {wrong}")).await;
        let told = async || nodes.node(0).output().contains("a.test");
        until("it is told", PATIENCE, told).await.unwrap();
        for _ in 0..10 {
            assert_eq!(ask(nodes.node(0), "a.test").await, "one", "{wrong}");
        }
    }
    site.say("SET b.test nonsense:").await;
    let wrong_one = async || ask(nodes.node(0), "b.test").await != "one";
    until("nobody is led anywhere", PATIENCE, wrong_one).await.unwrap();
    // It is read again and again; that is no news.
    pass(MOMENT * 4).await;
    let output = nodes.node(0).output();
    let lines: Vec<_> = output.lines().filter(|line| line.contains("nonsense:")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(lines[0].contains("b.test"), "{lines:?}");
    assert_eq!(nodes.sum("forebay_routes_wrong", &[]).await.unwrap(), 2);
    assert!(nodes.sum("forebay_routes_wrong_total", &[]).await.unwrap() >= 6);
    site.set("a.test", &site.two).await;
    site.set("b.test", &site.two).await;
    becomes(&nodes, "a.test", "two").await;
    becomes(&nodes, "b.test", "two").await;
    assert_eq!(nodes.sum("forebay_routes_wrong", &[]).await.unwrap(), 0);
}

#[tokio::test]
async fn values_of_another_type_or_without_end_are_wrong() {
    let site = Site::new().await;
    let nodes = site.nodes(1, NEVER).await;
    works(&site, &nodes).await;
    site.say("HSET hash.test a b").await;
    site.say("RPUSH list.test name http://127.0.0.1:1").await;
    site.say(&format!("SET long.test {}", "x".repeat(4 << 20))).await;
    site.say("SET empty.test ").await;
    for host in ["hash.test", "list.test", "long.test", "empty.test"] {
        let status = ask(nodes.node(0), host).await;
        assert!(status.parse::<u16>().is_ok_and(|status| status >= 404), "{host}: {status}");
    }
    works(&site, &nodes).await;
}

#[tokio::test]
async fn nobody_is_led_to_the_gateway_itself_nor_to_a_metadata_service() {
    let site = Site::new().await;
    let nodes = site.nodes(1, NEVER).await;
    works(&site, &nodes).await;
    let admin = nodes.node(0).admin().port();
    let own = nodes.node(0).address().port();
    let destinations = [
        format!("127.0.0.1:{admin}"),
        format!("localhost:{admin}"),
        format!("http://0.0.0.0:{admin}"),
        format!("http://[::ffff:127.0.0.1]:{admin}"),
        format!("http://127.1:{admin}"),
        format!("127.0.0.1:{own}"),
        "169.254.169.254:80".to_owned(),
        "http://[::ffff:169.254.169.254]:80".to_owned(),
        "http://[fd00:ec2::254]:80".to_owned(),
        "224.0.0.1:80".to_owned(),
    ];
    for (number, destination) in destinations.iter().enumerate() {
        let host = format!("bad-{number}.test");
        site.say(&format!("SET {host} {destination}")).await;
        refused(&nodes, &host, destination).await;
    }
}

async fn refused(nodes: &Nodes, host: &str, destination: &str) {
    let fields = [format!("Host: {host}")];
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let answer = nodes.node(0).ask(&request("GET", "/metrics", &fields)).await.unwrap();
    let (status, body) = (answer.head.status().unwrap(), String::from_utf8_lossy(&answer.body));
    // Not found out by waiting for someone who never answers, either.
    assert!([404, 502, 503].contains(&status), "{destination}: {status}");
    assert!(!body.contains("forebay_requests"), "{destination}: {body}");
}

#[tokio::test]
async fn nothing_of_a_request_but_its_host_reaches_redis() {
    let site = Site::new().await;
    let nodes = site.nodes(1, NEVER).await;
    works(&site, &nodes).await;
    site.say("SET x 127.0.0.1:1").await;
    let hosts =
        ["a b", "a\tb", "..", ".", "a..b", "*", "*.test", "a/b", "a@b", "[::1", "%2e", "{a}"];
    for host in hosts {
        let asked = nodes.node(0).ask(&request("GET", "/", &[&format!("Host: {host}")])).await;
        let status = asked.map(|answer| answer.head.status().unwrap());
        assert!(status.as_ref().is_ok_and(|it| [400, 404, 421].contains(it)), "{host}: {status:?}");
    }
    works(&site, &nodes).await;
}
