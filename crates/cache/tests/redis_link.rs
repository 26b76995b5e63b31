//! The link against real servers: calls, scripts, pushes; restarts, stalls, wrong passwords, TLS.

#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use forebay_cache::redis::{
    Address, Command, Link, LinkFailure, LinkOptions, LinkState, Pipeline, Push, Reply, Script,
    Server, Subscription, Tls,
};
use servers::{RedisServer, cluster_of_three, until};

/// A machine that does much else answers late at times.
const CALL_MAX: Duration = Duration::from_millis(400);

fn options(server: Server) -> LinkOptions {
    LinkOptions {
        call_timeout: CALL_MAX,
        ping_every: CALL_MAX,
        connect_timeout: Duration::from_secs(3),
        retry_pause_max: Duration::from_millis(200),
        ..LinkOptions::new(server)
    }
}

fn at(server: &RedisServer) -> LinkOptions {
    options(Server::Single(Address::Unix(server.socket())))
}

fn local(port: u16) -> Address {
    Address::Tcp("127.0.0.1".to_owned(), port)
}

async fn up(options: LinkOptions) -> Arc<Link> {
    let link = Link::open(options);
    let connected = tokio::time::timeout(Duration::from_secs(15), link.connected()).await;
    connected.unwrap_or_else(|_| panic!("{:?}", link.snapshot()));
    link
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new();
    words.iter().for_each(|word| {
        command.arg(word);
    });
    command
}

async fn told(subscription: &mut Subscription) -> Push {
    tokio::time::timeout(Duration::from_secs(10), subscription.next()).await.unwrap()
}

#[tokio::test]
async fn calls_pipelines_and_scripts_are_answered() {
    let server = RedisServer::on_socket(&[]);
    let link = up(at(&server)).await;
    assert_eq!(link.call(&command(&["SET", "a", "1"])).await, Ok(Reply::Okay));
    let mut both = Pipeline::new();
    both.cmd("GET").arg("a").cmd("GET").arg("b");
    let one = Reply::BulkString(b"1".to_vec());
    assert_eq!(link.pipeline(&both).await, Ok(vec![one, Reply::Nil]));
    let refused = link.call(&command(&["LPUSH", "a", "1"])).await;
    assert!(matches!(refused, Err(LinkFailure::Refused(_))), "{refused:?}");
    static ECHO: Script = Script::new("return {KEYS[1], ARGV[1]}");
    let bytes: Vec<u8> = (0..=255).collect();
    let both =
        Reply::Array(vec![Reply::BulkString(b"k".to_vec()), Reply::BulkString(bytes.clone())]);
    for _ in 0..2 {
        // Unknown to the server at first, and again after it forgot.
        assert_eq!(link.run(&ECHO, &[b"k"], &[&bytes]).await.as_ref(), Ok(&both));
        assert_eq!(link.run(&ECHO, &[b"k"], &[&bytes]).await.as_ref(), Ok(&both));
        server.ask(&[b"SCRIPT", b"FLUSH"]);
    }
    assert_eq!(link.snapshot().state, LinkState::Up);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn questions_asked_at_the_same_time_are_written_together() {
    const QUESTIONS: u64 = 50;
    let server = RedisServer::on_socket(&[]);
    let link = up(at(&server)).await;
    let (go, gone) = (Arc::new(tokio::sync::Notify::new()), Arc::new(()));
    let ask = |_| {
        let (link, go, gone) = (Arc::clone(&link), Arc::clone(&go), Arc::clone(&gone));
        tokio::spawn(async move {
            let notified = go.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            drop(gone);
            notified.await;
            link.call(&command(&["GET", "a"])).await
        })
    };
    let asking: Vec<_> = (0..QUESTIONS).map(ask).collect();
    until("all are ready", async || Arc::strong_count(&gone) == 1).await;
    let before = reads(&server);
    // On the only worker: before it has gone on to them, all are ready.
    tokio::spawn(async move { go.notify_waiters() }).await.unwrap();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Ok(Reply::Nil));
    }
    let reads = reads(&server) - before;
    assert!(reads < QUESTIONS / 2, "{reads} reads of {QUESTIONS} questions");
}

fn reads(server: &RedisServer) -> u64 {
    let said = server.ask(&[b"INFO", b"stats"]);
    let said = String::from_utf8_lossy(&said).into_owned();
    let count = said.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
    count.unwrap_or_else(|| panic!("{said}")).trim().parse().unwrap()
}

