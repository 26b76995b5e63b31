use proptest::prelude::*;

use super::*;
use crate::case::{NOW, after, asked, fields, stored, stored_with};
use crate::fields::FieldBlock;
use crate::policy::ClientDirectives;
use crate::reuse::{Failing, Reuse, reuse, stale_on_failure};
use crate::standing::Standing;

const MINUTE: u64 = 60_000;

/// The stored fields that a test wrote, without the date.
fn kept(stored: &Stored) -> FieldBlock {
    FieldBlock::from_map_where(&stored.fields().to_map(), |name| *name != header::DATE)
}

fn block(text: &str) -> FieldBlock {
    FieldBlock::from_map(&fields(text))
}

#[test]
fn a_head_is_small() {
    assert!(size_of::<Stored>() <= 128, "{}", size_of::<Stored>());
    let head = stored("cache-control: max-age=60 | etag: \"a\"", &Policy::default());
    assert!(head.weight_bytes() <= head.fields().len() + 200);
}

#[test]
fn only_what_may_be_stored_is_stored() {
    let policy = Policy::default();
    for (text, expected) in [
        (
            "connection: a, close | a: 1 | keep-alive: x | via: 1.1 up | cache-status: up; hit",
            "via: 1.1 up | cache-status: up; hit",
        ),
        (
            "age: 5 | content-length: 5 | trailer: x | content-type: text/plain",
            "content-type: text/plain",
        ),
        ("cache-control: private=\"a\" | a: 1 | b: 2", "cache-control: private=\"a\" | b: 2"),
        ("cache-control: no-cache=\"a,b\" | a: 1 | b: 2", "cache-control: no-cache=\"a,b\""),
        ("set-cookie: a=b | set-cookie2: c | x: y", "x: y"),
        (
            "cache-control: public | set-cookie: a=b | set-cookie: c=d",
            "cache-control: public | set-cookie: a=b | set-cookie: c=d",
        ),
    ] {
        assert_eq!(kept(&stored(text, &policy)), block(expected), "{text}");
    }
}

#[test]
fn who_comes_without_a_date_gets_one() {
    let policy = Policy::default();
    for text in ["", "date: foo"] {
        assert_eq!(*stored(text, &policy).fields(), block("date: @0"), "{text}");
    }
    assert_eq!(*stored("date: @-5", &policy).fields(), block("date: @-5"));
}

#[test]
fn age_and_what_is_left_of_the_lifetime_go_with_time() {
    let head = stored("cache-control: max-age=60 | age: 10", &Policy::default());
    for (millis, age_seconds, ttl, is_fresh) in [
        (0, 10, 50, true),
        (999, 10, 49, true),
        (1000, 11, 49, true),
        (49_999, 59, 0, true),
        (50_000, 60, 0, false),
        (50_001, 60, -1, false),
        (60_000, 70, -10, false),
    ] {
        let now = after(millis);
        assert_eq!(head.age(now).as_secs(), age_seconds, "{millis}");
        assert_eq!(head.ttl_seconds(now), ttl, "{millis}");
        assert_eq!(head.is_fresh(now), is_fresh, "{millis}");
    }
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let head = stored("cache-control: max-age=60 | age: 10", &Policy::default());
    assert_eq!(head.age(Timestamp::EPOCH).as_secs(), 10);
    assert_eq!(head.age(Timestamp::from_unix_millis(u64::MAX)).as_millis() as u64 >> 60, 15);
}

#[test]
fn an_age_that_is_wrong_means_stale() {
    for age in ["x", "-1", "1.0", "1, 1", "5;a"] {
        let text = format!("cache-control: max-age=60 | age: {age}");
        assert!(!stored(&text, &Policy::default()).is_fresh(NOW), "{age}");
    }
}

