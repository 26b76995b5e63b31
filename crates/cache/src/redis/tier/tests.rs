use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::servers::{RedisServer, cluster_of_three, until};
use super::*;
use crate::body::Limits;
use crate::entry::Stamp;
use crate::purge::Epoch;
use crate::redis::{Address, Admission, LinkOptions, Server};
use crate::tier::contract;

/// A head is its number; an even one is of a body that gets smaller.
struct Numbers;

impl HeadCodec<u32> for Numbers {
    fn encode(&self, head: &u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&head.to_le_bytes());
    }

    fn decode(&self, bytes: &Bytes) -> Option<u32> {
        Some(u32::from_le_bytes(bytes[..].try_into().ok()?))
    }

    fn is_compressible(&self, head: &u32) -> bool {
        head.is_multiple_of(2)
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Chunks of 1 KiB, so that what is long in a test is short.
fn small() -> RedisOptions {
    RedisOptions {
        prefix: "t:".to_owned(),
        family: |key| key.split(|byte| *byte == b'/').next().unwrap_or(key),
        value_bytes_max: 4 << 20,
        one_value_bytes_max: 2_000,
        chunk_bytes: 1_024,
        compress_from: 100,
        transfer_timeout: Duration::from_secs(5),
        ..RedisOptions::default()
    }
}

async fn tier_with(server: &RedisServer, options: RedisOptions) -> RedisTier<u32> {
    tier_at(Server::Single(Address::Unix(server.socket())), options).await
}

async fn tier_at(server: Server, options: RedisOptions) -> RedisTier<u32> {
    let link = Link::open(LinkOptions {
        call_timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(5),
        retry_pause_max: Duration::from_millis(200),
        ..LinkOptions::new(server)
    });
    tokio::time::timeout(Duration::from_secs(10), link.connected()).await.unwrap();
    let budget = Budget::new(64 << 20);
    let tier = RedisTier::new(link, Arc::new(Numbers), Clock::system(), budget, options);
    tokio::time::timeout(Duration::from_secs(10), tier.shared.bulk.connected()).await.unwrap();
    tier
}

async fn tier(server: &RedisServer) -> RedisTier<u32> {
    tier_with(server, small()).await
}

fn key(name: &str) -> Key {
    Key::from(name.as_bytes())
}

fn entry(head: u32, body: &[u8]) -> Arc<Entry<u32>> {
    let body = Body::whole(&Bytes::copy_from_slice(body), None, &Budget::new(0));
    Arc::new(Entry::new(head, body, Clock::system().now().plus(HOUR)))
}

// Not to be made smaller, and different at every place.
fn noise(len: usize) -> Vec<u8> {
    let mut number = 88_172_645_463_325_252_u64;
    let mut next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number as u8
    };
    (0..len).map(|_| next()).collect()
}

async fn body_of(entry: &Entry<u32>) -> Result<Vec<u8>, String> {
    let mut reader = entry.body().reader().unwrap();
    let mut all = Vec::new();
    while let Some(slice) = reader.next().await {
        all.extend_from_slice(&slice.map_err(|broken| broken.reason().to_owned())?);
    }
    Ok(all)
}

async fn found(tier: &RedisTier<u32>, name: &str) -> Option<(u32, Vec<u8>)> {
    let entry = tier.look_up(&key(name)).await.unwrap()?;
    Some((*entry.head(), body_of(&entry).await.unwrap()))
}

fn damaged(tier: &RedisTier<u32>, damage: Damage) -> u64 {
    tier.snapshot().damaged.iter().find(|(one, _)| *one == damage).unwrap().1
}

fn chunks_in(server: &RedisServer) -> Vec<String> {
    let said = String::from_utf8(server.ask(&[b"KEYS", b"t:*:c:*"])).unwrap();
    said.lines().filter(|line| line.contains(":c:")).map(str::to_owned).collect()
}