#[tokio::test]
async fn without_a_server_a_call_fails_at_once_and_the_link_comes_up_by_itself() {
    let mut server = RedisServer::on_socket(&[]);
    server.kill();
    let link = Link::open(at(&server));
    let began = Instant::now();
    for _ in 0..100 {
        assert_eq!(link.call(&command(&["GET", "a"])).await, Err(LinkFailure::Away));
    }
    assert!(began.elapsed() < CALL_MAX);
    until("a try has failed", async || link.snapshot().connects_failed > 0).await;
    assert!(link.snapshot().last_failure.is_some());
    server.start_again();
    until("up", async || link.call(&command(&["GET", "a"])).await.is_ok()).await;
    server.kill();
    until("lost", async || !link.is_up()).await;
    server.start_again();
    until("up again", async || link.call(&command(&["GET", "a"])).await.is_ok()).await;
    assert_eq!((link.snapshot().connects, link.snapshot().openings), (2, 0));
}

#[tokio::test]
async fn a_stalled_server_opens_the_breaker_and_closes_it_when_it_goes_on() {
    let server = RedisServer::on_socket(&[]);
    let link = up(at(&server)).await;
    server.stall();
    let began = Instant::now();
    assert_eq!(link.call(&command(&["GET", "a"])).await, Err(LinkFailure::Late));
    assert!(began.elapsed() < CALL_MAX * 2, "{:?}", began.elapsed());
    // Nobody else calls: signs of life are asked for all the same.
    until("open", async || link.snapshot().openings == 1).await;
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(link.call(&command(&["GET", "a"])).await, Err(LinkFailure::Away));
        assert!(began.elapsed() < CALL_MAX / 2);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(matches!(link.snapshot().state, LinkState::Open | LinkState::Probing));
    server.go_on();
    until("closed", async || link.call(&command(&["GET", "a"])).await.is_ok()).await;
    assert_eq!(link.snapshot().state, LinkState::Up);
}

#[tokio::test]
async fn a_caller_who_is_less_patient_opens_the_breaker_too() {
    let server = RedisServer::on_socket(&[]);
    let link = up(LinkOptions { ping_every: Duration::from_secs(60), ..at(&server) }).await;
    // The first sign of life is asked for at once; behind it, this is answered after it.
    until("felt", async || link.snapshot().calls > 0).await;
    link.call(&command(&["GET", "a"])).await.unwrap();
    server.stall();
    for _ in 0..5 {
        let limit = CALL_MAX * 3 / 4;
        let get = command(&["GET", "a"]);
        assert!(tokio::time::timeout(limit, link.call(&get)).await.is_err());
    }
    assert_eq!(link.snapshot().openings, 1);
    server.go_on();
}

#[tokio::test]
async fn calls_at_once_have_a_bound() {
    let server = RedisServer::on_socket(&[]);
    let link = up(LinkOptions { calls_max: 3, ..at(&server) }).await;
    server.stall();
    let get = command(&["GET", "a"]);
    let calls = (0..10).map(|_| {
        let (link, get) = (Arc::clone(&link), get.clone());
        tokio::spawn(async move { link.call(&get).await })
    });
    let mut busy = 0;
    for call in calls.collect::<Vec<_>>() {
        busy += u32::from(call.await.unwrap() == Err(LinkFailure::Busy));
    }
    assert!(busy >= 7, "{busy}");
    server.go_on();
}

#[tokio::test]
async fn a_wrong_password_is_told_and_a_right_one_connects() {
    let server = RedisServer::on_socket(&["--requirepass", "right"]);
    let wrong = LinkOptions { password: Some("wrong".to_owned()), ..at(&server) };
    let link = Link::open(wrong);
    until("refused", async || link.snapshot().connects_failed > 1).await;
    let why = link.snapshot().last_failure.unwrap();
    assert!(!link.is_up() && !why.contains("wrong\""), "{why}");
    let right = LinkOptions { password: Some("right".to_owned()), ..at(&server) };
    assert!(up(right).await.call(&command(&["GET", "a"])).await.is_ok());
}

#[tokio::test]
async fn a_database_of_its_own_is_chosen_again_after_a_restart() {
    let mut server = RedisServer::on_socket(&[]);
    let link = up(LinkOptions { database: 3, ..at(&server) }).await;
    server.kill();
    server.start_again();
    let set = command(&["SET", "a", "1"]);
    until("up again", async || link.call(&set).await.is_ok()).await;
    assert_eq!(server.ask(&[b"GET", b"a"]), b"$-1\r\n");
    assert!(server.ask(&[b"INFO", b"keyspace"]).windows(4).any(|part| part == b"db3:"));
}

