//! The table: what is in use after which reads.

use super::*;
use crate::config::{Route, Switch, UpstreamSettings};
use crate::route::{Connects, RouteState};
use crate::upstream::{Connect, Destinations, Network};

const ABSENT: Duration = Duration::from_secs(10);

fn connects() -> Arc<Connects> {
    Arc::new(|settings: &UpstreamSettings| -> Arc<dyn Connect> {
        Arc::new(Network::new(settings.resolve_interval, Arc::new(Destinations::default())))
    })
}

fn table(known_max: usize) -> KnownRoutes {
    let defaults = Arc::new(Route::everything_to(Vec::new(), 64 << 20));
    let reading = Reading { defaults, hipache: Switch::Off };
    let reading = ArcSwap::from_pointee(reading);
    let options = KnownOptions { known_max, absent: ABSENT, prefix: "r:".to_owned(), reading };
    let clock = Clock::virtual_from(forebay_cache::mechanism::Timestamp::from_millis(1_000));
    KnownRoutes::new(options, Upstreams::new(connects()), clock)
}

fn text(value: &str) -> Stored {
    Stored::Text(value.into())
}

/// What a read that begins now brings.
fn read(table: &KnownRoutes, name: &str, value: Option<&str>) -> Applied {
    table.apply(name, table.begin(), value.map(text).as_ref())
}