#[tokio::test]
async fn redis_keeps_to_the_contract() {
    let server = RedisServer::on_socket(&[]);
    let clock = Clock::system();
    for secret in [None, Some(b"secret".to_vec())] {
        let tier = tier_with(&server, RedisOptions { secret, ..small() }).await;
        contract::keeps_to_it_in_real_time(&tier, &clock).await;
        contract::takes_what_passes_by(&tier).await;
        server.ask(&[b"FLUSHALL"]);
    }
    // All of it once more with every body in chunks.
    let chunked = RedisOptions { one_value_bytes_max: 1, chunk_bytes: 2, ..small() };
    let tier = tier_with(&server, RedisOptions { value_bytes_max: 5_000, ..chunked }).await;
    contract::keeps_to_it_in_real_time(&tier, &clock).await;
    contract::takes_what_passes_by(&tier).await;
}

#[tokio::test]
async fn a_cluster_keeps_to_the_contract_too() {
    let servers = cluster_of_three().await;
    let at = |server: &RedisServer| Address::Tcp("127.0.0.1".to_owned(), server.port);
    let cluster = Server::Cluster(servers.iter().map(at).collect());
    let tier = tier_at(cluster, small()).await;
    contract::keeps_to_it_in_real_time(&tier, &Clock::system()).await;
    for number in 0..20 {
        let name = format!("{number}/1");
        let fence = Fence { key: key(&number.to_string()), token: [7; 16] };
        let put = tier.put(&key(&name), entry(1, &noise(9_000)), Some(&fence)).await;
        assert_eq!(put, Ok(Admitted::Fenced));
        assert_eq!(tier.put(&key(&name), entry(1, &noise(9_000)), None).await, Ok(Admitted::Kept));
        assert_eq!(found(&tier, &name).await, Some((1, noise(9_000))));
        tier.remove(&key(&name)).await.unwrap();
        assert_eq!(found(&tier, &name).await, None);
    }
}

#[tokio::test]
async fn a_thousand_look_ups_beside_long_stores_are_in_time() {
    let server = RedisServer::on_socket(&[]);
    let options = RedisOptions { chunk_bytes: 256 << 10, ..small() };
    let tier = Arc::new(tier_with(&server, options).await);
    tier.put(&key("a"), entry(1, b"short"), None).await.unwrap();
    let stores = (0..20).map(|number| {
        let (tier, long) = (Arc::clone(&tier), entry(1, &noise(2_000_000)));
        tokio::spawn(async move { tier.put(&key(&number.to_string()), long, None).await })
    });
    let stores: Vec<_> = stores.collect();
    let looks = (0..1_000).map(|_| {
        let tier = Arc::clone(&tier);
        tokio::spawn(async move { found(&tier, "a").await })
    });
    for look in looks.collect::<Vec<_>>() {
        assert_eq!(look.await.unwrap(), Some((1, b"short".to_vec())));
    }
    for store in stores {
        assert_eq!(store.await.unwrap(), Ok(Admitted::Kept));
    }
    assert_eq!(tier.shared.link.snapshot().late, 0);
}

#[tokio::test]
async fn bodies_of_every_length_come_back_as_they_went() {
    let server = RedisServer::on_socket(&[]);
    for secret in [None, Some(b"secret".to_vec())] {
        let tier = tier_with(&server, RedisOptions { secret, ..small() }).await;
        for len in [0, 1, 1_999, 2_000, 2_001, 2_048, 2_049, 1 << 20, (1 << 20) + 1, 3_000_001] {
            for head in [1, 2] {
                let body = if head == 1 { noise(len) } else { vec![7; len] };
                let put = tier.put(&key("a"), entry(head, &body), None).await;
                assert_eq!(put, Ok(Admitted::Kept), "{len}");
                assert!(found(&tier, "a").await == Some((head, body)), "{len} under {head}");
            }
        }
        assert!(tier.snapshot().compressed > 0);
        assert!(tier.snapshot().damaged.iter().all(|(_, count)| *count == 0));
    }
}