#[test]
fn keep_is_lifetime_and_longest_window_and_time_to_validate() {
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let policy = Policy {
        stale_while_revalidate: minutes(1),
        stale_if_error: minutes(2),
        stale_when_unreachable: minutes(4),
        keep: minutes(100),
        ..Policy::default()
    };
    for (text, expected) in [
        ("cache-control: max-age=60", 5),
        ("cache-control: max-age=60 | age: 30", 5),
        ("cache-control: max-age=60 | etag: \"a\"", 105),
        ("cache-control: max-age=60 | last-modified: @-5", 105),
        ("cache-control: max-age=60, stale-while-revalidate=600", 11),
        ("cache-control: max-age=60, stale-if-error=1200", 21),
        ("cache-control: max-age=60, must-revalidate", 1),
        ("cache-control: s-maxage=60, stale-while-revalidate=600", 1),
        ("cache-control: no-cache | etag: \"a\"", 100),
    ] {
        let head = stored(text, &policy);
        let initial = head.age(NOW).as_millis() as u64;
        assert_eq!(head.keep_until(), after(expected * MINUTE - initial), "{text}");
    }
    let useless = stored("cache-control: max-age=0, must-revalidate", &policy);
    assert_eq!(useless.keep_until(), after(1000));
}

#[test]
fn a_304_updates_what_is_not_bound_to_the_bytes() {
    let policy = Policy::default();
    let old =
        "cache-control: max-age=2 | etag: \"a\" | x: 1 | x: 2 | y: 1 | content-encoding: gzip";
    for (newer, expected) in [
        ("", old.to_owned()),
        ("x: 3", old.replace("x: 1 | x: 2", "x: 3")),
        ("x: 3 | x: 4", old.replace("x: 1 | x: 2", "x: 3 | x: 4")),
        ("z: 9", format!("{old} | z: 9")),
        ("etag: \"b\"", old.to_owned()),
        ("content-encoding: br | content-range: x | content-md5: y", old.to_owned()),
        ("content-length: 5 | connection: y | y: 2 | keep-alive: z", old.to_owned()),
        ("content-type: text/html", format!("{old} | content-type: text/html")),
        ("set-cookie: a=b", old.to_owned()),
        ("cache-control: max-age=9", old.replace("=2", "=9")),
        (
            "cache-control: max-age=9, no-cache=\"y\"",
            old.replace("=2", "=9, no-cache=\"y\"").replace(" | y: 1", ""),
        ),
    ] {
        let fresh = stored(old, &policy).freshen(&policy, &fields(newer), after(5000), after(5000));
        let sorted = |block: &FieldBlock| {
            let mut lines: Vec<_> =
                block.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
            lines.sort_by(|one, other| one.0.cmp(&other.0));
            lines
        };
        assert_eq!(sorted(&kept(&fresh)), sorted(&block(&expected)), "{newer}");
    }
}

#[test]
fn a_304_starts_age_and_lifetime_anew() {
    let policy = Policy::default();
    let old = stored("cache-control: max-age=60 | age: 50 | etag: \"a\"", &policy);
    let later = after(100_000);
    assert!(!old.is_fresh(later));
    for (newer, age, ttl) in [
        ("", 0, 60),
        ("date: @100", 0, 60),
        ("age: 20", 20, 40),
        ("cache-control: max-age=5", 0, 5),
        ("cache-control: s-maxage=7", 0, 7),
        ("expires: @900", 0, 60),
    ] {
        let fresh = old.freshen(&policy, &fields(newer), later, later);
        assert_eq!((fresh.age(later).as_secs(), fresh.ttl_seconds(later)), (age, ttl), "{newer}");
        assert_eq!(fresh.received_at(), later);
        assert!(fresh.fields().first("age").is_none());
    }
}

#[test]
fn a_304_that_forbids_storing_ends_reuse() {
    let policy = Policy::default();
    let old = stored("cache-control: max-age=60 | etag: \"a\"", &policy);
    for newer in ["cache-control: no-store", "cache-control: private, max-age=60"] {
        let fresh = old.freshen(&policy, &fields(newer), NOW, NOW);
        assert_eq!(fresh.keep_until(), after(1000), "{newer}");
        let answer = reuse(&asked("GET", &policy), &fresh, &policy, &Standing::SOUND, NOW);
        assert!(matches!(answer, Reuse::Revalidate(_)), "{newer}");
    }
}

