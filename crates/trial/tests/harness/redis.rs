//! Servers of Redis: started, spoken to, stalled, killed, failed over, spread over slots.

use std::sync::Arc;
use std::time::Duration;

use forebay_trial::patience::until;
use forebay_trial::redis::{Connection, RedisCluster, RedisOptions, RedisPair, RedisServer, Reply};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::PATIENCE;

fn bytes(text: &str) -> Reply {
    Reply::Bytes(text.into())
}

#[tokio::test]
async fn a_server_answers_and_keeps_what_it_is_given() {
    let redis = RedisServer::start().await.unwrap();
    assert_eq!(redis.url(), format!("redis://{}", redis.address()));
    assert_eq!(redis.command(&["PING"]).await.unwrap(), Reply::Status("PONG".into()));
    redis.command(&["SET", "b", "1"]).await.unwrap().ok().unwrap();
    redis.command(&[&b"SET"[..], b"a", b"\r\n\xff"]).await.unwrap().ok().unwrap();
    assert_eq!(redis.command(&["GET", "a"]).await.unwrap(), Reply::Bytes(b"\r\n\xff".into()));
    assert_eq!(redis.command(&["GET", "c"]).await.unwrap(), Reply::Nil);
    assert_eq!(redis.keys("*").await.unwrap(), ["a", "b"]);
    assert_eq!(redis.says("role").await.unwrap(), "master");
    assert!(matches!(redis.command(&["INCR", "a"]).await.unwrap(), Reply::Error(_)));
    redis.command(&["FLUSHALL"]).await.unwrap().ok().unwrap();
    assert_eq!(redis.size().await.unwrap(), 0);
}

#[tokio::test]
async fn a_stalled_server_accepts_and_says_nothing_until_it_is_resumed() {
    let redis = RedisServer::start().await.unwrap();
    redis.stall().await.unwrap();
    let mut stream = Connection::tcp(redis.address()).await.unwrap();
    assert!(stream.next(Duration::from_millis(200)).await.is_err());
    let asking = redis.command(&["PING"]);
    assert!(tokio::time::timeout(Duration::from_millis(200), asking).await.is_err());
    redis.resume().await.unwrap();
    assert_eq!(redis.command(&["PING"]).await.unwrap(), Reply::Status("PONG".into()));
}

#[tokio::test]
async fn a_killed_server_refuses_and_comes_back_empty_at_the_same_address() {
    let mut redis = RedisServer::start().await.unwrap();
    let address = redis.address();
    redis.command(&["SET", "a", "1"]).await.unwrap().ok().unwrap();
    redis.kill().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    redis.restart_empty().await.unwrap();
    assert_eq!((redis.address(), redis.size().await.unwrap()), (address, 0));
}

#[tokio::test]
async fn a_persistent_server_has_after_a_kill_what_it_had_unless_it_is_to_be_empty() {
    let mut redis = RedisOptions::new().persistent().start().await.unwrap();
    redis.command(&["SET", "a", "1"]).await.unwrap().ok().unwrap();
    redis.kill().await.unwrap();
    redis.restart().await.unwrap();
    assert_eq!(redis.command(&["GET", "a"]).await.unwrap(), bytes("1"));
    redis.restart_empty().await.unwrap();
    assert_eq!(redis.size().await.unwrap(), 0);
}

#[tokio::test]
async fn only_who_knows_the_password_is_let_in() {
    let check = async |options: RedisOptions, words: &[&str], credentials: &str| {
        let redis = options.start().await.unwrap();
        assert_eq!(redis.url(), format!("redis://{credentials}@{}", redis.address()));
        let mut client = Connection::tcp(redis.address()).await.unwrap();
        let refused = client.command(&["GET", "a"]).await.unwrap();
        assert!(matches!(refused, Reply::Error(why) if why.starts_with("NOAUTH")));
        client.command(words).await.unwrap().ok().unwrap();
        assert_eq!(client.command(&["GET", "a"]).await.unwrap(), Reply::Nil);
    };
    let options = RedisOptions::new();
    check(options.clone().password("sesame"), &["AUTH", "sesame"], ":sesame").await;
    check(options.user("ali", "sesame"), &["AUTH", "ali", "sesame"], "ali:sesame").await;
}

#[tokio::test]
async fn a_user_may_do_what_its_rules_say_and_no_more() {
    let options = RedisOptions::new().user_with("ali", "sesame", "~cave:* +get");
    let redis = options.start().await.unwrap();
    let mut client = Connection::tcp(redis.address()).await.unwrap();
    client.command(&["AUTH", "ali", "sesame"]).await.unwrap().ok().unwrap();
    assert_eq!(client.command(&["GET", "cave:1"]).await.unwrap(), Reply::Nil);
    for words in [&["GET", "other"][..], &["SET", "cave:1", "a"]] {
        let refused = client.command(words).await.unwrap();
        assert!(matches!(refused, Reply::Error(why) if why.starts_with("NOPERM")));
    }
}

