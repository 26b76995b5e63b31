//! Tracked reads against real servers: whatever happens to a key that was read is told, and where it
//! cannot be told there is a doubt.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use forebay_cache::redis::{
    Address, LinkFailure, LinkOptions, Server, Stored, Tls, Told, Tracked, TrackedOptions,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use servers::{RedisServer, ask_at, cluster_of_three, until};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(server: Server) -> TrackedOptions {
    let link = LinkOptions {
        call_timeout: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(3),
        retry_pause_max: Duration::from_millis(200),
        ..LinkOptions::new(server)
    };
    TrackedOptions {
        ping_interval: Duration::from_millis(100),
        // A server beside many others may be late with a sign of life.
        ping_timeout: Duration::from_secs(5),
        ..TrackedOptions::new(link)
    }
}

fn at(server: &RedisServer) -> TrackedOptions {
    options(Server::Single(Address::Unix(server.socket())))
}

fn local(port: u16) -> Address {
    Address::Tcp("127.0.0.1".to_owned(), port)
}

/// One that is up, and was told so.
async fn up(options: TrackedOptions) -> Arc<Tracked> {
    let tracked = Tracked::open(options);
    settles(&tracked).await;
    tracked
}

async fn settles(tracked: &Tracked) {
    until("connected", async || tracked.is_up()).await;
    listened(tracked).await;
}

/// Takes in what is told until there is nothing for a while.
async fn listened(tracked: &Tracked) {
    while tokio::time::timeout(Duration::from_millis(200), tracked.told()).await.is_ok() {}
}

async fn told(tracked: &Tracked) -> Told {
    let told = tokio::time::timeout(PATIENCE, tracked.told()).await;
    told.unwrap_or_else(|_| panic!("nothing was told: {:?}", tracked.snapshot()))
}

async fn doubted(tracked: &Tracked) {
    while told(tracked).await != Told::Doubt {}
}

/// Waits until it was told of all of these keys, and of no others.
async fn told_of(tracked: &Tracked, keys: &[&str]) {
    let mut missing: BTreeSet<Vec<u8>> = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
    while !missing.is_empty() {
        let Told::Changed(changed) = told(tracked).await else {
            panic!("doubt; left: {missing:?}")
        };
        for key in changed {
            assert!(missing.remove(&key), "{:?}", String::from_utf8_lossy(&key));
        }
    }
}

async fn quiet(tracked: &Tracked) {
    let told = tokio::time::timeout(Duration::from_millis(300), tracked.told()).await;
    assert!(told.is_err(), "{told:?}");
}

fn keys_of(keys: &[&str]) -> Vec<Vec<u8>> {
    keys.iter().map(|key| key.as_bytes().to_vec()).collect()
}

async fn read(tracked: &Tracked, keys: &[&str]) -> Vec<Option<Stored>> {
    tracked.read(&keys_of(keys), PATIENCE).await.unwrap()
}

fn text(text: &str) -> Option<Stored> {
    Some(Stored::Text(text.as_bytes().to_vec()))
}

fn list(items: &[&str]) -> Option<Stored> {
    Some(Stored::List(keys_of(items)))
}

fn say(server: &RedisServer, words: &str) -> String {
    let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
    String::from_utf8(server.ask(&words)).unwrap()
}

fn say_all(server: &RedisServer, lines: &[&str]) {
    for line in lines {
        let said = say(server, line);
        assert!(!said.starts_with('-'), "{line}: {said}");
    }
}

