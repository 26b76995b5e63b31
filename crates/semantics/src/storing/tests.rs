use std::time::Duration;

use super::*;
use crate::case::{asked, fields};
use crate::policy::StatusLifetime;

const KEEP: Storing = Storing::Keep;

fn check(request: &str, status: u16, response: &str, policy: &Policy, expected: Storing) {
    let status = StatusCode::from_u16(status).unwrap();
    let found = storing(&asked(request, policy), status, &fields(response), policy);
    assert_eq!(found, expected, "{request} {status} {response}");
}

fn no(reason: DeclineReason) -> Storing {
    Storing::Decline(reason)
}

#[test]
fn each_condition_has_its_own_reason() {
    let policy = &Policy::default();
    let fresh = "cache-control: max-age=60";
    for (request, status, response, expected) in [
        ("GET", 200, fresh, KEEP),
        ("GET range: bytes=0-1", 200, fresh, KEEP),
        ("HEAD", 200, fresh, no(DeclineReason::Method)),
        ("POST", 200, fresh, no(DeclineReason::Method)),
        ("OPTIONS", 200, fresh, no(DeclineReason::Method)),
        ("GET cache-control: no-store", 200, fresh, no(DeclineReason::RequestNoStore)),
        ("GET", 103, fresh, no(DeclineReason::Interim)),
        ("GET", 206, fresh, no(DeclineReason::Partial)),
        ("GET", 304, fresh, no(DeclineReason::NotModified)),
        ("GET", 200, "cache-control: no-store, max-age=5", no(DeclineReason::NoStore)),
        ("GET", 200, "cache-control: private, public, max-age=5", no(DeclineReason::Private)),
        ("GET", 200, "cache-control: private=\"a\", max-age=5", KEEP),
        ("GET", 599, "cache-control: must-understand, max-age=5", no(DeclineReason::NotUnderstood)),
        ("GET", 200, "cache-control: must-understand, no-store, max-age=5", KEEP),
        ("GET", 200, "cache-control: max-age=60 | vary: a, *", no(DeclineReason::VaryAny)),
        ("GET", 200, "cache-control: max-age=60 | vary: a b", no(DeclineReason::VaryAny)),
        ("GET authorization: x", 200, fresh, no(DeclineReason::Authorization)),
        ("GET authorization: x", 200, "cache-control: s-maxage=60", KEEP),
        ("GET authorization: x", 200, "cache-control: public | etag: \"a\"", KEEP),
        (
            "GET authorization: x",
            200,
            "cache-control: proxy-revalidate, max-age=5",
            no(DeclineReason::Authorization),
        ),
        ("GET", 200, "cache-control: max-age=60 | set-cookie: a=b", no(DeclineReason::SetCookie)),
        ("GET", 200, "cache-control: max-age=60 | set-cookie2: a=b", no(DeclineReason::SetCookie)),
        ("GET", 200, "cache-control: max-age=60, public | set-cookie: a=b", KEEP),
        ("GET", 200, "cache-control: s-maxage=60 | set-cookie: a=b", KEEP),
    ] {
        check(request, status, response, policy, expected);
    }
}

#[test]
fn a_status_about_one_request_is_never_kept() {
    let policy = &Policy::default();
    for status in [408, 412, 416, 417, 425, 428, 429, 431, 511] {
        let fresh = "cache-control: public, max-age=60 | etag: \"a\"";
        check("GET", status, fresh, policy, no(DeclineReason::OnlyThisRequest));
    }
    assert!(!DeclineReason::OnlyThisRequest.is_worth_remembering());
}