#[tokio::test]
async fn a_server_behind_tls_shows_a_certificate_of_its_authority() {
    let redis = RedisOptions::new().tls().start().await.unwrap();
    assert_eq!(redis.url(), format!("rediss://{}", redis.address()));
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(redis.authority().unwrap()).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(redis.address()).await.unwrap();
    let connecting =
        TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream);
    let mut client = Connection::over(Box::new(connecting.await.unwrap()));
    assert_eq!(client.command(&["PING"]).await.unwrap(), Reply::Status("PONG".into()));

    let mut plain = Connection::tcp(redis.address()).await.unwrap();
    assert!(plain.command(&["PING"]).await.is_err());
}

#[tokio::test]
async fn a_full_server_refuses_to_write() {
    let options = RedisOptions::new().memory_max(2 << 20, "noeviction");
    let redis = options.start().await.unwrap();
    let value = "v".repeat(1 << 20);
    let mut last = Reply::Nil;
    for key in ["a", "b", "c", "d"] {
        last = redis.command(&["SET", key, &value]).await.unwrap();
    }
    assert!(matches!(last, Reply::Error(why) if why.starts_with("OOM")));
    assert_eq!(redis.says("maxmemory_policy").await.unwrap(), "noeviction");
}

#[tokio::test]
async fn a_subscriber_hears_what_is_published() {
    let redis = RedisServer::start().await.unwrap();
    let mut subscriber = redis.connect().await.unwrap();
    subscriber.command(&["SUBSCRIBE", "news"]).await.unwrap();
    redis.command(&["PUBLISH", "news", "now"]).await.unwrap();
    let heard = subscriber.next(PATIENCE).await.unwrap();
    assert_eq!(heard.members().unwrap(), [bytes("message"), bytes("news"), bytes("now")]);
}

#[tokio::test]
async fn servers_end_when_they_are_dropped_also_by_a_panic() {
    let address = Arc::new(std::sync::Mutex::new(None));
    let told = Arc::clone(&address);
    let panicking = tokio::spawn(async move {
        let redis = RedisServer::start().await.unwrap();
        *told.lock().unwrap() = Some(redis.address());
        panic!("as told");
    });
    assert!(panicking.await.unwrap_err().is_panic());
    let address = address.lock().unwrap().expect("it has started");
    let gone = async || TcpStream::connect(address).await.is_err();
    until("it is gone", PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn a_pair_has_another_primary_after_a_failover_that_was_asked_for() {
    let mut pair = RedisPair::start().await.unwrap();
    let old = pair.primary_address().await.unwrap();
    assert_eq!(old, pair.server(0).address());
    assert_eq!((pair.service(), pair.sentinel_addresses().len()), ("trial", 3));
    pair.primary().await.unwrap().command(&["SET", "a", "1"]).await.unwrap().ok().unwrap();
    pair.fail_over().await.unwrap();
    assert_eq!(pair.primary_address().await.unwrap(), pair.server(1).address());
    let primary = pair.primary().await.unwrap();
    assert_eq!(primary.command(&["GET", "a"]).await.unwrap(), bytes("1"));
    primary.command(&["SET", "a", "2"]).await.unwrap().ok().unwrap();
}

#[tokio::test]
async fn a_pair_has_another_primary_after_the_first_was_killed() {
    let mut pair = RedisPair::with(RedisOptions::new().password("sesame")).await.unwrap();
    let old = pair.kill_primary().await.unwrap();
    pair.moved_from(old).await.unwrap();
    let primary = pair.primary().await.unwrap();
    assert_ne!(primary.address(), old);
    primary.command(&["SET", "a", "1"]).await.unwrap().ok().unwrap();
}

#[tokio::test]
async fn a_cluster_keeps_each_key_where_its_slot_is() {
    let mut cluster = RedisCluster::start().await.unwrap();
    assert_eq!((cluster.count(), cluster.addresses().len()), (3, 3));
    let mut owners = [0; 3];
    for number in 0..30 {
        let key = format!("k{number}");
        cluster.command(&["SET", &key, "1"]).await.unwrap().ok().unwrap();
        let owner = cluster.owner(&key).await.unwrap();
        let kept = cluster.server(owner).command(&["GET", &key]).await.unwrap();
        assert_eq!(kept, bytes("1"), "{key}");
        let other = cluster.server((owner + 1) % 3).command(&["GET", &key]).await.unwrap();
        assert!(matches!(other, Reply::Error(why) if why.starts_with("MOVED")));
        owners[owner] += 1;
    }
    assert!(owners.iter().all(|keys| *keys > 0), "{owners:?}");
    assert_eq!(cluster.keys("k*").await.unwrap().len(), 30);
}

#[tokio::test]
async fn a_cluster_goes_on_when_a_killed_primary_is_back() {
    let mut cluster = RedisCluster::start().await.unwrap();
    cluster.server(1).kill().await.unwrap();
    let failing = async || {
        let said = cluster.server(0).command(&["CLUSTER", "INFO"]).await.unwrap();
        said.text().unwrap().contains("cluster_state:fail")
    };
    until("the others notice", PATIENCE, failing).await.unwrap();
    cluster.server(1).restart().await.unwrap();
    cluster.serves().await.unwrap();
}