#[tokio::test]
async fn an_entry_keeps_its_stamp_epoch_time_and_trailer() {
    let server = RedisServer::on_socket(&[]);
    let tier = tier(&server).await;
    let (stamp, epoch) = (Stamp::from_number(7), Epoch::new(8, 9, 10));
    let keep_until = Clock::system().now().plus(HOUR);
    for len in [10, 5_000] {
        let trailer = Some(Bytes::from_static(b"trailer"));
        let body = Body::whole(&noise(len).into(), trailer, &Budget::new(0));
        let put = Arc::new(Entry::stored(1, body, keep_until, stamp, epoch));
        assert_eq!(tier.put(&key("a"), put, None).await, Ok(Admitted::Kept));
        let entry = tier.look_up(&key("a")).await.unwrap().unwrap();
        assert_eq!((entry.stamp(), entry.epoch()), (stamp, epoch));
        assert_eq!(entry.keep_until(), keep_until);
        let trailer = entry.body().as_whole().unwrap().trailer();
        assert_eq!(trailer.map(|it| &it[..]), Some(&b"trailer"[..]));
    }
    // Where a script of the leases looks for it.
    let offset = crate::codec::STAMP_OFFSET.to_string();
    let name = tier.shared.names.entry(&key("a"));
    let last = (crate::codec::STAMP_OFFSET + 7).to_string();
    let lies = server.ask(&[b"GETRANGE", &name, offset.as_bytes(), last.as_bytes()]);
    assert_eq!(lies, [&b"$8\r\n"[..], &7_u64.to_le_bytes(), b"\r\n"].concat());
}

#[tokio::test]
async fn every_key_expires() {
    let server = RedisServer::on_socket(&[]);
    let options = RedisOptions { admission: Admission::SecondUse(HOUR), ..small() };
    let tier = tier_with(&server, options).await;
    for _ in 0..2 {
        for (name, len) in [("a", 10), ("b", 5_000)] {
            tier.put(&key(name), entry(1, &noise(len)), None).await.unwrap();
        }
    }
    let listed = String::from_utf8(server.ask(&[b"KEYS", b"*"])).unwrap();
    let names: Vec<_> = listed.lines().filter(|line| line.starts_with("t:")).collect();
    assert_eq!(names.len(), 4 + 5, "{names:?}");
    for name in names {
        let left = String::from_utf8(server.ask(&[b"PTTL", name.as_bytes()])).unwrap();
        let left: i64 = left.trim_start_matches(':').trim().parse().unwrap();
        assert!(left > 3_500_000 && left <= 3_660_000, "{name}: {left}");
    }
}

#[tokio::test]
async fn what_is_too_long_is_refused_and_leaves_nothing_older() {
    let server = RedisServer::on_socket(&[]);
    let tier = tier_with(&server, RedisOptions { value_bytes_max: 10_000, ..small() }).await;
    for long_known in [true, false] {
        tier.put(&key("a"), entry(1, b"older"), None).await.unwrap();
        let long = noise(10_001);
        let put = if long_known {
            tier.put(&key("a"), entry(1, &long), None).await
        } else {
            let limits = Limits { kept_bytes_max: 1 << 20, ..WIDE };
            let (mut writer, body) = Body::arriving(limits, &Budget::new(1 << 20), None);
            let until = Clock::system().now().plus(HOUR);
            let arriving = Arc::new(Entry::new(1, body, until));
            writer.push(long.into()).unwrap();
            writer.finish(None);
            tier.put(&key("a"), arriving, None).await
        };
        assert_eq!(put, Ok(Admitted::TooLarge));
        assert_eq!(found(&tier, "a").await, None);
    }
    assert_eq!(server.ask(&[b"DBSIZE"]), b":0\r\n");
}

const WIDE: Limits =
    Limits { kept_bytes_max: 1 << 20, tapped_bytes_max: u64::MAX, window_bytes_max: 1 << 18 };