/// Where a name leads: to a member, nowhere, or not known.
fn leads(table: &KnownRoutes, name: &str) -> String {
    match table.at(name, "/", Grounds::Fresh) {
        At::Lane(lane) => lane.member.as_ref().unwrap().to_string(),
        At::Nothing | At::Absent => "nothing".to_owned(),
        At::Wrong => "wrong".to_owned(),
        At::Unknown => "unknown".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_is_used_until_another_or_none_is_read() {
    let table = table(10);
    assert_eq!(leads(&table, "a"), "unknown");
    assert_eq!(read(&table, "a", Some("h:1")), Applied::Changed);
    assert_eq!(leads(&table, "a"), "http://h:1");
    assert_eq!(read(&table, "a", Some("h:1")), Applied::Same);
    assert_eq!(read(&table, "a", Some("h:2")), Applied::Changed);
    assert_eq!(leads(&table, "a"), "http://h:2");
    assert_eq!(read(&table, "a", None), Applied::Changed);
    assert_eq!(leads(&table, "a"), "nothing");
    assert_eq!((table.tally.known.load(Relaxed), table.tally.absent.load(Relaxed)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_never_wins_over_what_was_read_after() {
    let table = table(10);
    let (older, younger) = (table.begin(), table.begin());
    assert_eq!(table.apply("a", younger, Some(&text("h:2"))), Applied::Changed);
    assert_eq!(table.apply("a", older, Some(&text("h:1"))), Applied::Older);
    assert_eq!(table.apply("a", older, None), Applied::Older);
    assert_eq!(leads(&table, "a"), "http://h:2");
    let (older, younger) = (table.begin(), table.begin());
    assert_eq!(table.apply("a", younger, None), Applied::Changed);
    assert_eq!(table.apply("a", older, Some(&text("h:1"))), Applied::Older);
    assert_eq!(leads(&table, "a"), "nothing");
    let (older, younger) = (table.begin(), table.begin());
    assert_eq!(table.apply("a", younger, Some(&text("what"))), Applied::Wrong);
    assert_eq!(table.apply("a", older, Some(&text("h:1"))), Applied::Older);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_doubt_is_worth_nothing() {
    let table = table(10);
    let before = table.begin();
    table.doubt();
    assert_eq!(table.apply("a", before, Some(&text("h:1"))), Applied::Doubted);
    assert_eq!(leads(&table, "a"), "unknown");
    assert_eq!(read(&table, "a", Some("h:1")), Applied::Changed);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_value_keeps_the_last_good_one_and_is_counted_once() {
    let table = table(10);
    read(&table, "a", Some("h:1"));
    let wrong = || (table.tally.wrong.load(Relaxed), table.tally.wrong_now.load(Relaxed));
    for _ in 0..3 {
        assert_eq!(read(&table, "a", Some("what")), Applied::Wrong);
        assert_eq!(wrong(), (1, 1));
    }
    assert_eq!(leads(&table, "a"), "http://h:1");
    let line = table.line("a").unwrap();
    assert_eq!((line.key.as_str(), line.host.as_str(), line.value.as_str()), ("r:a", "a", "h:1"));
    let RouteState::LastGood { why } = line.state else { panic!("{line:?}") };
    assert!(why.starts_with("the port is missing; write host:port"), "{why}");
    read(&table, "a", Some("what else"));
    assert_eq!(wrong(), (2, 1));
    assert_eq!(read(&table, "a", Some("h:1")), Applied::Changed);
    assert_eq!(table.line("a").unwrap().state, RouteState::Good);
    assert_eq!(wrong(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_first_value_that_is_wrong_is_no_route_and_no_absence() {
    let table = table(10);
    assert_eq!(read(&table, "a", Some("what")), Applied::Wrong);
    assert_eq!(leads(&table, "a"), "wrong");
    assert!(matches!(table.line("a").unwrap().state, RouteState::Wrong { .. }));
    read(&table, "a", None);
    assert_eq!(table.tally.wrong_now.load(Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn an_absence_lasts_as_long_as_somebody_asks_for_it() {
    let table = table(10);
    read(&table, "a", None);
    for _ in 0..5 {
        tokio::time::advance(ABSENT * 3 / 4).await;
        assert_eq!(leads(&table, "a"), "nothing");
    }
    tokio::time::advance(ABSENT).await;
    assert_eq!(leads(&table, "a"), "unknown");
    assert!(matches!(table.at("a", "/", Grounds::Last), At::Nothing));
    assert!(table.names(0).is_empty() && (0..SHARDS).all(|part| table.names(part).is_empty()));
}

#[tokio::test(start_paused = true)]
async fn many_absent_hosts_forget_each_other_and_no_route() {
    let table = table(100);
    read(&table, "shop.example.com", Some("h:1"));
    read(&table, ".example.com", None);
    for number in 0..ABSENT_MAX * 2 {
        tokio::time::advance(Duration::from_micros(100)).await;
        read(&table, &format!("{number}.example.com"), None);
        assert_eq!(leads(&table, ".example.com"), "nothing", "what is asked for stays");
    }
    assert!(table.tally.absent.load(Relaxed) <= ABSENT_MAX);
    assert!(table.queue.lock().len() <= ABSENT_MAX);
    let found: usize = table.shards.iter().map(|shard| shard.read().len()).sum();
    assert_eq!(found, table.tally.absent.load(Relaxed) + 1);
    assert_eq!(leads(&table, "shop.example.com"), "http://h:1");
    assert_eq!(leads(&table, "0.example.com"), "unknown");
}

#[tokio::test(start_paused = true)]
async fn one_key_that_comes_and_goes_takes_no_more_room_each_time() {
    let table = table(10);
    for _ in 0..ABSENT_MAX * 2 {
        read(&table, "a", Some("h:1"));
        read(&table, "a", None);
    }
    assert!(table.queue.lock().len() <= ABSENT_MAX);
    assert_eq!((table.tally.known.load(Relaxed), table.tally.absent.load(Relaxed)), (0, 1));
    assert_eq!(leads(&table, "a"), "nothing");
}

#[tokio::test(start_paused = true)]
async fn beyond_its_bound_the_table_takes_no_new_key_and_changes_the_known() {
    let table = table(2);
    read(&table, "a", Some("h:1"));
    read(&table, "b", Some("h:1"));
    assert_eq!(read(&table, "c", Some("h:1")), Applied::Full);
    assert_eq!(leads(&table, "c"), "unknown");
    assert_eq!(table.tally.full.load(Relaxed), 1);
    assert_eq!(read(&table, "a", Some("h:2")), Applied::Changed);
    read(&table, "b", None);
    assert_eq!(read(&table, "c", Some("h:1")), Applied::Changed);
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_held_is_used_and_redis_has_the_last_word() {
    let table = table(10);
    for (name, value) in [("a", Some("h:1")), ("b", Some("h:1")), ("c", None), (".d", Some("what"))]
    {
        table.restore(name, value.map(text).as_ref());
    }
    assert_eq!(leads(&table, "a"), "http://h:1");
    assert_eq!(table.line("a").unwrap().from, RouteSource::Disk);
    assert_eq!(leads(&table, "c"), "unknown", "Redis is asked");
    assert!(matches!(table.at("c", "/", Grounds::Last), At::Nothing));
    read(&table, "a", Some("h:1"));
    assert_eq!(table.line("a").unwrap().from, RouteSource::Redis);
    read(&table, "b", None);
    assert_eq!(leads(&table, "b"), "nothing");
    table.restore("a", Some(&text("h:9")));
    table.restore("b", Some(&text("h:9")));
    assert_eq!(
        (leads(&table, "a").as_str(), leads(&table, "b").as_str()),
        ("http://h:1", "nothing")
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_what_is_in_use() {
    let table = table(10);
    read(&table, "a", Some("h:1"));
    read(&table, "a", Some("what"));
    read(&table, "b", Some("what"));
    read(&table, "c", None);
    let mut kept: Vec<_> = (0..table.parts()).flat_map(|part| table.kept(part)).collect();
    kept.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(kept, [("a".into(), Some(text("h:1"))), ("c".into(), None)]);
}

#[tokio::test(start_paused = true)]
async fn lines_are_in_the_order_of_the_hosts() {
    let table = table(10);
    for name in ["b.com", ".", "a.com", ".b.com", ".a.com"] {
        read(&table, name, Some("h:1"));
    }
    let hosts = |limit| table.lines(limit).into_iter().map(|line| line.host).collect::<Vec<_>>();
    assert_eq!(hosts(9), ["*", "a.com", "*.a.com", "b.com", "*.b.com"]);
    assert_eq!(hosts(2), ["*", "a.com"]);
}

#[tokio::test(start_paused = true)]
async fn the_longest_path_of_a_host_counts_and_another_change_keeps_its_connections() {
    let table = table(10);
    let value = |stale: &str| {
        format!(r#"[{{"to": "h:1", "stale": "{stale}"}}, {{"path": "/api/", "to": "h:2"}}]"#)
    };
    read(&table, "a", Some(&value("1s")));
    let lane = |path: &str| match table.at("a", path, Grounds::Fresh) {
        At::Lane(lane) => lane,
        At::Nothing | At::Absent | At::Wrong | At::Unknown => panic!("{path}"),
    };
    assert_eq!(&*lane("/api/x").name, "a/api/");
    assert_eq!(&*lane("/apiary").name, "a/");
    let before = Arc::clone(lane("/").upstream().unwrap());
    read(&table, "a", Some(&value("2s")));
    assert_eq!(lane("/").route.policy.stale_if_error, Duration::from_secs(2));
    assert!(Arc::ptr_eq(&before, lane("/").upstream().unwrap()));
    read(&table, "b", Some(r#"{"path": "/only/", "to": "h:1"}"#));
    assert!(matches!(table.at("b", "/other", Grounds::Fresh), At::Nothing));
}

/// The memory that this process has in use, as the system sees it.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(start_paused = true)]
async fn a_plain_route_takes_little_memory() {
    const ROUTES: usize = 100_000;
    let table = table(ROUTES);
    let before = resident_bytes();
    for number in 0..ROUTES {
        let member = format!("10.{}.{}.{}:3000", number >> 16, number >> 8 & 255, number & 255);
        assert_eq!(
            read(&table, &format!("shop-{number}.example.com"), Some(&member)),
            Applied::Changed
        );
    }
    let bytes = resident_bytes().saturating_sub(before) / ROUTES;
    println!("{bytes} bytes a plain route, of {ROUTES}");
    assert!(bytes < 1024, "{bytes} bytes a route");
    assert!(matches!(table.at("shop-7.example.com", "/", Grounds::Fresh), At::Lane(_)));
}

#[tokio::test(start_paused = true)]
async fn other_defaults_are_those_of_what_is_known_already() {
    let table = table(10);
    read(&table, "a", Some("h:1"));
    read(&table, "b", Some("{\"to\": \"h:2\"}"));
    read(&table, "c", Some("h:3"));
    read(&table, "c", Some("nonsense"));
    read(&table, "d", None);
    let lane = |name: &str| match table.at(name, "/", Grounds::Fresh) {
        At::Lane(lane) => lane,
        At::Nothing | At::Wrong | At::Unknown => panic!("{name} leads nowhere"),
    };
    let before = ["a", "b", "c"].map(lane);
    let mut defaults = Route::everything_to(Vec::new(), 64 << 20);
    defaults.variants_max = 7;
    table.read_as(Reading { defaults: Arc::new(defaults), hipache: Switch::Off });
    for (name, before) in ["a", "b", "c"].into_iter().zip(before) {
        assert_eq!((before.route.variants_max, lane(name).route.variants_max), (64, 7), "{name}");
    }
    assert_eq!(leads(&table, "a"), "http://h:1");
    assert_eq!(leads(&table, "d"), "nothing");
    assert_eq!(read(&table, "a", Some("h:1")), Applied::Same);
}
