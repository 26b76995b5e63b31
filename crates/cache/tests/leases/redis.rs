//! Leases over real servers: the contract, and what only Redis can do to them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_cache::codec::{Record, StoredBody};
use forebay_cache::mechanism::{
    Admitted, Body, Budget, Clock, Entry, Epoch, Fence, Head, HeadCodec, Key, Lease, Leases,
    Purpose, Response, Stamp, Tier, Timestamp, Vigil, Wish, Word,
};
use forebay_cache::redis::{
    LeaseOptions, LeaseSnapshot, Link, LinkOptions, Names, RedisLeases, RedisOptions, RedisTier,
    Reply, Server,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout};

use crate::contract::{self, Cluster, NODES};
use crate::server::{admin, call, cluster, say, single, text};
use crate::servers::RedisServer;

const PREFIX: &str = "fb:";
const TTL: Duration = Duration::from_millis(1_500);
const PATIENCE: Duration = Duration::from_secs(10);

/// A process, as far as it is about leases: its tasks end with its runtime.
struct Node {
    runtime: Option<Runtime>,
    leases: Arc<RedisLeases>,
}

/// How long a store may be refused for want of a connection.
const PUT_PATIENCE: Duration = Duration::from_secs(20);

struct OverRedis {
    nodes: Vec<Node>,
    link: Arc<Link>,
    admins: Vec<Arc<Link>>,
    tier: RedisTier<Nothing>,
}

/// A head that says nothing.
struct Nothing;

impl Head for Nothing {
    fn weight_bytes(&self) -> usize {
        0
    }
}

impl HeadCodec<Nothing> for Nothing {
    fn encode(&self, _: &Nothing, _: &mut Vec<u8>) {}

    fn decode(&self, _: &Bytes) -> Option<Nothing> {
        Some(Nothing)
    }
}

fn until_comma(key: &[u8]) -> &[u8] {
    key.split(|byte| *byte == b',').next().unwrap_or(key)
}

fn names() -> Names {
    Names::new(PREFIX, until_comma)
}

fn link_options(server: &Server) -> LinkOptions {
    LinkOptions {
        call_timeout: Duration::from_millis(500),
        ping_every: Duration::from_millis(200),
        ..LinkOptions::new(server.clone())
    }
}

fn lease_options() -> LeaseOptions {
    LeaseOptions { ttl: TTL, ..LeaseOptions::new(names()) }
}