#[test]
fn a_tag_is_added_where_there_was_none() {
    let policy = Policy::default();
    let old = stored("cache-control: max-age=60 | last-modified: @-5", &policy);
    let fresh = old.freshen(&policy, &fields("etag: \"a\""), NOW, NOW);
    assert_eq!(fresh.etag(), Some(&b"\"a\""[..]));
}

#[test]
fn a_304_may_nominate_other_fields() {
    let policy = Policy::default();
    let old = stored("cache-control: max-age=60 | vary: a", &policy);
    let fresh = old.freshen(&policy, &fields("vary: a, b"), NOW, NOW);
    assert_eq!(old.vary(), Vary::of(&fields("vary: a")));
    assert_eq!(fresh.vary(), Vary::of(&fields("vary: b, a")));
}

#[test]
fn a_head_response_freshens_the_same_and_spoils_another() {
    let policy = Policy::default();
    let old = stored("cache-control: max-age=60 | etag: \"a\" | last-modified: @-5", &policy);
    for (newer, is_same) in [
        ("", true),
        ("etag: \"a\" | content-length: 10", true),
        ("last-modified: @-5", true),
        ("etag: \"b\"", false),
        ("etag: W/\"a\"", false),
        ("last-modified: @-4", false),
        ("content-length: 11", false),
        ("content-length: 010", false),
    ] {
        match old.freshened_by_head(&policy, &fields(newer), 10, after(9000), after(9000)) {
            HeadEffect::Freshened(head) => {
                assert!(is_same, "{newer}");
                assert_eq!(head.ttl_seconds(after(9000)), 60);
            }
            HeadEffect::MadeStale(head) => {
                assert!(!is_same, "{newer}");
                assert!(!head.is_fresh(after(9000)));
            }
        }
    }
}

#[test]
fn made_stale_is_stale_from_then_on() {
    let head = stored("cache-control: max-age=60", &Policy::default()).made_stale(after(5000));
    assert!(head.is_fresh(after(4999)));
    assert_eq!(head.staleness(after(5000)), Some(Duration::ZERO));
    let twice = head.clone().made_stale(after(9000));
    assert_eq!(twice, head);
}

#[test]
fn invalidated_is_validated_before_any_reuse() {
    let policy = Policy { client_directives: ClientDirectives::Obey, ..Policy::default() };
    let head = stored("cache-control: max-age=60, stale-if-error=60", &policy).invalidated();
    let anyhow = asked("GET cache-control: max-stale", &policy);
    assert!(matches!(reuse(&anyhow, &head, &policy, &Standing::SOUND, NOW), Reuse::Revalidate(_)));
    assert!(!stale_on_failure(
        &anyhow,
        &head,
        &policy,
        &Standing::SOUND,
        NOW,
        Failing::Unreachable
    ));
}

#[test]
fn lifetimes_and_windows_beyond_measure_do_not_overflow() {
    let policy = Policy {
        stale_while_revalidate: Duration::MAX,
        stale_when_unreachable: Duration::MAX,
        keep: Duration::MAX,
        ..Policy::default()
    };
    let head = stored("cache-control: max-age=99999999999 | etag: \"a\"", &policy);
    assert_eq!(head.keep_until(), Timestamp::from_unix_millis(u64::MAX));
    let aged = stored("age: 99999999999 | date: Thu, 01 Jan 1970 00:00:00 GMT", &policy);
    assert!(aged.ttl_seconds(Timestamp::from_unix_millis(u64::MAX)) < 0);
}

