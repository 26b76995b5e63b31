//! Which route goes first, and how unknown hosts are asked for.

use super::*;
use crate::config::{Route, UpstreamSettings};
use crate::route::fake::{Fake, Mood};
use crate::upstream::{Connect, Destinations, Network};

fn upstreams() -> Arc<Upstreams> {
    Upstreams::new(Arc::new(|settings: &UpstreamSettings| -> Arc<dyn Connect> {
        Arc::new(Network::new(settings.resolve_interval, Arc::new(Destinations::default())))
    }))
}

fn routes(fake: &Arc<Fake>) -> Arc<DynamicRoutes> {
    let defaults = Route::everything_to(Vec::new(), 64 << 20);
    let settings = DynamicSettings::of(None, defaults);
    let clock = Clock::virtual_from(forebay_cache::mechanism::Timestamp::from_millis(1_000));
    DynamicRoutes::new(settings, Arc::clone(fake) as Arc<dyn Source>, upstreams(), clock)
}

/// A file's table, each route named `file:` and its host.
fn file(hosts: &[&str]) -> Table<Lane> {
    let upstreams = upstreams();
    let lane = |host: &&str| {
        let (host, path) = host.split_once('/').unwrap_or((host, ""));
        let mut route = Route::everything_to(vec![text::member("f:1").unwrap()], 64 << 20);
        route.host = text::host(host).unwrap();
        route.path_prefix = format!("/{path}");
        route.name = format!("file:{host}");
        Lane::ready(&route, &upstreams).unwrap()
    };
    Table::new(hosts.iter().map(lane).collect())
}