impl Node {
    async fn new(server: &Server, options: LeaseOptions) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let leases = {
            let _within = runtime.enter();
            RedisLeases::new(Link::open(link_options(server)), options)
        };
        let node = Self { runtime: Some(runtime), leases };
        node.until(|seen| seen.gaps > 0).await;
        node
    }

    fn seen(&self) -> LeaseSnapshot {
        self.leases.snapshot()
    }

    async fn until(&self, is_so: impl Fn(&LeaseSnapshot) -> bool) {
        let waited = async {
            while !is_so(&self.seen()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{:?}", self.seen()));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl OverRedis {
    async fn new(server: Server, servers: &[RedisServer]) -> Self {
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            nodes.push(Node::new(&server, lease_options()).await);
        }
        let mut admins = Vec::new();
        for server in servers {
            admins.push(admin(server).await);
        }
        let link = Link::open(link_options(&server));
        link.connected().await;
        let options = RedisOptions {
            prefix: PREFIX.to_owned(),
            family: until_comma,
            ..RedisOptions::default()
        };
        let (clock, budget) = (Clock::system(), Budget::new(1 << 20));
        let tier = RedisTier::new(Arc::clone(&link), Arc::new(Nothing), clock, budget, options);
        Self { nodes, link, admins, tier }
    }
}

impl OverRedis {
    async fn put(&self, key: &Key, stamp: Stamp, fence: Option<&Fence>) -> Admitted {
        let body = Body::whole(&Bytes::from("body"), None, &Budget::new(0));
        let entry = Entry::stored(Nothing, body, Timestamp::FAR, stamp, Epoch::default());
        let (entry, began) = (Arc::new(entry), Instant::now());
        loop {
            // On a busy machine the connection may just have been given up.
            match self.tier.put(key, Arc::clone(&entry), fence).await {
                Ok(admitted) => return admitted,
                Err(why) => assert!(began.elapsed() < PUT_PATIENCE, "{why:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Cluster for OverRedis {
    fn leases(&self, node: usize) -> &dyn Leases {
        &*self.nodes[node].leases
    }

    fn ttl(&self) -> Duration {
        TTL
    }

    async fn store(&self, key: &Key, stamp: Stamp) {
        // Without a lease a store yields to one, which may be given back just now.
        while self.put(key, stamp, None).await != Admitted::Kept {
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn remove(&self, key: &Key) {
        self.tier.remove(key).await.unwrap();
    }

    async fn accepts(&self, fence: &Fence) -> bool {
        // Beside what the lease is for, so that nobody takes it for what was fetched.
        let beside = Key::from(&[fence.key.as_bytes(), b", beside"].concat()[..]);
        match self.put(&beside, Stamp::fresh(), Some(fence)).await {
            Admitted::Kept => true,
            Admitted::Fenced => false,
            other => panic!("{other:?}"),
        }
    }

    async fn gap(&self) {
        let before: Vec<u64> = self.nodes.iter().map(|node| node.seen().gaps).collect();
        for admin in &self.admins {
            say(admin, "CLIENT KILL TYPE normal").await;
            say(admin, "CLIENT KILL TYPE pubsub").await;
        }
        for (node, before) in self.nodes.iter().zip(before) {
            node.until(|seen| seen.gaps > before).await;
        }
        sleep(Duration::from_millis(300)).await;
        self.link.connected().await;
    }

    fn kill(&mut self, node: usize) {
        self.nodes[node].runtime.take().unwrap().shutdown_background();
    }
}

fn stored(stamp: Stamp) -> Vec<u8> {
    let record = Record {
        key: b"key",
        head: b"head",
        trailer: None,
        body: StoredBody::Plain(b"body"),
        keep_until: Timestamp::FAR,
        stamp,
        epoch: Epoch::default(),
    };
    let mut value = Vec::new();
    record.write(&mut value).unwrap();
    value
}

async fn ask(node: &Node, key: &str) -> Response {
    let key = Key::from(key.as_bytes());
    let wish = Wish { key: &key, watched: &key, seen: None, purpose: Purpose::Need };
    node.leases.ask(wish).await
}

#[track_caller]
fn ours(response: Response) -> Box<dyn Lease> {
    let Response::Ours(lease) = response else { panic!("not ours") };
    lease
}

#[track_caller]
fn theirs(response: Response) -> Box<dyn Vigil> {
    let Response::Theirs(vigil) = response else { panic!("not theirs") };
    vigil
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_server_keeps_to_the_contract() {
    let servers = [RedisServer::on_socket(&[])];
    let server = single(&servers[0]);
    contract::keeps_to_it(&mut OverRedis::new(server, &servers).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_redis_cluster_keeps_to_the_contract() {
    let (servers, server) = cluster().await;
    contract::keeps_to_it(&mut OverRedis::new(server, &servers).await).await;
}

#[tokio::test]
async fn a_lease_that_redis_forgot_is_lost_and_taken_by_another() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let [first, second] =
        [Node::new(&server, lease_options()).await, Node::new(&server, lease_options()).await];
    let lease = ours(ask(&first, "k").await);
    say(&*admin(&redis).await, "FLUSHALL").await;
    first.until(|seen| seen.lost == 1).await;
    let next = ours(ask(&second, "k").await);
    let vigil = theirs(ask(&first, "k").await);
    lease.end(Word::Unshared(TTL));
    first.until(|seen| seen.held == 0).await;
    next.end(Word::Local);
    assert_eq!(timeout(TTL / 2, vigil.told()).await, Ok(Word::Local));
    assert_eq!((first.seen().lost, second.seen().lost), (1, 0));
}

#[tokio::test]
async fn a_server_that_is_away_or_mute_is_unreachable_in_time() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let [first, second] =
        [Node::new(&server, lease_options()).await, Node::new(&server, lease_options()).await];
    redis.stall();
    let began = Instant::now();
    assert!(matches!(ask(&first, "k").await, Response::Unreachable));
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    redis.go_on();
    // The question was heard after all; nobody keeps the lease that it brought.
    let taken = async {
        loop {
            match ask(&second, "k").await {
                Response::Ours(lease) => break lease,
                Response::Theirs(vigil) => drop(vigil.told().await),
                _ => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    drop(timeout(TTL * 3, taken).await.unwrap());
    drop(redis);
    first.until(|seen| seen.held == 0).await;
    let began = Instant::now();
    assert!(matches!(ask(&first, "k").await, Response::Unreachable));
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    assert!(first.seen().unreachable >= 2);
}

#[tokio::test]
async fn a_message_that_is_none_of_ours_is_counted_and_tells_nobody() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let [first, second] =
        [Node::new(&server, lease_options()).await, Node::new(&server, lease_options()).await];
    let lease = ours(ask(&first, "k").await);
    let vigil = theirs(ask(&second, "k").await);
    let admin = admin(&redis).await;
    let Reply::Array(channels) = say(&admin, "PUBSUB CHANNELS fb:node:*").await else { panic!() };
    assert_eq!(channels.len(), 2);
    let long = format!("1 {} stored{}", "0".repeat(32), " ".repeat(1 << 15));
    let unknown = format!("1 {} stored", "0".repeat(32));
    for channel in channels {
        for message in ["", "1", "left", "\0\r\n", &long, &unknown] {
            call(&admin, &[b"PUBLISH", text(&channel).as_bytes(), message.as_bytes()]).await;
        }
    }
    second.until(|seen| seen.foreign == 5).await;
    assert_eq!(second.seen().waiting, 1);
    lease.end(Word::Stored);
    assert_eq!(timeout(TTL / 2, vigil.told()).await, Ok(Word::Stored));
}

#[tokio::test]
async fn foreign_values_are_no_entries_and_hold_nobody_up_for_ever() {
    let redis = RedisServer::on_socket(&[]);
    let node = Node::new(&single(&redis), lease_options()).await;
    let admin = admin(&redis).await;
    let entry = stored(Stamp::fresh());
    let mut of_another_version = entry.clone();
    of_another_version[4] ^= 1;
    let values = [&b""[..], b"foreign, but long enough", &of_another_version[..], &entry[..15]];
    for (number, value) in values.into_iter().enumerate() {
        let key = format!("value {number}");
        let name = names().entry(&Key::from(key.as_bytes()));
        call(&admin, &[b"SET", &name, value]).await;
        drop(ours(ask(&node, &key).await));
    }
    let named =
        |name: fn(&Names, &Key) -> Vec<u8>, key: &str| name(&names(), &Key::from(key.as_bytes()));
    call(&admin, &[b"HSET", &named(Names::entry, "hash"), b"a", b"b"]).await;
    drop(ours(ask(&node, "hash").await));
    // Marks without an end are none, and a lease without one gets one.
    call(&admin, &[b"SET", &named(Names::declined, "marks"), b"1"]).await;
    call(&admin, &[b"SET", &named(Names::rest, "marks"), b"1"]).await;
    drop(ours(ask(&node, "marks").await));
    call(&admin, &[b"SET", &named(Names::lease, "endless"), b"x"]).await;
    assert_eq!(theirs(ask(&node, "endless").await).told().await, Word::Left);
    drop(ours(ask(&node, "endless").await));
    call(&admin, &[b"HSET", &named(Names::lease, "kind"), b"a", b"b"]).await;
    assert!(matches!(ask(&node, "kind").await, Response::Unreachable));
}

#[tokio::test]
async fn those_who_wait_stay_in_their_bounds() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let options = LeaseOptions { waiters_max: 1, vigils_max: 3, held_max: 4, ..lease_options() };
    let [first, second] =
        [Node::new(&server, options.clone()).await, Node::new(&server, options).await];
    let lease = ours(ask(&first, "k").await);
    let vigils = [(); 3].map(|()| async { theirs(ask(&first, "k").await) });
    let mut waiting = Vec::new();
    for vigil in vigils {
        waiting.push(vigil.await);
    }
    // No room in this node, nor in the lease's queue for another node.
    assert!(matches!(ask(&first, "other").await, Response::Unreachable));
    assert!(matches!(ask(&second, "k").await, Response::Unreachable));
    assert_eq!((first.seen().crowded, second.seen().crowded), (1, 1));
    assert_eq!((first.seen().waiting, first.seen().held), (3, 1));
    waiting.pop();
    let mut held = vec![lease];
    for number in 0..3 {
        held.push(ours(ask(&first, &format!("other {number}")).await));
    }
    assert!(matches!(ask(&first, "one more").await, Response::Unreachable));
    drop((held, waiting));
    first.until(|seen| (seen.held, seen.waiting) == (0, 0)).await;
    drop(ours(ask(&first, "one more").await));
}

#[tokio::test]
async fn every_key_expires() {
    let redis = RedisServer::on_socket(&[]);
    let server = single(&redis);
    let [first, second] =
        [Node::new(&server, lease_options()).await, Node::new(&server, lease_options()).await];
    for (number, word) in [Word::Unshared(TTL), Word::Failed(504, TTL)].into_iter().enumerate() {
        let key = format!("ends {number}");
        let lease = ours(ask(&first, &key).await);
        let vigil = theirs(ask(&second, &key).await);
        lease.end(word);
        assert_eq!(vigil.told().await, word);
    }
    let _lease = ours(ask(&first, "held").await);
    let _vigil = theirs(ask(&second, "held").await);
    let admin = admin(&redis).await;
    let Reply::Array(keys) = say(&admin, "KEYS *").await else { panic!() };
    assert_eq!(keys.len(), 4, "{keys:?}");
    for key in keys {
        let left = call(&admin, &[b"PTTL", text(&key).as_bytes()]).await;
        let Reply::Int(left) = left else { panic!("{left:?}") };
        assert!(left > 0 && left <= TTL.as_millis() as i64, "{key:?}: {left}");
    }
}

/// Fetches under the lease, or waits until somebody did; how many leases that took.
async fn have(leases: Arc<RedisLeases>, link: Arc<Link>, key: Key) -> usize {
    let wish = Wish { key: &key, watched: &key, seen: None, purpose: Purpose::Need };
    let mut led = 0;
    loop {
        match leases.ask(wish).await {
            Response::Ours(lease) => {
                led += 1;
                sleep(Duration::from_millis(20)).await;
                call(&link, &[b"SET", &names().entry(&key), &stored(Stamp::fresh())]).await;
                lease.end(Word::Stored);
            }
            Response::Theirs(vigil) => assert_eq!(vigil.told().await, Word::Stored),
            Response::Newer => return led,
            _ => panic!("redis answers, and the key is shareable"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_all_who_want_a_key_at_once_one_leads_and_no_word_is_missed() {
    const KEYS: usize = 100;
    let redis = RedisServer::on_socket(&[]);
    // On a machine that is busy a lease must not end by itself here.
    let options = LeaseOptions { ttl: PATIENCE, ..lease_options() };
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::new(&single(&redis), options.clone()).await);
    }
    let link = admin(&redis).await;
    let mut all = tokio::task::JoinSet::new();
    for number in 0..KEYS {
        let key = Key::from(format!("wanted {number}").as_bytes());
        for node in &nodes {
            all.spawn(have(Arc::clone(&node.leases), Arc::clone(&link), key.clone()));
        }
    }
    assert_eq!(all.join_all().await.into_iter().sum::<usize>(), KEYS);
    for node in &nodes {
        let seen = node.seen();
        assert_eq!((seen.overdue, seen.missed, seen.lost, seen.foreign), (0, 0, 0, 0), "{seen:?}");
    }
}