fn any_response() -> impl Strategy<Value = String> {
    let span = prop_oneof!["[0-9]{1,3}", "[0-9]{9,12}", "-?[0-9a-z\"]{0,3}"];
    let directive = prop_oneof![
        span.clone().prop_map(|span| format!("max-age={span}")),
        span.clone().prop_map(|span| format!("s-maxage={span}")),
        span.clone().prop_map(|span| format!("stale-while-revalidate={span}")),
        span.clone().prop_map(|span| format!("stale-if-error={span}")),
        Just("must-revalidate".to_owned()),
        Just("no-cache".to_owned()),
        Just("immutable".to_owned()),
    ];
    let line = prop_oneof![
        4 => prop::collection::vec(directive, 1..4)
            .prop_map(|directives| format!("cache-control: {}", directives.join(", "))),
        1 => span.prop_map(|age| format!("age: {age}")),
        1 => (-5000_i64..5000).prop_map(|at| format!("expires: @{at}")),
        1 => (-5000_i64..5000).prop_map(|at| format!("date: @{at}")),
        1 => (-9_000_000_i64..50).prop_map(|at| format!("last-modified: @{at}")),
        1 => Just("etag: \"a\"".to_owned()),
    ];
    prop::collection::vec(line, 0..5).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn age_only_grows_and_freshness_has_one_meaning(text in any_response(), first in 0_u64..9_000_000, more in 0_u64..9_000_000) {
        let head = stored(&text, &Policy::default());
        let (early, late) = (after(first), after(first + more));
        prop_assert!(head.age(early) <= head.age(late));
        prop_assert_eq!(head.age(late) - head.age(early), Duration::from_millis(more));
        prop_assert!(head.is_fresh(early) || !head.is_fresh(late));
        for now in [early, late] {
            prop_assert_eq!(head.is_fresh(now), head.staleness(now).is_none());
            prop_assert_eq!(head.is_fresh(now), head.age(now) < head.lifetime());
            prop_assert!(!head.is_fresh(now) || head.ttl_seconds(now) >= 0);
        }
    }

    #[test]
    fn nothing_is_served_that_need_not_be_kept(text in any_response(), wait in 0_u64..20_000_000) {
        let policy = Policy {
            stale_while_revalidate: Duration::from_secs(10),
            stale_if_error: Duration::from_secs(2000),
            ..Policy::default()
        };
        let (head, now) = (stored(&text, &policy), after(wait));
        let asked = asked("GET", &policy);
        let is_served = matches!(reuse(&asked, &head, &policy, &Standing::SOUND, now), Reuse::Serve | Reuse::ServeAndRefresh(_))
            || stale_on_failure(&asked, &head, &policy, &Standing::SOUND, now, Failing::Unreachable)
            || stale_on_failure(&asked, &head, &policy, &Standing::SOUND, now, Failing::Status(StatusCode::BAD_GATEWAY));
        prop_assert!(!is_served || now < head.keep_until());
        prop_assert!(head.keep_until() >= after(1000));
    }

    #[test]
    fn any_head_can_be_stored_and_freshened(old in crate::fields::tests::any_head(), newer in crate::fields::tests::any_head(), status in 100_u16..1000) {
        let policy = Policy::default();
        let status = StatusCode::from_u16(status).unwrap();
        let head = Stored::new(&policy, &asked("GET", &policy), status, &old, NOW, NOW);
        let fresh = head.freshen(&policy, &newer, after(10), after(20));
        prop_assert_eq!(fresh.status(), status);
        prop_assert!(fresh.fields().iter().all(|(name, _)| name != "connection" && name != "age"));
        head.freshened_by_head(&policy, &newer, 5, after(10), after(20));
    }
}

#[test]
fn a_status_is_part_of_the_head() {
    let head = stored_with(StatusCode::NOT_FOUND, "cache-control: max-age=5", &Policy::default());
    assert_eq!(head.status(), StatusCode::NOT_FOUND);
    assert_eq!(head.lifetime_source(), LifetimeSource::Explicit);
}