#[tokio::test]
async fn a_store_under_a_lease_needs_it_and_one_without_yields_to_anothers() {
    let server = RedisServer::on_socket(&[]);
    let tier = tier(&server).await;
    let fence = Fence { key: key("a"), token: [7; 16] };
    let lease = tier.shared.names.lease(&key("a"));
    let put = async |name: &str, head: u32, len: usize, fence: Option<&Fence>| {
        tier.put(&key(name), entry(head, &noise(len)), fence).await.unwrap()
    };
    for len in [10, 5_000] {
        server.ask(&[b"FLUSHALL"]);
        assert_eq!(put("a/1", 1, len, Some(&fence)).await, Admitted::Fenced, "there is none");
        server.ask(&[b"SET", &lease, &[8; 16]]);
        assert_eq!(put("a/1", 1, len, Some(&fence)).await, Admitted::Fenced, "another's");
        assert_eq!(put("a/1", 1, len, None).await, Admitted::Fenced, "another's, and none shown");
        assert_eq!(put("b", 1, len, None).await, Admitted::Kept);
        let mut value = [7; 16].to_vec();
        value.extend_from_slice(b" and who holds it");
        server.ask(&[b"SET", &lease, &value]);
        assert_eq!(put("a/1", 2, len, Some(&fence)).await, Admitted::Kept);
        assert_eq!(found(&tier, "a/1").await, Some((2, noise(len))));
        // What was refused left nothing behind: two entries and the lease.
        let chunks = chunks_in(&server).len();
        assert_eq!(chunks, if len == 10 { 0 } else { 10 });
        tier.remove(&key("a")).await.unwrap();
        assert_eq!(put("a/1", 3, len, Some(&fence)).await, Admitted::Fenced, "it was removed");
        assert_eq!(found(&tier, "a/1").await, Some((2, noise(len))));
    }
    assert_eq!(tier.snapshot().fenced, 8);
}

#[tokio::test]
async fn chunks_that_nobody_finds_any_more_go() {
    let server = RedisServer::on_socket(&[]);
    let tier = tier(&server).await;
    let mut older = Vec::new();
    let goes: [(&str, usize); 3] = [("replaced by chunks", 6_000), ("by one value", 10), ("", 0)];
    for (why, len) in goes {
        tier.put(&key("a"), entry(1, &noise(5_000)), None).await.unwrap();
        let chunks = chunks_in(&server);
        let now: Vec<_> = chunks.iter().filter(|name| !older.contains(*name)).cloned().collect();
        assert_eq!(now.len(), 5);
        if why.is_empty() {
            tier.remove(&key("a")).await.unwrap();
        } else {
            tier.put(&key("a"), entry(1, &noise(len)), None).await.unwrap();
        }
        for name in &now {
            let left = String::from_utf8(server.ask(&[b"PTTL", name.as_bytes()])).unwrap();
            let left: i64 = left.trim_start_matches(':').trim().parse().unwrap();
            assert!(left > 0 && left <= 30_000, "{why}: {left}");
        }
        server.ask(&[b"FLUSHALL"]);
        older = chunks;
    }
}

#[tokio::test]
async fn a_missing_or_damaged_chunk_is_a_miss_or_breaks_the_body_and_is_never_served() {
    let server = RedisServer::on_socket(&[]);
    let tier = tier_with(&server, RedisOptions { chunk_bytes: 4_096, ..small() }).await;
    for len in [50_000, 2_000_000] {
        for (place, gone) in [(0, true), (0, false), (usize::MAX, true), (usize::MAX, false)] {
            server.ask(&[b"FLUSHALL"]);
            tier.put(&key("a"), entry(1, &noise(len)), None).await.unwrap();
            let manifest_of = tier.shared.names.entry(&key("a"));
            let value = server.ask(&[b"GET", &manifest_of]);
            let begin = value.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let value = Bytes::copy_from_slice(&value[begin..value.len() - 2]);
            let manifest = taken_apart(&value).unwrap().1.unwrap();
            let index = place.min(manifest.sums.len() - 1) as u32;
            let chunk = tier.shared.names.chunk(&key("a"), &manifest.token, index);
            let verb: &[&[u8]] =
                if gone { &[b"DEL", &chunk] } else { &[b"SETRANGE", &chunk, b"9", b"damaged"] };
            server.ask(verb);
            let looked = tier.look_up(&key("a")).await.unwrap();
            match looked {
                None => {}
                Some(entry) => {
                    assert!(len > 1 << 20 && !gone, "only the end of a long one is not proved");
                    assert!(body_of(&entry).await.is_err());
                }
            }
        }
    }
    assert_eq!(tier.snapshot().incomplete, 4);
    assert_eq!(damaged(&tier, Damage::Checksum), 4);
}