#[test]
fn what_gives_no_lifetime_is_kept_to_be_validated_where_its_status_allows_it() {
    let policy = &Policy::default();
    for (status, response, expected) in [
        (200, "", no(DeclineReason::NoLifetime)),
        (200, "etag: \"a\"", KEEP),
        (404, "etag: \"a\"", KEEP),
        (200, "last-modified: @-100", KEEP),
        (302, "etag: \"a\"", no(DeclineReason::Status)),
        (302, "etag: \"a\" | cache-control: no-cache", no(DeclineReason::Status)),
        (302, "etag: \"a\" | cache-control: public", KEEP),
        (503, "etag: \"a\"", no(DeclineReason::ServerError)),
        (200, "cache-control: no-cache", no(DeclineReason::NoLifetime)),
        (200, "cache-control: no-cache | etag: \"a\"", KEEP),
        (200, "cache-control: max-age=60, no-cache", no(DeclineReason::NeverReusable)),
        (200, "cache-control: max-age=0, must-revalidate", no(DeclineReason::NeverReusable)),
        (200, "cache-control: max-age=0, must-revalidate | etag: \"a\"", KEEP),
        // It may still answer when the origin cannot be reached.
        (200, "cache-control: max-age=0", KEEP),
    ] {
        check("GET", status, response, policy, expected);
    }
    let strict = &Policy {
        heuristic: Heuristic::Off,
        stale_when_unreachable: Duration::ZERO,
        ..Policy::default()
    };
    check("GET", 200, "etag: \"a\"", strict, no(DeclineReason::NoLifetime));
    check("GET", 200, "cache-control: max-age=0", strict, no(DeclineReason::NeverReusable));
    check("GET", 200, "cache-control: max-age=0, stale-if-error=5", strict, KEEP);
    check("GET", 200, "expires: 0", strict, no(DeclineReason::NeverReusable));
    check("GET", 200, "expires: @60", strict, KEEP);
    check("GET", 200, "expires: Thursday, 18-Aug-50 02:01:18 GMT", strict, KEEP);
}

#[test]
fn the_operator_speaks_for_statuses_of_which_the_origin_does_not() {
    let rule = |status, seconds| StatusLifetime {
        first: status,
        last: status,
        lifetime: Duration::from_secs(seconds),
    };
    let lifetimes = vec![rule(StatusCode::FOUND, 5), rule(StatusCode::NOT_FOUND, 0)];
    let policy = &Policy { lifetimes, ..Policy::default() };
    check("GET", 302, "", policy, KEEP);
    check("GET", 302, "set-cookie: a=b", policy, no(DeclineReason::SetCookie));
    check("GET", 404, "etag: \"a\"", policy, no(DeclineReason::Operator));
    check("GET", 404, "cache-control: max-age=5", policy, KEEP);
}

#[test]
fn a_route_may_allow_cookies_and_methods() {
    let allowing = &Policy {
        set_cookie: SetCookie::Allow,
        listed_methods: vec![http::Method::POST],
        ..Policy::default()
    };
    check("GET", 200, "cache-control: max-age=60 | set-cookie: a=b", allowing, KEEP);
    check("POST", 200, "cache-control: max-age=60", allowing, KEEP);
}

#[test]
fn a_post_that_says_it_is_the_get_is_kept_for_it() {
    let policy = &Policy::default();
    let target = &"http://example.com/a?b".parse().unwrap();
    for (request, status, response, expected) in [
        ("POST", 200, "expires: @60 | content-location: /a?b", KEEP),
        ("POST", 200, "expires: @60 | content-location: http://example.com/a?b", KEEP),
        ("POST", 200, "expires: @60 | content-location:", KEEP),
        ("POST", 200, "expires: @60 | content-location: /a", no(DeclineReason::Method)),
        ("POST", 200, "expires: @60 | content-location: //x/a?b", no(DeclineReason::Method)),
        ("POST", 200, "expires: @60", no(DeclineReason::Method)),
        ("POST", 200, "last-modified: @-99 | content-location: /a?b", no(DeclineReason::Method)),
        ("POST", 201, "expires: @60 | content-location: /a?b", no(DeclineReason::Method)),
        ("PUT", 200, "expires: @60 | content-location: /a?b", no(DeclineReason::Method)),
        (
            "POST authorization: x",
            200,
            "expires: @60 | content-location: /a?b",
            no(DeclineReason::Authorization),
        ),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let asked = asked(request, policy);
        let found = storing_for_get(&asked, target, status, &fields(response), policy);
        assert_eq!(found, expected, "{request} {status} {response}");
    }
}

#[test]
fn only_lasting_reasons_are_remembered() {
    for (reason, expected) in [
        (DeclineReason::Private, true),
        (DeclineReason::NoLifetime, true),
        (DeclineReason::RequestNoStore, false),
        (DeclineReason::Authorization, false),
        (DeclineReason::ServerError, false),
    ] {
        assert_eq!(reason.is_worth_remembering(), expected, "{}", reason.detail());
    }
}