#[tokio::test]
async fn a_listener_hears_all_and_is_told_of_every_gap() {
    let mut server = RedisServer::on_socket(&[]);
    let link = up(at(&server)).await;
    let mut first = link.subscribe(b"news").unwrap();
    let mut other = link.subscribe(b"other").unwrap();
    for subscription in [&mut first, &mut other] {
        while told(subscription).await != Push::Anew {}
    }
    let mut second = link.subscribe(b"news").unwrap();
    while told(&mut second).await != Push::Anew {}
    server.ask(&[b"PUBLISH", b"news", b"\0one"]);
    let one = Push::Message(b"\0one"[..].into());
    assert_eq!((told(&mut first).await, told(&mut second).await), (one.clone(), one));
    server.kill();
    assert_eq!(told(&mut first).await, Push::Lost);
    drop(second);
    server.start_again();
    assert_eq!(told(&mut first).await, Push::Anew);
    server.ask(&[b"PUBLISH", b"news", b"two"]);
    assert_eq!(told(&mut first).await, Push::Message(b"two"[..].into()));
    drop((first, other));
    until("nobody listens", async || server.ask(&[b"PUBSUB", b"CHANNELS"]) == b"*0\r\n").await;
}

#[tokio::test]
async fn a_listener_who_is_too_slow_is_told_that_he_missed_something() {
    let server = RedisServer::on_socket(&[]);
    let link = up(at(&server)).await;
    let mut slow = link.subscribe(b"news").unwrap();
    while told(&mut slow).await != Push::Anew {}
    let mut many = Pipeline::new();
    for _ in 0..5_000 {
        many.cmd("PUBLISH").arg("news").arg("x");
    }
    link.pipeline_within(&many, Duration::from_secs(5)).await.unwrap();
    assert_eq!(told(&mut slow).await, Push::Anew);
    for _ in 0..4_096 {
        assert_eq!(told(&mut slow).await, Push::Message(b"x"[..].into()));
    }
    // Long ones have a bound together, and each of them one of its own.
    for (len, count, heard) in [(60_000, 100, (4 << 20) / 60_000), (65_537, 1, 0)] {
        let mut long = Pipeline::new();
        for _ in 0..count {
            long.cmd("PUBLISH").arg("news").arg(vec![b'y'; len]);
        }
        link.pipeline_within(&long, Duration::from_secs(5)).await.unwrap();
        assert_eq!(told(&mut slow).await, Push::Anew);
        for _ in 0..heard {
            assert!(matches!(told(&mut slow).await, Push::Message(_)));
        }
    }
    let subscriptions: Vec<_> = (0..100).map(|_| link.subscribe(b"news")).collect();
    assert!(subscriptions.iter().any(Result::is_err), "listeners have a bound");
}

#[tokio::test]
async fn tls_trusts_its_own_roots_and_no_other() {
    let (certificate, key) = {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    };
    let directory = servers::own_directory();
    let (cert_file, key_file) = (directory.join("cert"), directory.join("key"));
    std::fs::write(&cert_file, &certificate).unwrap();
    std::fs::write(&key_file, key).unwrap();
    let port = servers::free_port();
    let (cert_path, key_path) = (cert_file.to_str().unwrap(), key_file.to_str().unwrap());
    let port_text = port.to_string();
    let mut arguments = vec!["--port", "0", "--tls-port", &port_text, "--tls-auth-clients", "no"];
    arguments.extend(["--tls-cert-file", cert_path, "--tls-key-file", key_path]);
    let _server = RedisServer::start(port, &arguments);
    let single = Server::Single(Address::Tcp("localhost".to_owned(), port));
    let trusting = Tls { roots_pem: Some(certificate.into_bytes()) };
    let link = up(LinkOptions { tls: Some(trusting), ..options(single.clone()) }).await;
    assert_eq!(link.call(&command(&["SET", "a", "1"])).await, Ok(Reply::Okay));
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = Tls { roots_pem: Some(stranger.cert.pem().into_bytes()) };
    let link = Link::open(LinkOptions { tls: Some(other), ..options(single) });
    until("refused", async || link.snapshot().connects_failed > 0).await;
    assert!(!link.is_up());
    let _ = std::fs::remove_dir_all(directory);
}