#[tokio::test]
async fn what_does_not_read_is_a_miss_a_count_and_left_alone() {
    let server = RedisServer::on_socket(&[]);
    let tier = tier(&server).await;
    tier.put(&key("a"), entry(1, b"body"), None).await.unwrap();
    let name = tier.shared.names.entry(&key("a"));
    let raw = server.ask(&[b"GET", &name]);
    let begin = raw.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let good = raw[begin..raw.len() - 2].to_vec();
    let changed = |place: usize, byte: u8| {
        let mut value = good.clone();
        value[place] = byte;
        value
    };
    let other_key = {
        tier.put(&key("b"), entry(1, b"body"), None).await.unwrap();
        let raw = server.ask(&[b"GET", &tier.shared.names.entry(&key("b"))]);
        raw[begin..raw.len() - 2].to_vec()
    };
    let cases = [
        (
            Damage::Foreign,
            b"a text of somebody else's that is long enough to be a front, \
            which it is not, however long one looks at it"
                .to_vec(),
        ),
        (Damage::Length, good[..good.len() - 1].to_vec()),
        (Damage::Length, b"FBAY".to_vec()),
        (Damage::OtherVersion, changed(4, 99)),
        (Damage::Checksum, changed(good.len() - 1, b'?')),
        (Damage::Checksum, changed(20, 99)),
        (Damage::OtherKey, other_key),
        (Damage::TooLong, vec![b'x'; BESIDE_BODY_BYTES_MAX + 5_000]),
    ];
    for (damage, value) in cases {
        let before = damaged(&tier, damage);
        server.ask(&[b"SET", &name, &value]);
        assert_eq!(found(&tier, "a").await, None, "{damage:?}");
        assert_eq!(damaged(&tier, damage), before + 1, "{damage:?}");
        assert_eq!(server.ask(&[b"EXISTS", &name]), b":1\r\n");
    }
    server.ask(&[b"DEL", &name]);
    server.ask(&[b"LPUSH", &name, b"a list"]);
    let before = damaged(&tier, Damage::Foreign);
    assert_eq!(found(&tier, "a").await, None);
    assert_eq!(damaged(&tier, Damage::Foreign), before + 1);
    assert_eq!(tier.put(&key("a"), entry(1, b"new"), None).await, Ok(Admitted::Kept));
    assert_eq!(found(&tier, "a").await, Some((1, b"new".to_vec())));
}

#[tokio::test]
async fn what_was_not_written_with_the_secret_is_not_served() {
    let server = RedisServer::on_socket(&[]);
    let knows = |secret: Option<&[u8]>| {
        let options = RedisOptions { secret: secret.map(<[u8]>::to_vec), ..small() };
        tier_with(&server, options)
    };
    let (one, same) = (knows(Some(b"one")).await, knows(Some(b"one")).await);
    let (other, none) = (knows(Some(b"other")).await, knows(None).await);
    for len in [10, 5_000] {
        one.put(&key("a"), entry(1, &noise(len)), None).await.unwrap();
        assert_eq!(found(&same, "a").await, Some((1, noise(len))));
        assert_eq!(found(&other, "a").await, None);
        assert_eq!(found(&none, "a").await, None);
        none.put(&key("a"), entry(1, &noise(len)), None).await.unwrap();
        assert_eq!(found(&one, "a").await, None);
    }
    assert_eq!(damaged(&other, Damage::Unauthentic), 2);
    assert_eq!(damaged(&one, Damage::Unauthentic), 2);
    // Nor can a sealed value be moved to another name.
    one.put(&key("a"), entry(1, b"a"), None).await.unwrap();
    let names = &one.shared.names;
    server.ask(&[b"COPY", &names.entry(&key("a")), &names.entry(&key("b"))]);
    assert_eq!(found(&one, "b").await, None);
    assert_eq!(damaged(&one, Damage::Unauthentic), 3);
}