fn found(routes: &DynamicRoutes, file: &Table<Lane>, host: &str, grounds: Grounds) -> String {
    match routes.find(file, host, "/", grounds) {
        Way::Lane(lane) => lane.name.to_string(),
        Way::None => "none".to_owned(),
        Way::Wrong => "wrong".to_owned(),
        Way::Unknown => "unknown".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_order_is_exact_file_exact_redis_longest_wildcard_and_the_rest() {
    let all_in_file = ["x.b.com", "*.b.com", "*.com", "*"];
    let all_in_redis = ["x.b.com", "*.b.com", "*.com", "*"];
    let order = [
        ("file", "x.b.com"),
        ("redis", "x.b.com"),
        ("file", "*.b.com"),
        ("redis", "*.b.com"),
        ("file", "*.com"),
        ("redis", "*.com"),
        ("file", "*"),
        ("redis", "*"),
    ];
    for gone in 0..=order.len() {
        let left = |place: &str, host: &str| order[gone..].contains(&(place, host));
        let fake = Fake::new();
        for host in all_in_redis.iter().filter(|host| left("redis", host)) {
            fake.set(host, "r:1");
        }
        let in_file: Vec<&str> =
            all_in_file.into_iter().filter(|host| left("file", host)).collect();
        let (routes, file) = (routes(&fake), file(&in_file));
        routes.learn("x.b.com").await.unwrap();
        let expected = match order.get(gone) {
            Some(("file", host)) => format!("file:{host}"),
            Some((_, host)) => format!("{host}/"),
            None => "none".to_owned(),
        };
        assert_eq!(found(&routes, &file, "x.b.com", Grounds::Fresh), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_path_of_a_host_fits_the_next_is_asked() {
    let fake = Fake::new();
    fake.set("a.com", r#"{"path": "/api/", "to": "r:1"}"#);
    let routes = routes(&fake);
    routes.learn("a.com").await.unwrap();
    let name =
        |file: &Table<Lane>, path: &str| match routes.find(file, "a.com", path, Grounds::Fresh) {
            Way::Lane(lane) => lane.name.to_string(),
            Way::None | Way::Wrong | Way::Unknown => "none".to_owned(),
        };
    assert_eq!(name(&file(&["*.com"]), "/api/x"), "a.com/api/");
    assert_eq!(name(&file(&["*.com"]), "/x"), "file:*.com");
    assert_eq!(name(&file(&["a.com/img/"]), "/img/x"), "file:a.com");
    assert_eq!(name(&file(&["a.com/img/"]), "/api/x"), "a.com/api/");
    assert_eq!(name(&file(&[]), "/x"), "none");
}

/// What is kept of a look must never outlive what it was kept of.
#[tokio::test(start_paused = true)]
async fn a_host_without_a_route_gets_one_as_soon_as_any_of_its_names_has_one() {
    for name in ["x.b.com", ".b.com", ".com"] {
        let (fake, table) = (Fake::new(), file(&["*"]));
        let routes = routes(&fake);
        routes.learn("x.b.com").await.unwrap();
        for _ in 0..2 {
            assert_eq!(found(&routes, &table, "x.b.com", Grounds::Fresh), "file:*");
        }
        assert!(routes.known.is_bare("x.b.com"));
        let value = Stored::Text("r:1".into());
        assert_eq!(routes.known.apply(name, routes.known.begin(), Some(&value)), Applied::Changed);
        let now = found(&routes, &table, "x.b.com", Grounds::Fresh);
        assert_eq!(now, format!("{}/", name::pattern(name)));
        assert_eq!(routes.known.apply(name, routes.known.begin(), None), Applied::Changed);
        routes.known.want(name);
        assert_eq!(found(&routes, &table, "x.b.com", Grounds::Fresh), "file:*");
    }
}

#[tokio::test(start_paused = true)]
async fn wildcards_of_a_host_that_is_asked_for_again_and_again_stay_known() {
    let (fake, table) = (Fake::new(), file(&["*"]));
    let routes = routes(&fake);
    routes.learn("x.b.com").await.unwrap();
    for _ in 0..100 {
        assert_eq!(found(&routes, &table, "x.b.com", Grounds::Fresh), "file:*");
        tokio::time::advance(routes.settings.absent / 20).await;
    }
    tokio::time::advance(routes.settings.absent).await;
    assert!(!routes.known.is_bare("x.b.com"));
    assert_eq!(found(&routes, &table, "x.b.com", Grounds::Fresh), "unknown");
    assert_eq!(found(&routes, &table, "x.b.com", Grounds::Last), "file:*");
    assert!(!routes.known.is_bare("x.b.com"), "nobody listens for it any more");
}

#[tokio::test(start_paused = true)]
async fn only_the_exact_host_in_the_file_needs_no_redis() {
    let (fake, table) = (Fake::new(), file(&["a.com", "*.b.com", "*"]));
    let routes = routes(&fake);
    assert_eq!(found(&routes, &table, "a.com", Grounds::Fresh), "file:a.com");
    assert_eq!(found(&routes, &table, "x.b.com", Grounds::Fresh), "unknown");
    assert_eq!(found(&routes, &table, "c.com", Grounds::Fresh), "unknown");
    assert_eq!(found(&routes, &table, "c.com", Grounds::Last), "unknown", "not the default");
    assert_eq!(found(&routes, &table, ".c.com", Grounds::Fresh), "file:*", "no name of Redis");
    assert!(fake.reads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn all_who_want_a_host_wait_for_one_round_trip() {
    let fake = Fake::new();
    fake.set("*.example.com", "r:1");
    let routes = routes(&fake);
    let asks = (0..100).map(|_| routes.learn("a.example.com"));
    for learned in futures_util::future::join_all(asks).await {
        learned.unwrap();
    }
    assert_eq!(fake.reads(), [["a.example.com", "*.example.com", "*.com", "*"].map(str::to_owned)]);
    routes.learn("b.example.com").await.unwrap();
    assert_eq!(fake.reads(), [["b.example.com".to_owned()]], "the others are known");
    assert_eq!(found(&routes, &file(&[]), "b.example.com", Grounds::Fresh), "*.example.com/");
}

#[tokio::test(start_paused = true)]
async fn who_asked_may_leave_and_the_others_are_told_all_the_same() {
    let fake = Fake::new();
    fake.set("a.com", "r:1");
    let routes = routes(&fake);
    let first = tokio::spawn({
        let routes = Arc::clone(&routes);
        async move { routes.learn("a.com").await }
    });
    tokio::task::yield_now().await;
    first.abort();
    routes.learn("a.com").await.unwrap();
    assert_eq!(fake.reads().len(), 1);
    assert_eq!(found(&routes, &file(&[]), "a.com", Grounds::Fresh), "a.com/");
    assert!(routes.flights.lock().is_empty() && routes.asked.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_hosts_asks_redis_no_more_than_the_rate() {
    let fake = Fake::new();
    let routes = routes(&fake);
    let mut limited = 0;
    for number in 0..1000 {
        match routes.learn(&format!("{number}.example.com")).await {
            Ok(()) => {}
            Err(why) => {
                assert_eq!(why, NotLearned::Limited);
                limited += 1;
            }
        }
    }
    let reads = fake.reads().len();
    // The flood itself takes a moment of the virtual clock, a millisecond a look-up.
    assert!((200..=300).contains(&reads), "{reads}");
    assert_eq!((reads + limited, routes.counts.limited.load(Relaxed)), (1000, limited as u64));
    assert_eq!(found(&routes, &file(&["*"]), "999.example.com", Grounds::Last), "unknown");
}

#[tokio::test(start_paused = true)]
async fn where_redis_does_not_say_an_unknown_host_has_no_route() {
    let fake = Fake::new();
    let routes = routes(&fake);
    let began = Instant::now();
    fake.feel(Mood::Stalled);
    assert_eq!(routes.learn("a.com").await, Err(NotLearned::Away));
    assert_eq!(began.elapsed(), routes.settings.timeout);
    fake.feel(Mood::Away);
    assert_eq!(routes.learn("a.com").await, Err(NotLearned::Away));
    assert_eq!(began.elapsed(), routes.settings.timeout, "at once");
    fake.feel(Mood::Well);
    assert_eq!(routes.learn("a.com").await, Ok(()));
    assert_eq!(found(&routes, &file(&[]), "a.com", Grounds::Fresh), "none");
}

#[tokio::test(start_paused = true)]
async fn a_host_below_a_known_wildcard_goes_on_while_redis_is_away() {
    let fake = Fake::new();
    fake.set("*.example.com", "r:1");
    let routes = routes(&fake);
    routes.learn("a.example.com").await.unwrap();
    fake.feel(Mood::Away);
    tokio::time::advance(Duration::from_secs(3600)).await;
    let table = file(&["*"]);
    assert_eq!(found(&routes, &table, "a.example.com", Grounds::Fresh), "unknown");
    assert_eq!(routes.learn("a.example.com").await, Err(NotLearned::Away));
    assert_eq!(found(&routes, &table, "a.example.com", Grounds::Last), "*.example.com/");
    assert_eq!(found(&routes, &table, "b.example.com", Grounds::Last), "unknown");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_a_doubt_overtakes_is_made_once_more() {
    let fake = Fake::new();
    fake.set("a.com", "r:1");
    fake.delay(Duration::from_millis(10));
    let routes = routes(&fake);
    let learned = tokio::spawn({
        let routes = Arc::clone(&routes);
        async move { routes.learn("a.com").await }
    });
    tokio::time::sleep(Duration::from_millis(5)).await;
    routes.known.doubt();
    learned.await.unwrap().unwrap();
    assert_eq!(fake.reads().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_host_without_room_is_said_to_have_none() {
    let fake = Fake::new();
    let defaults = Route::everything_to(Vec::new(), 64 << 20);
    let settings = DynamicSettings { known_max: 1, ..DynamicSettings::of(None, defaults) };
    let source = Arc::clone(&fake) as Arc<dyn Source>;
    let clock = Clock::virtual_from(forebay_cache::mechanism::Timestamp::from_millis(1_000));
    let routes = DynamicRoutes::new(settings, source, upstreams(), clock);
    fake.set("a", "r:1");
    fake.set("b", "r:1");
    routes.learn("a").await.unwrap();
    assert_eq!(routes.learn("b").await, Err(NotLearned::Full));
    assert_eq!(found(&routes, &file(&["*"]), "b", Grounds::Last), "unknown");
}

#[tokio::test(start_paused = true)]
async fn an_operator_can_check_a_value_and_have_a_key_read_now() {
    let fake = Fake::new();
    let routes = routes(&fake);
    assert_eq!(routes.check("*.a.com", b"r:1"), Ok(()));
    assert!(routes.check("a.com", b"r").unwrap_err().starts_with("the port is missing"));
    let refused = routes.check("a.com:80", b"r:1").unwrap_err();
    assert!(refused.starts_with("no route is for `a.com:80`: hosts are compared"), "{refused}");
    fake.set("a.com", "r:1");
    let line = routes.reread("A.com.").await.unwrap();
    assert_eq!((line.host.as_str(), line.value.as_str()), ("a.com", "r:1"));
    assert_eq!(routes.snapshot(10), [line]);
    fake.feel(Mood::Away);
    let refused = routes.reread("a.com").await.unwrap_err();
    assert_eq!(refused, "cannot read the route of `a.com`: cannot ask redis: not connected");
    assert_eq!(routes.key("*"), Ok(b"*".to_vec()));
}
