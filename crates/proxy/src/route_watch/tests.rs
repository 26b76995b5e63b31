//! The table against a Redis that changes, is silent, stalls and goes, on a virtual clock.

use std::path::PathBuf;

use forebay_cache::mechanism::{Clock, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::config::{DynamicSettings, Route, UpstreamSettings};
use crate::route::fake::{Fake, Mood};
use crate::route::{Grounds, RouteSource, RouteState, Source, Stored, Table, Upstreams, Way};
use crate::upstream::{Connect, Destinations, Network};

/// What takes longer than hearing of a change, and much less than an interval.
const MOMENT: Duration = Duration::from_millis(50);

fn settings() -> DynamicSettings {
    DynamicSettings::of(None, Route::everything_to(Vec::new(), 64 << 20))
}

fn routes_with(fake: &Arc<Fake>, settings: DynamicSettings) -> Arc<DynamicRoutes> {
    let upstreams = Upstreams::new(Arc::new(|settings: &UpstreamSettings| -> Arc<dyn Connect> {
        Arc::new(Network::new(settings.resolve_interval, Arc::new(Destinations::default())))
    }));
    let clock = Clock::virtual_from(Timestamp::from_millis(1_000));
    DynamicRoutes::new(settings, Arc::clone(fake) as Arc<dyn Source>, upstreams, clock)
}

/// Routes that are watched.
fn watched(fake: &Arc<Fake>) -> Arc<DynamicRoutes> {
    let routes = routes_with(fake, settings());
    tokio::spawn(watch(Arc::clone(&routes)));
    routes
}

/// The value in use for a host, as an exchange would find it.
async fn value(routes: &Arc<DynamicRoutes>, host: &str) -> Option<String> {
    let way = |grounds| routes.find(&Table::new(Vec::new()), host, "/", grounds);
    let found = match way(Grounds::Fresh) {
        Way::Unknown => match routes.learn(host).await {
            Ok(()) => way(Grounds::Fresh),
            Err(_) => way(Grounds::Last),
        },
        found @ (Way::Lane(_) | Way::None | Way::Wrong) => found,
    };
    match found {
        Way::Lane(lane) => Some(lane.member.as_ref().unwrap().to_string()),
        Way::None => None,
        Way::Wrong => Some("wrong".to_owned()),
        Way::Unknown => Some("unknown".to_owned()),
    }
}

async fn check(routes: &Arc<DynamicRoutes>, host: &str, expected: &str) {
    let expected = Some(expected).filter(|it| !it.is_empty()).map(str::to_owned);
    assert_eq!(value(routes, host).await, expected, "{host}");
}

#[tokio::test(start_paused = true)]
async fn a_change_a_deletion_and_a_new_key_are_heard_at_once() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.set("a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    check(&routes, "b.com", "").await;
    fake.set("a.com", "r:2");
    fake.set("b.com", "r:3");
    sleep(MOMENT).await;
    check(&routes, "a.com", "http://r:2").await;
    check(&routes, "b.com", "http://r:3").await;
    fake.put("a.com", None);
    sleep(MOMENT).await;
    check(&routes, "a.com", "").await;
}

#[tokio::test(start_paused = true)]
async fn a_known_host_is_not_asked_for_again() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.set("a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    fake.reads();
    for _ in 0..100 {
        check(&routes, "a.com", "http://r:1").await;
    }
    assert!(fake.reads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flush_is_a_doubt_and_everything_is_read_again_at_once() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.set("a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    fake.flush();
    sleep(MOMENT).await;
    check(&routes, "a.com", "").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_never_told_is_found_within_the_interval() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.set("a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    check(&routes, "b.com", "").await;
    fake.feel(Mood::Silent);
    fake.set("a.com", "r:2");
    fake.set("b.com", "r:2");
    sleep(routes.settings.reconcile + MOMENT).await;
    check(&routes, "a.com", "http://r:2").await;
    check(&routes, "b.com", "http://r:2").await;
}

#[tokio::test(start_paused = true)]
async fn while_one_server_of_a_cluster_is_dead_what_the_others_hold_is_kept_as_it_is_there() {
    let fake = Fake::new();
    let routes = watched(&fake);
    for host in ["a.com", "dead.com"] {
        fake.set(host, "r:1");
        check(&routes, host, "http://r:1").await;
    }
    fake.feel(Mood::Silent);
    fake.lose(Some("dead"));
    sleep(MOMENT).await;
    for host in ["a.com", "b.com", "dead.com"] {
        fake.set(host, "r:2");
    }
    check(&routes, "b.com", "http://r:2").await;
    fake.reads();
    sleep(routes.settings.reconcile + MOMENT).await;
    check(&routes, "a.com", "http://r:2").await;
    check(&routes, "dead.com", "http://r:1").await;
    // At the pace at which everything is read anyway.
    let reads = fake.reads().len();
    assert!(reads <= 3, "{reads}");
    fake.lose(None);
    sleep(MOMENT).await;
    check(&routes, "dead.com", "http://r:2").await;
}

#[tokio::test(start_paused = true)]
async fn while_redis_is_away_what_is_known_goes_on_and_then_is_made_right() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.set("a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    for mood in [Mood::Away, Mood::Stalled] {
        fake.feel(mood);
        fake.set("a.com", "r:2");
        sleep(Duration::from_secs(3600)).await;
        check(&routes, "a.com", "http://r:1").await;
        check(&routes, "new.com", "unknown").await;
        fake.feel(Mood::Well);
        sleep(RETRY_PAUSE + MOMENT + READ_LIMIT).await;
        check(&routes, "a.com", "http://r:2").await;
        fake.set("a.com", "r:1");
        sleep(MOMENT).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_value_keeps_the_last_good_route_and_is_shown() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.set("a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    fake.set("a.com", "nonsense");
    sleep(MOMENT).await;
    check(&routes, "a.com", "http://r:1").await;
    let lines = routes.snapshot(10);
    let line = lines.iter().find(|line| line.host == "a.com").unwrap();
    assert!(matches!(line.state, RouteState::LastGood { .. }), "{line:?}");
    fake.set("a.com", "r:2");
    sleep(MOMENT).await;
    check(&routes, "a.com", "http://r:2").await;
}

#[tokio::test(start_paused = true)]
async fn a_change_while_a_host_is_first_read_is_not_lost() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.set("a.com", "r:1");
    fake.delay(Duration::from_millis(20));
    let first = tokio::spawn({
        let routes = Arc::clone(&routes);
        async move { routes.learn("a.com").await }
    });
    sleep(Duration::from_millis(10)).await;
    fake.set("a.com", "r:2");
    first.await.unwrap().unwrap();
    sleep(MOMENT).await;
    check(&routes, "a.com", "http://r:2").await;
}

#[tokio::test(start_paused = true)]
async fn a_change_of_what_nobody_asked_for_is_not_read() {
    let fake = Fake::new();
    let _routes = watched(&fake);
    sleep(MOMENT).await;
    fake.reads();
    let keys = ["a.com", "A.com", "a:b", "session 7"].map(|key| vec![key.to_owned()]);
    for key in &keys {
        let _ = fake.read(&[key[0].clone().into_bytes()], MOMENT).await;
        fake.reads();
        fake.set(&key[0], "r:1");
    }
    sleep(MOMENT).await;
    assert!(fake.reads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pass_reads_in_batches_spread_over_the_interval() {
    let fake = Fake::new();
    let mut settings = settings();
    settings.lookups_per_second = 1_000_000;
    let routes = routes_with(&fake, settings);
    let hosts: Vec<String> = (0..BATCH_MAX * 5 / 2).map(|number| format!("h{number}")).collect();
    for host in &hosts {
        fake.set(host, "r:1");
        routes.learn(host).await.unwrap();
    }
    tokio::spawn(watch(Arc::clone(&routes)));
    sleep(MOMENT).await;
    fake.reads();
    let interval = routes.settings.reconcile;
    sleep(interval + MOMENT).await;
    assert_eq!(fake.reads().len(), 1, "the first of a pass, and then a pause");
    sleep(interval / 2).await;
    assert!(fake.reads().len() <= 2);
    sleep(interval * 2).await;
    let reads = fake.reads();
    assert!(reads.iter().all(|read| read.len() <= BATCH_MAX));
    let read: std::collections::HashSet<&String> = reads.iter().flatten().collect();
    assert!(hosts.iter().all(|host| read.contains(host)));
    assert!(routes.counts.reconciles.load(Relaxed) >= 2);
}

/// A file of this test's own, gone with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("forebay-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Place(folder)
    }

    fn settings(&self, prefix: &str) -> DynamicSettings {
        let (table, prefix) = (Some(self.0.join("routes")), prefix.to_owned());
        DynamicSettings { table, prefix, ..settings() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_without_redis_all_that_was_known_works() {
    let (fake, place) = (Fake::new(), Place::new("restart"));
    let routes = routes_with(&fake, place.settings(""));
    restore(&routes);
    fake.set("a.com", "r:1");
    fake.set("*.b.com", "r:2");
    check(&routes, "a.com", "http://r:1").await;
    check(&routes, "x.b.com", "http://r:2").await;
    check(&routes, "gone.com", "").await;
    close(&routes);
    fake.feel(Mood::Away);
    let again = routes_with(&fake, place.settings(""));
    restore(&again);
    tokio::spawn(watch(Arc::clone(&again)));
    sleep(MOMENT).await;
    check(&again, "a.com", "http://r:1").await;
    check(&again, "x.b.com", "http://r:2").await;
    check(&again, "gone.com", "").await;
    check(&again, "new.com", "unknown").await;
    let from = |host: &str| again.snapshot(9).into_iter().find(|it| it.host == host).unwrap().from;
    assert_eq!(from("a.com"), RouteSource::Disk);
    fake.feel(Mood::Well);
    fake.set("a.com", "r:9");
    sleep(RETRY_PAUSE + MOMENT).await;
    check(&again, "a.com", "http://r:9").await;
    assert!(again.ready(Duration::ZERO).await);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_damaged_or_anothers_is_ignored_and_counted() {
    let (fake, place) = (Fake::new(), Place::new("damaged"));
    let routes = routes_with(&fake, place.settings("r:"));
    fake.set("r:a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    close(&routes);
    let path = place.0.join("routes");
    let written = std::fs::read(&path).unwrap();
    let ignored = |bytes: &[u8], prefix: &str| {
        std::fs::write(&path, bytes).unwrap();
        let routes = routes_with(&fake, place.settings(prefix));
        restore(&routes);
        (routes.counts.tables_ignored.load(Relaxed), routes.known.keys())
    };
    let keys = routes.known.keys();
    assert_eq!(ignored(&written, "r:"), (0, keys));
    assert_eq!(ignored(&written, ""), (1, 0));
    assert_eq!(ignored(&written[..written.len() - 1], "r:"), (1, 0));
    assert_eq!(ignored(b"", "r:"), (1, 0));
    std::fs::remove_file(&path).unwrap();
    let fresh = routes_with(&fake, place.settings("r:"));
    restore(&fresh);
    assert_eq!(fresh.counts.tables_ignored.load(Relaxed), 0, "no table is no damage");
}

#[tokio::test]
async fn a_table_that_cannot_be_written_is_counted_and_harms_nobody() {
    let fake = Fake::new();
    let table = Some(PathBuf::from("/nonexistent/forebay/routes"));
    let routes = routes_with(&fake, DynamicSettings { table, ..settings() });
    fake.set("a.com", "r:1");
    check(&routes, "a.com", "http://r:1").await;
    close(&routes);
    assert_eq!(routes.counts.saves_failed.load(Relaxed), 1);
    check(&routes, "a.com", "http://r:1").await;
}

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Set(u8, u8),
    Delete(u8),
    Ask(u8),
    Flush,
    Doubt,
    Feel(Mood),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u8, 0..4_u8).prop_map(|(host, value)| Step::Set(host, value)),
        2 => (0..6_u8).prop_map(Step::Delete),
        4 => (0..6_u8).prop_map(Step::Ask),
        1 => Just(Step::Flush),
        1 => Just(Step::Doubt),
        2 => prop_oneof![Just(Mood::Well), Just(Mood::Silent), Just(Mood::Stalled), Just(Mood::Away)]
            .prop_map(Step::Feel),
        3 => (0..7_000_u64).prop_map(Step::Wait),
    ]
}

/// A value: one that is wrong, or a member.
fn written(value: u8) -> String {
    if value == 0 { "nonsense".to_owned() } else { format!("r:{value}") }
}

async fn live(steps: &[Step]) {
    let fake = Fake::new();
    let routes = watched(&fake);
    let mut now = std::collections::HashMap::new();
    let host = |number: &u8| format!("h{number}.com");
    for step in steps {
        match step {
            Step::Set(number, value) => {
                fake.set(&host(number), &written(*value));
                now.insert(*number, *value);
            }
            Step::Delete(number) => {
                fake.put(&host(number), None);
                now.remove(number);
            }
            Step::Ask(number) => {
                let _ = value(&routes, &host(number)).await;
            }
            Step::Flush => {
                fake.flush();
                now.clear();
            }
            Step::Doubt => fake.doubt(),
            Step::Feel(mood) => fake.feel(*mood),
            Step::Wait(millis) => sleep(Duration::from_millis(*millis)).await,
        }
    }
    fake.feel(Mood::Well);
    sleep(READ_LIMIT + routes.settings.reconcile * 2).await;
    for number in 0..6 {
        let found = value(&routes, &host(&number)).await;
        match now.get(&number) {
            None => assert_eq!(found, None, "h{number}"),
            // The last good one, or none where there never was one.
            Some(0) => assert_ne!(found, None, "h{number}"),
            Some(value) => assert_eq!(found, Some(format!("http://r:{value}")), "h{number}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn after_quiet_the_table_is_what_redis_holds(steps in prop::collection::vec(step(), 0..60)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(live(&steps));
    }
}

#[tokio::test(start_paused = true)]
async fn another_type_and_a_list_are_wrong_values() {
    let fake = Fake::new();
    let routes = watched(&fake);
    fake.put("a.com", Some(Stored::Other));
    fake.put("b.com", Some(Stored::List(vec![b"x".to_vec(), b"http://r:1".to_vec()])));
    check(&routes, "a.com", "wrong").await;
    check(&routes, "b.com", "wrong").await;
}
