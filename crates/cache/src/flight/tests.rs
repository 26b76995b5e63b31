use super::*;
use crate::body::Body;
use crate::clock::{Clock, Timestamp};
use crate::log::Purges;
use crate::stats::Stats;

type Table = Arc<Flights<u8, &'static str>>;

const BOUNDS: Bounds =
    Bounds { flights_max: 100, followers_max: 2_000, declined_max: 64, resting_max: 64 };
const LONG: Duration = Duration::from_secs(3_600);

fn table_of(bounds: Bounds) -> Table {
    let clock = Clock::virtual_from(Timestamp::from_millis(1_000));
    Flights::new(bounds, clock, Arc::new(Stats::default()), Purges::default())
}

fn key(name: &str) -> Key {
    Key::from(name.as_bytes())
}

fn entry(head: u8) -> Arc<Entry<u8>> {
    Arc::new(Entry::new(head, Body::empty(), Timestamp::FAR))
}

fn lead(table: &Table, name: &str) -> Flight<u8, &'static str> {
    match table.join(&key(name), None) {
        Entrance::Lead(flight) => flight,
        _ => panic!("cannot lead {name}: somebody does, or it is not shareable"),
    }
}

fn follow(table: &Table, name: &str) -> Follower<u8, &'static str> {
    match table.join(&key(name), None) {
        Entrance::Follow(follower) => follower,
        _ => panic!("cannot follow {name}: nobody leads it, or it has ended"),
    }
}