#[tokio::test]
async fn values_are_read_by_their_type_and_within_their_bounds() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(TrackedOptions {
        text_bytes_max: 8,
        list_items_max: 3,
        list_bytes_max: 10,
        ..at(&server)
    })
    .await;
    say_all(
        &server,
        &[
            "SET text 12345678",
            "SET empty ",
            "SET long 123456789",
            "RPUSH list a b c",
            "RPUSH many a b c d",
            "RPUSH wide aaaaaa bbbbbb",
            "HSET hash field value",
            "SADD set a",
        ],
    );
    let keys = ["text", "empty", "long", "none", "list", "many", "wide", "hash", "set", "text"];
    let other = Some(Stored::Other);
    let expected = [
        text("12345678"),
        text(""),
        other.clone(),
        None,
        list(&["a", "b", "c"]),
        other.clone(),
        other.clone(),
        other.clone(),
        other,
        text("12345678"),
    ];
    assert_eq!(read(&tracked, &keys).await, expected);
    assert_eq!(read(&tracked, &[]).await, []);
    quiet(&tracked).await;
}

#[tokio::test]
async fn whatever_happens_to_a_key_that_was_read_is_told() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    let cases: &[(&str, &[&str], &str, &[&str])] = &[
        ("a change", &["SET a 1"], "SET a 2", &["a"]),
        ("a deletion", &["SET a 1"], "DEL a", &["a"]),
        ("a creation", &[], "SET a 1", &["a"]),
        ("another lifetime", &["SET a 1"], "EXPIRE a 100", &["a"]),
        ("a rename", &["SET a 1", "SET b 2"], "RENAME a b", &["a", "b"]),
        ("a list", &["RPUSH a x"], "RPUSH a y", &["a"]),
        ("another type", &["SET a 1", "SADD c x"], "RENAME c a", &["a"]),
        ("a field", &["HSET a f 1"], "HSET a f 2", &["a"]),
        ("a transaction of another's", &["SET a 1"], "EVAL redis.call('SET','a','3') 0", &["a"]),
    ];
    for (name, before, act, expected) in cases {
        say_all(&server, before);
        listened(&tracked).await;
        read(&tracked, &["a", "b"]).await;
        say_all(&server, &[act]);
        println!("{name}");
        told_of(&tracked, expected).await;
        quiet(&tracked).await;
        say(&server, "DEL a b c");
    }
}

#[tokio::test]
async fn a_key_that_was_told_is_told_again_after_it_was_read_again() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    read(&tracked, &["a"]).await;
    say(&server, "SET other 1");
    say(&server, "SET a 1");
    told_of(&tracked, &["a"]).await;
    say(&server, "SET a 2");
    quiet(&tracked).await;
    assert_eq!(read(&tracked, &["a"]).await, [text("2")]);
    say(&server, "SET a 3");
    told_of(&tracked, &["a"]).await;
}

#[tokio::test]
async fn an_expiry_is_told() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    for lifetime in [50, 500, 5_000] {
        let key = format!("k{lifetime}");
        say_all(&server, &[&format!("SET {key} 1 PX {lifetime}")]);
        // On a busy machine the first may be over before it is read.
        if read(&tracked, &[&key]).await == [text("1")] {
            told_of(&tracked, &[&key]).await;
            assert_eq!(read(&tracked, &[&key]).await, [None]);
            return;
        }
    }
    panic!("all were over before they were read");
}

#[tokio::test]
async fn a_flush_is_a_doubt() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    for flush in ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"] {
        say(&server, "SET a 1");
        listened(&tracked).await;
        assert_eq!(read(&tracked, &["a"]).await, [text("1")]);
        say(&server, flush);
        assert_eq!(told(&tracked).await, Told::Doubt, "{flush}");
        assert_eq!(read(&tracked, &["a"]).await, [None]);
    }
    assert_eq!(tracked.snapshot().connects, 1);
}

#[tokio::test]
async fn a_restart_is_a_doubt_when_it_begins_and_when_it_is_over() {
    let mut server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    say(&server, "SET a 1");
    read(&tracked, &["a"]).await;
    server.kill();
    assert_eq!(told(&tracked).await, Told::Doubt);
    assert!(!tracked.is_up());
    let failed = tracked.read(&keys_of(&["a"]), PATIENCE).await;
    assert_eq!(failed, Err(LinkFailure::Away));
    server.start_again();
    assert_eq!(told(&tracked).await, Told::Doubt);
    assert_eq!(read(&tracked, &["a"]).await, [None]);
    say(&server, "SET a 2");
    told_of(&tracked, &["a"]).await;
}

