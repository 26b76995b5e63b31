use super::*;
use crate::case::{NOW, fields};
use crate::policy::StatusLifetime;

fn lifetime(status: u16, text: &str, policy: &Policy) -> (u64, LifetimeSource) {
    let head = &fields(text);
    let evidence = Evidence {
        status: StatusCode::from_u16(status).unwrap(),
        fields: head,
        directives: &CacheControl::of_response(head, &policy.targeted_fields),
        credentials: Credentials::Absent,
        received_at: NOW,
    };
    let found = evidence.lifetime(policy);
    (found.span.as_secs(), found.source)
}

#[test]
fn explicit_goes_before_operator_goes_before_heuristic() {
    let rule = |first: StatusCode, last: StatusCode, seconds| StatusLifetime {
        first,
        last,
        lifetime: Duration::from_secs(seconds),
    };
    let lifetimes = vec![
        rule(StatusCode::NOT_FOUND, StatusCode::NOT_FOUND, 7),
        rule(StatusCode::BAD_REQUEST, StatusCode::EXPECTATION_FAILED, 9),
    ];
    let policy = &Policy { lifetimes, ..Policy::default() };
    let modified = "last-modified: @-1000 | date: @0";
    let cases = [
        (404, "cache-control: max-age=5", 5, LifetimeSource::Explicit),
        (404, "cache-control: max-age=x", 0, LifetimeSource::Explicit),
        (404, "expires: 0", 0, LifetimeSource::Explicit),
        (404, modified, 7, LifetimeSource::Operator),
        (403, modified, 9, LifetimeSource::Operator),
        (200, modified, 100, LifetimeSource::Heuristic),
        (302, modified, 0, LifetimeSource::Nobody),
        (200, "date: @0", 0, LifetimeSource::Nobody),
        (200, "last-modified: @5 | date: @0", 0, LifetimeSource::Heuristic),
        (200, "last-modified: @-99999999 | date: @0", 86_400, LifetimeSource::Heuristic),
        (200, "cdn-cache-control: public | expires: @60", 0, LifetimeSource::Nobody),
    ];
    for (status, text, seconds, source) in cases {
        assert_eq!(lifetime(status, text, policy), (seconds, source), "{status} {text}");
    }
}

#[test]
fn heuristics_may_be_switched_off_and_need_an_anonymous_client() {
    let head = &fields("last-modified: @-1000 | date: @0 | cache-control: public");
    let off = &Policy { heuristic: Heuristic::Off, ..Policy::default() };
    assert_eq!(lifetime(200, "last-modified: @-1000", off).1, LifetimeSource::Nobody);
    let evidence = Evidence {
        status: StatusCode::OK,
        fields: head,
        directives: &CacheControl::of_response(head, &[]),
        credentials: Credentials::Present,
        received_at: NOW,
    };
    assert_eq!(evidence.lifetime(&Policy::default()).source, LifetimeSource::Nobody);
}

#[test]
fn expires_counts_from_date_else_from_its_arrival() {
    let policy = &Policy::default();
    for (text, seconds) in [
        ("expires: @60 | date: @0", 60),
        ("expires: @60 | date: @-60", 120),
        ("expires: @60", 59),
        ("expires: @60 | expires: @60 | date: @0", 60),
        ("expires: @60 | expires: @61 | date: @0", 0),
        ("expires: @60 | expires: 0 | date: @0", 0),
        ("expires: Fri, 31 Dec 9999 23:59:59 GMT | date: @0", 1 << 31),
    ] {
        assert_eq!(lifetime(200, text, policy), (seconds, LifetimeSource::Explicit), "{text}");
    }
}

#[test]
fn the_initial_age_is_the_largest_that_anything_says() {
    let sent = |millis_ago| Timestamp::from_unix_millis(NOW.unix_millis() - millis_ago);
    for (text, delay, expected) in [
        ("", 0, Some(0)),
        ("", 1500, Some(1500)),
        ("date: @0", 0, Some(0)),
        ("date: @-10", 0, Some(10_000)),
        ("date: @10", 0, Some(0)),
        ("date: @-10 | age: 5", 2000, Some(10_000)),
        ("date: @-10 | age: 20", 2000, Some(22_000)),
        ("age: 20, 30", 0, Some(20_000)),
        ("age: 99999999999999999999999", 0, Some((1 << 31) * 1000)),
        ("age:", 0, None),
        ("age: -1", 0, None),
        ("age: 20, 20", 0, None),
        ("age: 20 | age: 30", 0, None),
    ] {
        let age = initial_age_millis(&fields(text), sent(delay), NOW);
        assert_eq!(age, expected, "{text}, {delay} ms");
    }
}