fn told(ending: &Ending<u8, &'static str>) -> String {
    match ending {
        Ending::Filled(entry) => format!("filled {}", entry.head()),
        Ending::Declined => "declined".into(),
        Ending::Abandoned(failure) => format!("abandoned {failure}"),
        Ending::TimedOut => "timed out".into(),
        Ending::Lead(_) => "lead".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_followers_are_told_each_ending_by_one_leader() {
    type End = fn(Flight<u8, &'static str>);
    let endings: [(End, &str); 4] = [
        (|flight| drop(flight.fill(entry(7))), "filled 7"),
        (|flight| flight.decline(LONG), "declined"),
        (|flight| flight.abandon("refused"), "abandoned refused"),
        (|flight| flight.rest("refused", LONG), "abandoned refused"),
    ];
    for (end, expected) in endings {
        let table = table_of(BOUNDS);
        let leader = lead(&table, "a");
        let followers: Vec<_> =
            (0..1_000).map(|_| tokio::spawn(follow(&table, "a").wait(LONG))).collect();
        tokio::task::yield_now().await;
        end(leader);
        for follower in followers {
            assert_eq!(told(&follower.await.unwrap()), expected);
        }
        assert_eq!(table.open(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_without_an_ending_hands_over_to_exactly_one() {
    let table = table_of(BOUNDS);
    let leader = lead(&table, "a");
    let mut followers: Vec<_> = (0..50).map(|_| Box::pin(follow(&table, "a").wait(LONG))).collect();
    for follower in &mut followers {
        assert!(futures_poll(follower.as_mut()).is_pending());
    }
    drop(leader);
    let mut leaders = Vec::new();
    for follower in &mut followers {
        if let Poll::Ready(Ending::Lead(flight)) = futures_poll(follower.as_mut()) {
            leaders.push(flight);
        }
    }
    assert_eq!(leaders.len(), 1);
    assert_eq!(table.open(), 1);
    drop(follow(&table, "a"));
    leaders.pop().unwrap().abandon("late");
    assert_eq!(table.open(), 0);
}

fn futures_poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn a_follower_given_the_lead_and_dropped_passes_it_on() {
    let table = table_of(BOUNDS);
    let leader = lead(&table, "a");
    let (first, second) = (follow(&table, "a"), follow(&table, "a"));
    drop(leader);
    drop(first);
    assert_eq!(told(&second.wait(LONG).await), "lead");
    assert_eq!(table.open(), 0, "and that one dropped it in turn");
}

#[tokio::test(start_paused = true)]
async fn a_follower_who_waited_long_enough_goes_and_the_flight_goes_on() {
    let table = table_of(BOUNDS);
    let leader = lead(&table, "a");
    let patient = tokio::spawn(follow(&table, "a").wait(LONG));
    assert_eq!(told(&follow(&table, "a").wait(Duration::from_secs(1)).await), "timed out");
    assert_eq!(table.stats().timed_out.now(), 1);
    drop(leader.fill(entry(1)));
    assert_eq!(told(&patient.await.unwrap()), "filled 1");
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_filled_flight_reads_its_arriving_body_while_the_begin_is_there() {
    let table = table_of(BOUNDS);
    let limits =
        crate::body::Limits { kept_bytes_max: 2, tapped_bytes_max: u64::MAX, window_bytes_max: 9 };
    let (mut writer, body) = Body::arriving(limits, &crate::budget::Budget::new(9_999), None);
    let mut reader = body.reader().unwrap();
    let arriving = Arc::new(Entry::new(5, body, Timestamp::FAR));
    let landing = lead(&table, "a").fill(arriving);
    writer.push(bytes::Bytes::from_static(b"ab")).unwrap();
    assert!(matches!(table.join(&key("a"), None), Entrance::Filled(_)));
    writer.push(bytes::Bytes::from_static(b"cd")).unwrap();
    while tokio::time::timeout(Duration::from_secs(1), writer.room()).await.is_err() {
        reader.next().await.unwrap().unwrap();
    }
    assert!(matches!(table.join(&key("a"), None), Entrance::Unshared));
    drop(landing);
    lead(&table, "a").abandon("enough");
}

#[tokio::test(start_paused = true)]
async fn a_declined_key_queues_nobody_until_it_is_forgotten() {
    let table = table_of(BOUNDS);
    lead(&table, "a").decline(Duration::from_secs(10));
    assert!(matches!(table.join(&key("a"), None), Entrance::Unshared));
    assert!(matches!(table.join(&key("b"), None), Entrance::Lead(_)));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(matches!(table.join(&key("a"), None), Entrance::Lead(_)));
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_refresh_the_next_waits_for_the_pause() {
    let table = table_of(BOUNDS);
    let RefreshEntrance::Lead(flight) = table.refresh(&key("a")) else { panic!("not led") };
    assert!(matches!(table.refresh(&key("a")), RefreshEntrance::Underway));
    flight.rest("refused", Duration::from_secs(30));
    let until = Timestamp::from_millis(31_000);
    assert!(matches!(table.refresh(&key("a")), RefreshEntrance::Resting(it) if it == until));
    assert!(matches!(table.join(&key("a"), None), Entrance::Lead(_)), "a miss does not rest");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(matches!(table.refresh(&key("a")), RefreshEntrance::Lead(_)));
}

#[tokio::test(start_paused = true)]
async fn a_fill_ends_the_pause() {
    let table = table_of(BOUNDS);
    lead(&table, "a").rest("refused", LONG);
    drop(lead(&table, "a").fill(entry(1)));
    assert_eq!(table.resting(b"a"), None);
}

#[tokio::test(start_paused = true)]
async fn over_the_bounds_each_goes_for_himself() {
    let table = table_of(Bounds { flights_max: 1, followers_max: 1, ..BOUNDS });
    let leader = lead(&table, "a");
    assert!(matches!(table.join(&key("b"), None), Entrance::Unshared));
    let _follower = follow(&table, "a");
    assert!(matches!(table.join(&key("a"), None), Entrance::Unshared));
    leader.abandon("enough");
    lead(&table, "b").abandon("enough");
}

#[tokio::test(start_paused = true)]
async fn a_spoiled_flight_tells_its_followers_but_nobody_joins_it() {
    let table = table_of(BOUNDS);
    let old = lead(&table, "a");
    let follower = follow(&table, "a");
    table.spoil(b"a");
    let new = lead(&table, "a");
    assert!(old.fill(entry(1)).is_spoiled());
    assert_eq!(told(&follower.wait(LONG).await), "filled 1");
    assert_eq!(table.open(), 1, "the new flight is not closed by the old one's end");
    assert!(!new.fill(entry(2)).is_spoiled());
    assert_eq!(table.open(), 0);
}