#[tokio::test]
async fn a_connection_that_is_cut_is_a_doubt() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    read(&tracked, &["a"]).await;
    say(&server, "CLIENT KILL TYPE normal");
    doubted(&tracked).await;
    settles(&tracked).await;
    assert_eq!(tracked.snapshot().connects, 2);
    read(&tracked, &["a"]).await;
    say(&server, "SET a 1");
    told_of(&tracked, &["a"]).await;
}

#[tokio::test]
async fn a_server_that_stalls_is_a_doubt_and_ends_reads_under_way() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(TrackedOptions { ping_timeout: Duration::from_millis(300), ..at(&server) });
    let tracked = tracked.await;
    read(&tracked, &["a"]).await;
    server.stall();
    // Ended by the late sign of life, not by its own limit.
    let failed = tracked.read(&keys_of(&["a"]), PATIENCE * 10).await;
    assert!(matches!(failed, Err(LinkFailure::Cut(_))), "{failed:?}");
    doubted(&tracked).await;
    assert!(!tracked.is_up());
    assert_eq!(tracked.snapshot().late_pings, 1);
    server.go_on();
    settles(&tracked).await;
    assert_eq!(read(&tracked, &["a"]).await, [None]);
}

#[tokio::test]
async fn a_read_has_a_limit() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(TrackedOptions { ping_timeout: PATIENCE, ..at(&server) }).await;
    server.stall();
    let late = tracked.read(&keys_of(&["a"]), Duration::from_millis(50)).await;
    assert_eq!(late, Err(LinkFailure::Late));
    server.go_on();
    assert_eq!(read(&tracked, &["a"]).await, [None]);
}

#[tokio::test]
async fn ten_thousand_keys_are_read_and_told() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    say_all(&server, &["EVAL for\tn=1,10000\tdo\tredis.call('SET','k'..n,n)\tend 0"]);
    let keys: Vec<Vec<u8>> = (1..=10_000).map(|n| format!("k{n}").into_bytes()).collect();
    let values = tracked.read(&keys, PATIENCE).await.unwrap();
    for (n, value) in (1..=10_000).zip(&values) {
        assert_eq!(value, &text(&n.to_string()));
    }
    say_all(&server, &["EVAL for\tn=1,10000\tdo\tredis.call('DEL','k'..n)\tend 0"]);
    let mut missing: BTreeSet<_> = keys.iter().cloned().collect();
    while !missing.is_empty() {
        let Told::Changed(changed) = told(&tracked).await else { panic!("doubt") };
        changed.iter().for_each(|key| assert!(missing.remove(key)));
    }
}

#[tokio::test]
async fn more_changes_than_wait_are_a_doubt() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(TrackedOptions { told_max: 100, ..at(&server) }).await;
    let keys: Vec<Vec<u8>> = (1..=101).map(|n| format!("k{n}").into_bytes()).collect();
    tracked.read(&keys, PATIENCE).await.unwrap();
    say_all(&server, &["EVAL for\tn=1,101\tdo\tredis.call('SET','k'..n,n)\tend 0"]);
    until("all are heard", async || tracked.snapshot().changes == 101).await;
    assert_eq!(told(&tracked).await, Told::Doubt);
    quiet(&tracked).await;
}