#[tokio::test]
async fn sentinel_names_the_master_also_after_a_failover() {
    let mut master = RedisServer::on_port(&[]);
    let port = master.port.to_string();
    let replica = RedisServer::on_port(&["--replicaof", "127.0.0.1", &port]);
    let sentinel = sentinel_of(master.port);
    let sentinels = vec![local(1), local(sentinel.port)];
    let service = "fb".to_owned();
    let server = Server::Sentinel { sentinels, service, username: None, password: None };
    let link = up(options(server)).await;
    assert_eq!(link.call(&command(&["SET", "a", "1"])).await, Ok(Reply::Okay));
    until("replicated", async || replica.ask(&[b"GET", b"a"]) == b"$1\r\n1\r\n").await;
    until("known", async || {
        let known = servers::ask_at(sentinel.port, &[b"SENTINEL", b"REPLICAS", b"fb"]);
        known.windows(5).any(|part| part == b"slave")
    })
    .await;
    master.kill();
    let set = command(&["SET", "a", "2"]);
    until("failed over", async || link.call(&set).await == Ok(Reply::Okay)).await;
    assert_eq!(replica.ask(&[b"GET", b"a"]), b"$1\r\n2\r\n");
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

#[tokio::test]
async fn a_cluster_is_called_by_slot_and_heard_as_one() {
    let servers = cluster_of_three().await;
    let seeds = servers.iter().map(|server| local(server.port)).collect();
    // None of its servers is to be late here, however many there are beside them.
    let patient = LinkOptions {
        call_timeout: CALL_MAX * 12,
        ping_every: CALL_MAX * 12,
        ..options(Server::Cluster(seeds))
    };
    let link = up(patient).await;
    let mut news = link.subscribe(b"news").unwrap();
    while told(&mut news).await != Push::Anew {}
    static PAIR: Script =
        Script::new("redis.call('SET', KEYS[1], ARGV[1]) return redis.call('EXISTS', KEYS[2])");
    for number in 0..30 {
        let (a, b) = (format!("{{{number}}}:a"), format!("{{{number}}}:b"));
        let ran = link.run(&PAIR, &[a.as_bytes(), b.as_bytes()], &[b"x"]).await;
        assert_eq!(ran, Ok(Reply::Int(0)), "{:?}", link.snapshot());
        let mut both = Pipeline::new();
        both.cmd("GET").arg(&a).cmd("GET").arg(&b);
        let x = Reply::BulkString(b"x".to_vec());
        assert_eq!(link.pipeline(&both).await, Ok(vec![x, Reply::Nil]));
    }
    let connects = link.snapshot().connects;
    for server in &servers {
        // One of these is the one that is listened to.
        servers::ask_at(server.port, &[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]);
    }
    while told(&mut news).await != Push::Anew {}
    assert_eq!(link.snapshot().connects, connects, "calls go on");
    for (number, server) in servers.iter().enumerate() {
        assert_ne!(servers::ask_at(server.port, &[b"DBSIZE"]), b":0\r\n");
        let said = number.to_string().into_bytes();
        servers::ask_at(server.port, &[b"PUBLISH", b"news", &said]);
        assert_eq!(told(&mut news).await, Push::Message(said.into()));
    }
}

#[tokio::test]
async fn a_stalled_node_of_a_cluster_does_not_take_the_others_with_it() {
    let servers = cluster_of_three().await;
    let seeds = servers.iter().map(|server| local(server.port)).collect();
    let link = up(options(Server::Cluster(seeds))).await;
    let mut news = link.subscribe(b"news").unwrap();
    while told(&mut news).await != Push::Anew {}
    // A key of each node: the slots are dealt out in thirds.
    let mut keys = vec![String::new(); 3];
    for number in 0..100 {
        let key = format!("k{number}");
        let answer = servers::ask_at(servers[0].port, &[b"CLUSTER", b"KEYSLOT", key.as_bytes()]);
        let slot = String::from_utf8(answer).unwrap()[1..].trim().parse::<usize>().unwrap();
        keys[slot * 3 / 16_384] = key;
    }
    let connects = link.snapshot().connects;
    for (index, stalled) in servers.iter().enumerate() {
        stalled.stall();
        // Whoever comes now comes up too.
        let late = up(link.options().clone()).await;
        let well = command(&["GET", &keys[(index + 1) % 3]]);
        until("the late one is answered", async || late.call(&well).await.is_ok()).await;
        // A third of many calls at once fail together, in a row: that is no reason to give up.
        let calls = (0..30).map(|number| {
            let (link, get) = (Arc::clone(&link), command(&["GET", &keys[number % 3]]));
            tokio::spawn(async move { (number % 3, link.call(&get).await.is_ok()) })
        });
        let mut answered = 0;
        for call in calls.collect::<Vec<_>>() {
            let (node, is_answered) = call.await.unwrap();
            assert!(node != index || !is_answered);
            answered += u32::from(is_answered);
        }
        assert_eq!(answered, 20);
        for (other, key) in keys.iter().enumerate().filter(|(other, _)| *other != index) {
            let get = command(&["GET", key]);
            until(&format!("{other} answers"), async || link.call(&get).await.is_ok()).await;
        }
        stalled.go_on();
        let get = command(&["GET", &keys[index]]);
        until(&format!("{index} is back"), async || link.call(&get).await.is_ok()).await;
    }
    let heard = async |news: &mut Subscription| {
        servers::ask_at(servers[1].port, &[b"PUBLISH", b"news", b"x"]);
        let next = tokio::time::timeout(Duration::from_millis(100), news.next()).await;
        matches!(next, Ok(Push::Message(_)))
    };
    until("heard again", async || heard(&mut news).await).await;
    assert_eq!((link.snapshot().connects, link.snapshot().openings), (connects, 0));
}