#[tokio::test]
async fn on_second_use_what_is_offered_once_is_not_taken() {
    let server = RedisServer::on_socket(&[]);
    let options = RedisOptions { admission: Admission::SecondUse(HOUR), ..small() };
    let tier = tier_with(&server, options).await;
    let put = async |name: &str, fence: Option<&Fence>| {
        tier.put(&key(name), entry(1, b"x"), fence).await.unwrap()
    };
    assert_eq!(put("a", None).await, Admitted::NotYet);
    assert_eq!(found(&tier, "a").await, None);
    assert_eq!(put("a", None).await, Admitted::Kept);
    server.ask(&[b"DEL", &tier.shared.names.sighting(&key("a"))]);
    assert_eq!(put("a", None).await, Admitted::Kept, "what is there is replaced");
    // An index and its variant, which has another key every time, come from one fetch.
    let lease = tier.shared.names.lease(&key("b"));
    let fetch = |token: u8| Fence { key: key("b"), token: [token; 16] };
    server.ask(&[b"SET", &lease, &[1; 16]]);
    assert_eq!(put("b", Some(&fetch(1))).await, Admitted::NotYet);
    assert_eq!(put("b/1", Some(&fetch(1))).await, Admitted::NotYet);
    server.ask(&[b"SET", &lease, &[2; 16]]);
    assert_eq!(put("b", Some(&fetch(2))).await, Admitted::Kept);
    assert_eq!(put("b/2", Some(&fetch(2))).await, Admitted::Kept);
    assert_eq!(tier.snapshot().not_yet, 3);
}

#[tokio::test]
async fn a_full_server_fails_a_store_and_leaves_what_it_has() {
    let server =
        RedisServer::on_socket(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"]);
    let tier = tier(&server).await;
    tier.put(&key("a"), entry(1, b"small"), None).await.unwrap();
    let mut failed = 0;
    for number in 0..20 {
        let long = entry(1, &noise(400_000));
        failed += u32::from(tier.put(&key(&number.to_string()), long, None).await.is_err());
    }
    assert!(failed > 0);
    assert_eq!(found(&tier, "a").await, Some((1, b"small".to_vec())));
    assert!(tier.shared.link.is_up());
}

#[tokio::test]
async fn a_stopped_server_fails_at_once_and_the_tier_works_again_by_itself() {
    let mut server = RedisServer::on_socket(&[]);
    let tier = tier(&server).await;
    tier.put(&key("a"), entry(1, b"before"), None).await.unwrap();
    server.kill();
    until("lost", async || !tier.shared.link.is_up()).await;
    let began = Instant::now();
    assert!(tier.look_up(&key("a")).await.is_err());
    assert!(tier.put(&key("a"), entry(1, b"while"), None).await.is_err());
    assert!(tier.remove(&key("a")).await.is_err());
    assert!(began.elapsed() < Duration::from_millis(500));
    server.start_again();
    until("back", async || tier.look_up(&key("a")).await.is_ok()).await;
    until("all of it", async || tier.shared.bulk.is_up()).await;
    assert_eq!(found(&tier, "a").await, None, "it came back empty");
    assert_eq!(tier.put(&key("a"), entry(1, b"after"), None).await, Ok(Admitted::Kept));
    assert_eq!(found(&tier, "a").await, Some((1, b"after".to_vec())));
}

#[tokio::test]
async fn a_long_body_is_not_read_on_when_nobody_reads_it() {
    let server = RedisServer::on_socket(&[]);
    let tier = tier(&server).await;
    tier.put(&key("a"), entry(1, &noise(3_000_000)), None).await.unwrap();
    let link = Arc::clone(&tier.shared.link);
    // No room to keep it: it goes through a window.
    let options = small();
    let narrow: RedisTier<u32> =
        RedisTier::new(link, Arc::new(Numbers), Clock::system(), Budget::new(0), options);
    narrow.shared.bulk.connected().await;
    let entry = narrow.look_up(&key("a")).await.unwrap().unwrap();
    assert_eq!(body_of(&entry).await.unwrap(), noise(3_000_000));
    let left = narrow.look_up(&key("a")).await.unwrap().unwrap();
    drop(left.body().reader().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(5), left.body().ended()).await.unwrap();
    assert!(matches!(ended, crate::body::End::Broken(_)), "{ended:?}");
}

proptest! {
    #[test]
    fn no_value_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = taken_apart(&Bytes::from(bytes));
    }
}