#[tokio::test]
async fn what_a_full_tracking_table_forgets_is_told_as_changed() {
    let server = RedisServer::on_socket(&["--tracking-table-max-keys", "20"]);
    let tracked = up(at(&server)).await;
    let keys: Vec<Vec<u8>> = (1..=50).map(|n| format!("k{n}").into_bytes()).collect();
    tracked.read(&keys, PATIENCE).await.unwrap();
    // Those that are not told are still tracked: all are heard of, one way or the other.
    until("it forgets", async || tracked.snapshot().changes >= 30).await;
    say_all(&server, &["EVAL for\tn=1,50\tdo\tredis.call('SET','k'..n,n)\tend 0"]);
    let mut missing: BTreeSet<_> = keys.iter().cloned().collect();
    while !missing.is_empty() {
        let Told::Changed(changed) = told(&tracked).await else { panic!("doubt") };
        // What was forgotten between the two questions of its read is told twice.
        for key in changed {
            missing.remove(&key);
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_tracking_is_never_up() {
    let server = RedisServer::on_socket(&[]);
    say_all(&server, &["ACL SETUSER weak on >weak ~* +@all -client|tracking"]);
    let mut options = at(&server);
    options.link.username = Some("weak".to_owned());
    options.link.password = Some("weak".to_owned());
    let tracked = Tracked::open(options);
    until("refused", async || tracked.snapshot().connects_failed > 1).await;
    let snapshot = tracked.snapshot();
    assert!(!snapshot.is_up);
    assert!(snapshot.last_failure.unwrap().contains("tracking"));
    say_all(&server, &["ACL SETUSER weak +client|tracking"]);
    settles(&tracked).await;
    assert_eq!(read(&tracked, &["a"]).await, [None]);
}

#[tokio::test]
async fn it_needs_no_more_than_to_read() {
    let server = RedisServer::on_socket(&[]);
    let commands = "+ping +client|tracking +type +getrange +lrange";
    say_all(&server, &[&format!("ACL SETUSER reader on >word -@all {commands} %R~r:*")]);
    let mut options = at(&server);
    options.link.username = Some("reader".to_owned());
    options.link.password = Some("word".to_owned());
    let tracked = up(options).await;
    say_all(&server, &["SET r:a 1", "RPUSH r:b x"]);
    assert_eq!(read(&tracked, &["r:a", "r:b", "r:c"]).await, [text("1"), list(&["x"]), None]);
    say_all(&server, &["SET r:c 1"]);
    told_of(&tracked, &["r:c"]).await;
    let refused = tracked.read(&keys_of(&["other"]), PATIENCE).await;
    let why = refused.expect_err("another's key");
    assert!(why.to_string().contains("permissions"), "{why}");
    assert!(tracked.is_up());
}

#[tokio::test]
async fn dropped_it_ends_its_connection() {
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    let connected = || say(&server, "CLIENT LIST").contains("flags=t");
    assert!(connected());
    drop(tracked);
    until("it is gone", async || !connected()).await;
}

/// What one task knows that takes turns between reads and what it is told, as the promise of
/// [`Tracked`] says it may.
struct Mirror {
    tracked: Arc<Tracked>,
    keys: Vec<Vec<u8>>,
    known: BTreeMap<Vec<u8>, Option<Stored>>,
    wanted: BTreeSet<Vec<u8>>,
}

impl Mirror {
    async fn turn(&mut self) {
        if self.wanted.is_empty() || !self.tracked.is_up() {
            match tokio::time::timeout(Duration::from_millis(20), self.tracked.told()).await {
                Ok(Told::Changed(keys)) => self.wanted.extend(keys),
                Ok(Told::Doubt) => self.wanted.extend(self.keys.iter().cloned()),
                Err(_) => {}
            }
            return;
        }
        let keys: Vec<_> = self.wanted.iter().cloned().collect();
        if let Ok(values) = self.tracked.read(&keys, PATIENCE).await {
            self.wanted.clear();
            self.known.extend(keys.into_iter().zip(values));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_history_a_mirror_agrees_with_the_server() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let server = RedisServer::on_socket(&[]);
    let tracked = up(at(&server)).await;
    let keys: Vec<_> = (0..30).map(|n| format!("k{n}").into_bytes()).collect();
    let wanted = keys.iter().cloned().collect();
    let mut mirror = Mirror { tracked, keys, known: BTreeMap::new(), wanted };
    for step in 0..3_000 {
        let (key, other) = (chance.random_range(0..30), chance.random_range(0..30));
        let act = match chance.random_range(0..1_000) {
            0 => "CLIENT KILL TYPE normal".to_owned(),
            1 => "FLUSHALL".to_owned(),
            2..100 => format!("DEL k{key}"),
            100..200 => format!("RENAME k{key} k{other}"),
            200..300 => format!("SET k{key} {step} PX {}", chance.random_range(1..50)),
            300..350 => format!("RPUSH k{key} {step}"),
            _ => format!("SET k{key} {step}"),
        };
        say(&server, &act);
        if chance.random_range(0..3) == 0 {
            mirror.turn().await;
        }
    }
    let mut agrees = async || {
        mirror.turn().await;
        let fresh = up(at(&server)).await;
        let values = fresh.read(&mirror.keys, PATIENCE).await.unwrap();
        mirror.keys.iter().zip(values).all(|(key, value)| mirror.known.get(key) == Some(&value))
    };
    until("it agrees", async || agrees().await).await;
}

#[tokio::test]
async fn it_speaks_tls_and_logs_in() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = servers::own_directory();
    let (certificate, key) = (directory.join("cert"), directory.join("key"));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let port = servers::free_port();
    let port_text = port.to_string();
    let mut arguments = vec!["--port", "0", "--tls-port", &port_text, "--tls-auth-clients", "no"];
    arguments.extend(["--tls-cert-file", certificate.to_str().unwrap()]);
    arguments.extend(["--tls-key-file", key.to_str().unwrap(), "--requirepass", "secret"]);
    let server = RedisServer::start(port, &arguments).owning(directory);
    let mut options = options(Server::Single(Address::Tcp("localhost".to_owned(), port)));
    options.link.tls = Some(Tls { roots_pem: Some(pair.cert.pem().into_bytes()) });
    let refused = Tracked::open(options.clone());
    until("refused", async || refused.snapshot().connects_failed > 0).await;
    assert!(!refused.is_up());
    options.link.password = Some("secret".to_owned());
    let tracked = up(options).await;
    assert_eq!(read(&tracked, &["a"]).await, [None]);
    server.ask_after(&[&[b"AUTH", b"secret"], &[b"SET", b"a", b"1"]]);
    told_of(&tracked, &["a"]).await;
}

#[tokio::test]
async fn behind_sentinel_it_follows_the_master() {
    let mut master = RedisServer::on_port(&[]);
    let port = master.port.to_string();
    let replica = RedisServer::on_port(&["--replicaof", "127.0.0.1", &port]);
    let sentinel = sentinel_of(master.port);
    let sentinels = vec![local(1), local(sentinel.port)];
    let service = "fb".to_owned();
    let server = Server::Sentinel { sentinels, service, username: None, password: None };
    let tracked = up(options(server)).await;
    say(&master, "SET a 1");
    assert_eq!(read(&tracked, &["a"]).await, [text("1")]);
    until("replicated", async || say(&replica, "GET a") == "$1\r\n1\r\n").await;
    until("known", async || {
        let known = ask_at(sentinel.port, &[b"SENTINEL", b"REPLICAS", b"fb"]);
        known.windows(5).any(|part| part == b"slave")
    })
    .await;
    master.kill();
    doubted(&tracked).await;
    doubted(&tracked).await;
    assert_eq!(read(&tracked, &["a"]).await, [text("1")]);
    say(&replica, "SET a 2");
    told_of(&tracked, &["a"]).await;
    assert_eq!(read(&tracked, &["a"]).await, [text("2")]);
}

#[tokio::test]
async fn a_master_that_becomes_a_replica_is_left() {
    let master = RedisServer::on_port(&[]);
    let sentinel = sentinel_of(master.port);
    let server = Server::Sentinel {
        sentinels: vec![local(sentinel.port)],
        service: "fb".to_owned(),
        username: None,
        password: None,
    };
    let tracked = up(options(server)).await;
    // Nobody closes the connection, and the sentinel does not know yet.
    say(&master, "REPLICAOF 127.0.0.1 1");
    doubted(&tracked).await;
    until("left", async || !tracked.is_up()).await;
    say(&master, "REPLICAOF NO ONE");
    settles(&tracked).await;
}

fn sentinel_of(master: u16) -> RedisServer {
    let directory = servers::own_directory();
    let file = directory.join("sentinel.conf");
    let text = format!(
        "sentinel monitor fb 127.0.0.1 {master} 1\nsentinel down-after-milliseconds fb 300\n\
         sentinel failover-timeout fb 2000\n"
    );
    std::fs::write(&file, text).unwrap();
    let port = servers::free_port();
    let port_text = port.to_string();
    let arguments = [file.to_str().unwrap(), "--sentinel", "--port", &port_text];
    RedisServer::start(port, &arguments).owning(directory.clone())
}

/// The server of a cluster that has this key.
fn owner(servers: &[RedisServer], key: &str) -> usize {
    let held = |server: &RedisServer| !say(server, &format!("GET {key}")).starts_with('-');
    servers.iter().position(held).unwrap()
}

#[tokio::test]
async fn in_a_cluster_each_primary_tells_of_its_keys() {
    let mut servers = cluster_of_three().await;
    let seeds = vec![local(1), local(servers[1].port)];
    let tracked = up(options(Server::Cluster(seeds))).await;
    let keys: Vec<String> = (0..60).map(|n| format!("k{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let owners: Vec<usize> = keys.iter().map(|key| owner(&servers, key)).collect();
    assert_eq!(BTreeSet::from_iter(&owners).len(), 3);
    assert!(read(&tracked, &keys).await.iter().all(Option::is_none));
    for (key, owner) in keys.iter().zip(&owners) {
        say_all(&servers[*owner], &[&format!("SET {key} {key}")]);
    }
    told_of(&tracked, &keys).await;
    let expected: Vec<_> = keys.iter().map(|key| text(key)).collect();
    assert_eq!(read(&tracked, &keys).await, expected);
    // One dies: the others go on.
    servers[2].kill();
    doubted(&tracked).await;
    for (key, owner) in keys.iter().zip(&owners) {
        let answer = tracked.read(&keys_of(&[key]), PATIENCE).await;
        match owner {
            2 => assert_eq!(answer, Err(LinkFailure::Away)),
            _ => assert_eq!(answer, Ok(vec![text(key)])),
        }
    }
}

#[tokio::test]
async fn in_a_cluster_a_slot_is_followed_to_where_it_goes() {
    let servers = cluster_of_three().await;
    let tracked = up(options(Server::Cluster(vec![local(servers[0].port)]))).await;
    let from = owner(&servers, "a");
    let to = (from + 1) % 3;
    assert_eq!(read(&tracked, &["a"]).await, [None]);
    let slot = say(&servers[0], "CLUSTER KEYSLOT a").replace([':', '\r', '\n'], "");
    let id = |server| say(server, "CLUSTER MYID").split("\r\n").nth(1).unwrap().to_owned();
    let new = id(&servers[to]);
    for server in [to, from, 3 - to - from] {
        say_all(&servers[server], &[&format!("CLUSTER SETSLOT {slot} NODE {new}")]);
    }
    doubted(&tracked).await;
    until("followed", async || tracked.read(&keys_of(&["a"]), PATIENCE).await == Ok(vec![None]))
        .await;
    settles(&tracked).await;
    assert_eq!(read(&tracked, &["a"]).await, [None]);
    say_all(&servers[to], &["SET a 1"]);
    told_of(&tracked, &["a"]).await;
    assert_eq!(read(&tracked, &["a"]).await, [text("1")]);
}
