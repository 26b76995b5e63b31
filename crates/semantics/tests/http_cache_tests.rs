//! The public suite `http-cache-tests`, as far as it is about rules: a response, a pause, and what
//! the next request finds. Ids are the suite's.
//!
//! Rows marked `choice` are where the suite only asks what a cache does.

use std::time::Duration;

use Next::{Cached, Origin};
use forebay_semantics::date::http_date;
use forebay_semantics::policy::{ClientDirectives, SetCookie};
use forebay_semantics::reuse::{Reuse, reuse};
use forebay_semantics::storing::{Storing, storing};
use forebay_semantics::variants::{Variants, Vary};
use forebay_semantics::{Asked, Policy, Stored, Timestamp};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

const NOW: Timestamp = Timestamp::from_unix_millis(1_795_469_645_400);

/// What the second request finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The stored response.
    Cached,
    /// The origin, with or without a condition.
    Origin,
}

/// Lines divided by ` | `; `@60` is a date in a minute.
fn fields(text: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in text.split(" | ").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let value = match value.trim().strip_prefix('@') {
            Some(seconds) => {
                let at = NOW.unix_seconds().saturating_add_signed(seconds.parse().unwrap());
                http_date(Timestamp::from_unix_seconds(at))
            }
            None => value.trim().to_owned(),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

struct Exchange<'a> {
    policy: &'a Policy,
    first: &'a str,
    status: u16,
    response: &'a str,
    pause_millis: u64,
    second: &'a str,
}

impl Exchange<'_> {
    fn next(&self) -> Next {
        let policy = self.policy;
        let (first, second) = (fields(self.first), fields(self.second));
        let response = fields(self.response);
        let status = StatusCode::from_u16(self.status).unwrap();
        let asked = Asked::of(&Method::GET, &first, policy);
        if storing(&asked, status, &response, policy) != Storing::Keep {
            return Origin;
        }
        let stored = Stored::new(policy, &asked, status, &response, NOW, NOW);
        let mut variants = Variants::new(1);
        variants.take_in(&Vary::of(&response), &first, None, NOW, 8);
        if variants.choose(&second).is_none() {
            return Origin;
        }
        let later = NOW.saturating_add(Duration::from_millis(self.pause_millis));
        match reuse(&Asked::of(&Method::GET, &second, policy), &stored, policy, later) {
            Reuse::Serve | Reuse::ServeAndRefresh(_) => Cached,
            Reuse::Revalidate(_) | Reuse::Refuse => Origin,
        }
    }
}

fn check_all(cases: &[(&str, &str, Next)], exchange: impl Fn(&str) -> Next) {
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(_, response, expected)| exchange(response) != *expected)
        .map(|(id, response, expected)| format!("{id}: `{response}` should be {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_after(pause_millis: u64, cases: &[(&str, &str, Next)]) {
    let policy = &Policy::default();
    check_all(cases, |response| {
        Exchange { policy, first: "", status: 200, response, pause_millis, second: "" }.next()
    });
}

/// The suite pauses three seconds.
const PAUSE: u64 = 3000;
const AT_ONCE: u64 = 20;

#[test]
fn freshness_by_cache_control() {
    check_after(
        PAUSE,
        &[
            ("freshness-none", "", Origin),
            ("freshness-max-age", "cache-control: max-age=3600", Cached),
            ("freshness-max-age-0", "cache-control: max-age=0", Origin),
            ("freshness-max-age-max-minus-1", "cache-control: max-age=2147483647", Cached),
            ("freshness-max-age-max", "cache-control: max-age=2147483648", Cached),
            ("freshness-max-age-max-plus-1", "cache-control: max-age=2147483649", Cached),
            ("freshness-max-age-max-plus", "cache-control: max-age=99999999999", Cached),
            ("far beyond", "cache-control: max-age=99999999999999999999999999", Cached),
            (
                "freshness-max-age-age",
                "date: @0 | cache-control: max-age=3600 | age: 7200",
                Origin,
            ),
            ("freshness-max-age-date (choice)", "date: @-7200 | cache-control: max-age=3600", Origin),
            (
                "freshness-max-age-expires",
                "cache-control: max-age=3600 | expires: @-7200 | date: @0",
                Cached,
            ),
            (
                "freshness-max-age-expires-invalid",
                "cache-control: max-age=3600 | expires: 0 | date: @0",
                Cached,
            ),
            (
                "freshness-max-age-0-expires",
                "expires: @3600 | cache-control: max-age=0 | date: @0",
                Origin,
            ),
            ("freshness-max-age-extension", "cache-control: foobar, max-age=3600", Cached),
            ("freshness-max-age-case-insenstive", "cache-control: MaX-aGe=3600", Cached),
            ("freshness-max-age-negative", "cache-control: max-age=-3600", Origin),
            ("freshness-s-maxage-shared", "cache-control: s-maxage=3600", Cached),
            (
                "freshness-max-age-s-maxage-shared-longer",
                "cache-control: max-age=3600, s-maxage=1",
                Origin,
            ),
            (
                "freshness-max-age-s-maxage-shared-longer-reversed",
                "cache-control: s-maxage=1, max-age=3600",
                Origin,
            ),
            (
                "freshness-max-age-s-maxage-shared-longer-multiple",
                "cache-control: max-age=3600 | cache-control: s-maxage=1",
                Origin,
            ),
            (
                "freshness-max-age-s-maxage-shared-shorter",
                "cache-control: max-age=1, s-maxage=3600",
                Cached,
            ),
            (
                "freshness-max-age-s-maxage-shared-shorter-expires",
                "expires: @-10 | cache-control: max-age=0, s-maxage=3600",
                Cached,
            ),
        ],
    );
}

#[test]
fn cache_control_parsing() {
    check_after(
        PAUSE,
        &[
            ("freshness-max-age-quoted (choice)", r#"cache-control: max-age="3600""#, Cached),
            ("freshness-max-age-single-quoted", "cache-control: max-age='3600'", Origin),
            (
                "freshness-max-age-ignore-quoted",
                r#"cache-control: extension="max-age=3600", max-age=1"#,
                Origin,
            ),
            (
                "freshness-max-age-ignore-quoted-rev",
                r#"cache-control: max-age=1, extension="max-age=3600""#,
                Origin,
            ),
            (
                "freshness-max-age-ignore-quoted-all",
                r#"cache-control: extension="max-age=3600", max-age="1""#,
                Origin,
            ),
            (
                "freshness-max-age-ignore-quoted-all-rev",
                r#"cache-control: max-age="1", extension="max-age=3600""#,
                Origin,
            ),
            ("freshness-max-age-leading-zero", "cache-control: max-age=003600", Cached),
            ("freshness-max-age-decimal-zero (choice)", "cache-control: max-age=3600.0", Origin),
            ("freshness-max-age-decimal-five (choice)", "cache-control: max-age=3600.5", Origin),
            ("freshness-max-age-space-before-equals", "cache-control: max-age =3600", Origin),
            ("freshness-max-age-space-after-equals", "cache-control: max-age= 3600", Origin),
            ("freshness-max-age-a100 (choice)", "cache-control: max-age=a3600", Origin),
            ("freshness-max-age-100a (choice)", "cache-control: max-age=3600a", Origin),
            (
                "freshness-max-age-multiple-line (choice)",
                "cache-control: max-age=3600 | cache-control: max-age=1800",
                Cached,
            ),
            (
                "freshness-max-age-multiple-directive (choice)",
                "cache-control: max-age=3600, max-age=1800",
                Cached,
            ),
            (
                "freshness-max-age-two-stale-fresh-sameline (choice)",
                "cache-control: max-age=1, max-age=1800",
                Origin,
            ),
            (
                "freshness-max-age-two-fresh-stale-sameline (choice)",
                "cache-control: max-age=1800, max-age=1",
                Origin,
            ),
            (
                "freshness-max-age-two-stale-fresh-sepline (choice)",
                "cache-control: max-age=1 | cache-control: max-age=1800",
                Origin,
            ),
            (
                "freshness-max-age-two-fresh-stale-sepline (choice)",
                "cache-control: max-age=1800 | cache-control: max-age=1",
                Origin,
            ),
        ],
    );
}

#[test]
fn age_parsing() {
    let base = "date: @0 | cache-control: max-age=3600 | age: ";
    let cases = [
        ("age-parse-nonnumeric", "abc", Origin),
        ("age-parse-negative", "-7200", Origin),
        ("age-parse-float", "7200.0", Origin),
        ("age-parse-suffix", "7200,0", Origin),
        ("age-parse-prefix", "0,7200", Cached),
        ("age-parse-suffix-twoline", "7200 | age: 0", Origin),
        ("age-parse-prefix-twoline", "0 | age: 7200", Origin),
        ("age-parse-dup-0", "0, 0", Origin),
        ("age-parse-dup-0-twoline", "0 | age: 0", Origin),
        ("age-parse-dup-old", "3600, 3600", Origin),
        ("age-parse-parameter", "7200;foo=bar", Origin),
        ("age-parse-numeric-parameter", "7200;foo=111", Origin),
        ("overflow", "99999999999999999999999", Origin),
        ("young", "30", Cached),
    ];
    for (id, age, expected) in cases {
        let mut response = format!("{base}{age}");
        if id == "age-parse-dup-old" {
            response = response.replace("max-age=3600", "max-age=10000");
        }
        check_after(PAUSE, &[(id, &response, expected)]);
    }
}

#[test]
fn freshness_by_expires() {
    check_after(
        PAUSE,
        &[
            ("freshness-expires-future", "expires: @2592000 | date: @0", Cached),
            ("freshness-expires-past", "expires: @-2592000 | date: @0", Origin),
            ("freshness-expires-old-date", "expires: @300 | date: @400", Origin),
            ("freshness-expires-invalid", "expires: 0 | date: @0", Origin),
        ],
    );
    check_after(
        AT_ONCE,
        &[
            ("freshness-expires-present", "expires: @0 | date: @0", Origin),
            ("freshness-expires-invalid-date", "date: foo | expires: @10", Cached),
            ("freshness-expires-age-slow-date", "date: @-10 | expires: @10 | age: 25", Origin),
            ("freshness-expires-age-fast-date", "date: @10 | expires: @20 | age: 15", Origin),
        ],
    );
}

#[test]
fn expires_parsing() {
    let cases = [
        ("freshness-expires-32bit", "Tue, 19 Jan 2038 14:14:08 GMT", Cached),
        ("without its comma", "Tue 19 Jan 2038 14:14:08 GMT", Origin),
        ("freshness-expires-far-future", "Sun, 21 Nov 2286 04:46:39 GMT", Cached),
        ("freshness-expires-rfc850", "Thursday, 18-Aug-50 02:01:18 GMT", Cached),
        ("freshness-expires-ansi-c", "Thu Aug  8 02:01:18 2050", Cached),
        ("freshness-expires-wrong-case-weekday", "THU, 18 Aug 2050 02:01:18 GMT", Cached),
        ("freshness-expires-wrong-case-month", "Thu, 18 AUG 2050 02:01:18 GMT", Cached),
        ("freshness-expires-wrong-case-tz", "Thu, 18 Aug 2050 02:01:18 gMT", Cached),
        ("freshness-expires-invalid-utc", "Thu, 18 Aug 2050 02:01:18 UTC", Origin),
        ("freshness-expires-invalid-aest", "Thu, 18 Aug 2050 02:01:18 AEST", Origin),
        ("freshness-expires-invalid-2-digit-year", "Thu, 18 Aug 50 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-no-comma", "Thu 18 Aug 2050 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-multiple-spaces", "Thu, 18  Aug  2050 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-date-dashes", "Thu, 18-Aug-2050 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-time-periods", "Thu, 18 Aug 2050 02.01.18 GMT", Origin),
        ("freshness-expires-invalid-1-digit-hour", "Thu, 18 Aug 2050 2:01:18 GMT", Origin),
        (
            "freshness-expires-invalid-multiple-lines",
            "Thu, 18 Aug 2050 2:01:18 GMT | expires: Thu, 18 Aug 2050 2:01:19 GMT",
            Origin,
        ),
    ];
    for (id, expires, expected) in cases {
        check_after(AT_ONCE, &[(id, &format!("expires: {expires} | date: @0"), expected)]);
    }
}

#[test]
fn response_directives() {
    check_after(
        AT_ONCE,
        &[
            ("cc-resp-private-shared", "cache-control: private, max-age=3600", Origin),
            ("cc-resp-no-store", "cache-control: no-store", Origin),
            ("cc-resp-no-store-case-insensitive", "cache-control: No-StOrE", Origin),
            (
                "cc-resp-no-store-fresh",
                "cache-control: max-age=10000, no-store | expires: @10000 | date: @0",
                Origin,
            ),
            (
                "cc-resp-no-cache",
                "cache-control: max-age=10000, no-cache | expires: @10000 | date: @0",
                Origin,
            ),
            (
                "cc-resp-no-cache-case-insensitive",
                "cache-control: max-age=10000, No-CaChE | expires: @10000 | date: @0",
                Origin,
            ),
            ("cc-resp-no-cache-revalidate", r#"cache-control: no-cache | etag: "abcd""#, Origin),
            (
                "headers-omit-headers-listed-in-Cache-Control-no-cache-single",
                r#"cache-control: no-cache="a" | a: 1 | cache-control: max-age=3600"#,
                Cached,
            ),
            (
                "cc-resp-must-revalidate-fresh",
                r#"cache-control: max-age=10000, must-revalidate | etag: "abcd""#,
                Cached,
            ),
            (
                "other-heuristic-content-disposition-attachment",
                "last-modified: @-100000 | date: @0 | content-disposition: attachment",
                Cached,
            ),
            ("pragma-response-no-cache", "cache-control: max-age=3600 | pragma: no-cache", Cached),
            (
                "pragma-response-no-cache-heuristic",
                "last-modified: @-10000 | pragma: no-cache",
                Cached,
            ),
        ],
    );
    check_after(
        PAUSE,
        &[(
            "cc-resp-must-revalidate-stale",
            r#"cache-control: max-age=2, must-revalidate | etag: "abcd""#,
            Origin,
        )],
    );
}

#[test]
fn targeted_fields() {
    check_after(
        PAUSE,
        &[
            ("cdn-max-age", "cdn-cache-control: max-age=3600", Cached),
            ("cdn-max-age-max", "cdn-cache-control: max-age=2147483648", Cached),
            ("cdn-max-age-max-plus", "cdn-cache-control: max-age=99999999999", Cached),
            ("cdn-max-age-age", "date: @0 | cdn-cache-control: max-age=3600 | age: 7200", Origin),
            (
                "cdn-max-age-space-before-equals",
                "cache-control: max-age=1 | cdn-cache-control: max-age =100",
                Origin,
            ),
            (
                "cdn-max-age-space-after-equals",
                "cache-control: max-age=1 | cdn-cache-control: max-age= 100",
                Origin,
            ),
            ("cdn-max-age-0", "cdn-cache-control: max-age=0", Origin),
            ("cdn-max-age-extension", "cdn-cache-control: foobar, max-age=3600", Cached),
            (
                "cdn-max-age-case-insensitive (choice)",
                "cdn-cache-control: MaX-aGe=3600",
                Origin,
            ),
            (
                "cdn-max-age-expires",
                "cdn-cache-control: max-age=3600 | expires: @-10000 | date: @0",
                Cached,
            ),
            (
                "cdn-max-age-cc-max-age-invalid-expires",
                "cdn-cache-control: max-age=3600 | expires: 0 | date: @0",
                Cached,
            ),
            (
                "cdn-max-age-0-expires",
                "cdn-cache-control: max-age=0 | expires: @10000 | date: @0",
                Origin,
            ),
            (
                "cdn-max-age-short-cc-max-age",
                "cache-control: max-age=1 | cdn-cache-control: max-age=3600",
                Cached,
            ),
            (
                "cdn-max-age-long-cc-max-age",
                "cache-control: max-age=3600 | cdn-cache-control: max-age=1",
                Origin,
            ),
            (
                "cdn-private",
                "cdn-cache-control: private | cache-control: max-age=10000 | expires: @10000",
                Origin,
            ),
            (
                "cdn-no-cache",
                "cdn-cache-control: no-cache | cache-control: max-age=10000 | expires: @10000",
                Origin,
            ),
            (
                "cdn-no-store-cc-fresh",
                "cache-control: max-age=10000 | cdn-cache-control: no-store | expires: @10000",
                Origin,
            ),
            (
                "cdn-fresh-cc-nostore",
                "cache-control: no-store | cdn-cache-control: max-age=10000",
                Cached,
            ),
            (
                "cdn-cc-invalid-sh-type-unknown",
                "cdn-cache-control: max-age=10000, &&&&& | cache-control: no-store",
                Origin,
            ),
            (
                "cdn-cc-invalid-sh-type-wrong",
                r#"cdn-cache-control: max-age="10000" | cache-control: no-store"#,
                Origin,
            ),
        ],
    );
}

#[test]
fn surrogate_control_as_a_targeted_field() {
    let surrogate = HeaderName::from_static("surrogate-control");
    let policy = &Policy { targeted_fields: vec![surrogate], ..Policy::default() };
    let cases = [
        ("surrogate-max-age", "surrogate-control: max-age=3600", Cached),
        ("surrogate-max-age-me-target", "surrogate-control: max-age=3600;gw", Cached),
        ("surrogate-max-age-0", "surrogate-control: max-age=0", Origin),
        (
            "surrogate-max-age-long-cc-max-age",
            "cache-control: max-age=3600 | surrogate-control: max-age=1",
            Origin,
        ),
        (
            "surrogate-max-age-short-cc-max-age",
            "cache-control: max-age=1 | surrogate-control: max-age=3600",
            Cached,
        ),
        (
            "surrogate-no-store-cc-fresh",
            "cache-control: max-age=10000 | surrogate-control: no-store | expires: @10000",
            Origin,
        ),
        (
            "surrogate-fresh-cc-nostore",
            "cache-control: no-store | surrogate-control: max-age=10000;gw",
            Cached,
        ),
    ];
    check_all(&cases, |response| {
        let pause_millis = PAUSE;
        Exchange { policy, first: "", status: 200, response, pause_millis, second: "" }.next()
    });
}

#[test]
fn heuristic_freshness_by_status() {
    let policy = &Policy::default();
    let cached = [200, 203, 204, 404, 405, 410, 414, 501];
    let origin = [201, 202, 403, 502, 503, 504, 599];
    let next = |status, response| {
        let pause_millis = AT_ONCE;
        Exchange { policy, first: "", status, response, pause_millis, second: "" }.next()
    };
    let response = "last-modified: @-86400 | date: @0";
    for status in cached {
        assert_eq!(next(status, response), Cached, "heuristic-{status}-cached");
    }
    for status in origin {
        assert_eq!(next(status, response), Origin, "heuristic-{status}-not_cached");
    }
    let public = "last-modified: @-86400 | date: @0 | cache-control: public";
    assert_eq!(next(599, public), Cached, "heuristic-599-cached");
}

#[test]
fn heuristic_freshness_is_a_tenth() {
    for (delta, expected) in [(5, Origin), (30, Origin), (60, Cached), (86_400, Cached)] {
        let response = format!("last-modified: @-{delta} | date: @0");
        check_after(PAUSE, &[("heuristic-delta", &response, expected)]);
    }
}

#[test]
fn status_codes_with_explicit_freshness() {
    let policy = &Policy::default();
    let statuses = [
        200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599,
    ];
    let next = |status, response| {
        let pause_millis = AT_ONCE;
        Exchange { policy, first: "", status, response, pause_millis, second: "" }.next()
    };
    for status in statuses {
        let fresh = "expires: @100000 | last-modified: @0 | date: @0";
        assert_eq!(next(status, fresh), Cached, "status-{status}-fresh");
        let stale = "expires: @-5000 | last-modified: @-100000 | date: @0";
        assert_eq!(next(status, stale), Origin, "status-{status}-stale");
    }
    let demanding = "cache-control: max-age=3600, must-understand";
    assert_eq!(next(599, demanding), Origin, "status-599-must-understand");
    let addressed = "cache-control: max-age=3600, must-understand, no-store";
    assert_eq!(next(200, addressed), Cached, "a status that is understood");
}

#[test]
fn authorized_requests() {
    let policy = &Policy::default();
    let cases = [
        ("other-authorization", "expires: @2592000 | date: @0", Origin),
        ("other-authorization-public", "cache-control: max-age=3600, public", Cached),
        (
            "other-authorization-must-revalidate",
            "cache-control: max-age=3600, must-revalidate",
            Cached,
        ),
        ("other-authorization-smaxage", "cache-control: s-maxage=3600", Cached),
    ];
    check_all(&cases, |response| {
        let first = "authorization: FOO";
        let pause_millis = PAUSE;
        Exchange { policy, first, status: 200, response, pause_millis, second: "" }.next()
    });
}

#[test]
fn cookies() {
    let response = "cache-control: max-age=3600 | set-cookie: a=b";
    check_after(AT_ONCE, &[("other-set-cookie, the safer default", response, Origin)]);
    let policy = &Policy { set_cookie: SetCookie::Allow, ..Policy::default() };
    check_all(&[("other-set-cookie", response, Cached)], |response| {
        let pause_millis = AT_ONCE;
        Exchange { policy, first: "", status: 200, response, pause_millis, second: "" }.next()
    });
    let policy = &Policy::default();
    check_all(&[("other-cookie", "cache-control: max-age=3600", Cached)], |response| {
        let second = "cookie: a=b";
        Exchange { policy, first: "", status: 200, response, pause_millis: AT_ONCE, second }.next()
    });
}

#[test]
fn request_directives_where_clients_are_obeyed() {
    let policy =
        &Policy { client_directives: ClientDirectives::Obey, ..Policy::default() };
    let fresh = "expires: @100000 | last-modified: @0 | date: @0";
    let cases = [
        ("ccreq-ma0", fresh, PAUSE, "cache-control: max-age=0", Origin),
        ("ccreq-ma1", fresh, PAUSE, "cache-control: max-age=1", Origin),
        (
            "ccreq-magreaterage",
            "cache-control: max-age=3600 | age: 1800",
            AT_ONCE,
            "cache-control: max-age=600",
            Origin,
        ),
        (
            "ccreq-max-stale",
            "cache-control: max-age=1",
            PAUSE,
            "cache-control: max-stale=1000",
            Cached,
        ),
        (
            "ccreq-max-stale-age",
            "cache-control: max-age=1500 | age: 2000",
            AT_ONCE,
            "cache-control: max-stale=1000",
            Cached,
        ),
        (
            "ccreq-min-fresh",
            "cache-control: max-age=1500",
            AT_ONCE,
            "cache-control: min-fresh=2000",
            Origin,
        ),
        (
            "ccreq-min-fresh-age",
            "cache-control: max-age=1500 | age: 1000",
            AT_ONCE,
            "cache-control: min-fresh=1000",
            Origin,
        ),
        (
            "ccreq-no-cache",
            "cache-control: max-age=3600",
            AT_ONCE,
            "cache-control: no-cache",
            Origin,
        ),
        (
            "ccreq-no-store (choice)",
            "cache-control: max-age=3600",
            AT_ONCE,
            "cache-control: no-store",
            Cached,
        ),
        ("pragma-request-no-cache", fresh, AT_ONCE, "pragma: no-cache", Origin),
        ("pragma-request-extension", fresh, AT_ONCE, "pragma: unrecognised-extension", Cached),
    ];
    for (id, response, pause_millis, second, expected) in cases {
        let exchange = Exchange { policy, first: "", status: 200, response, pause_millis, second };
        assert_eq!(exchange.next(), expected, "{id}");
    }
}

#[test]
fn vary() {
    let policy = &Policy::default();
    let cases = [
        ("vary-match", "foo: 1", "Foo", "foo: 1", Cached),
        ("vary-no-match", "foo: 1", "Foo", "foo: 2", Origin),
        ("vary-omit-stored", "", "Foo", "foo: 1", Origin),
        ("vary-omit", "foo: 1", "Foo", "", Origin),
        ("vary-cache-key", "foo: 1 | other: 2", "Foo", "foo: 1 | other: 3", Cached),
        ("vary-2-match", "foo: 1 | bar: abc", "Foo, Bar", "foo: 1 | bar: abc", Cached),
        ("vary-2-no-match", "foo: 1 | bar: abc", "Foo, Bar", "foo: 2 | bar: abc", Origin),
        ("vary-2-match-omit", "foo: 1", "Foo, Bar", "", Origin),
        (
            "vary-3-match",
            "foo: 1 | bar: abc | baz: 789",
            "Foo, Bar, Baz",
            "foo: 1 | bar: abc | baz: 789",
            Cached,
        ),
        (
            "vary-3-no-match",
            "foo: 1 | bar: abc | baz: 789",
            "Foo, Bar, Baz",
            "foo: 2 | bar: abc | baz: 789",
            Origin,
        ),
        (
            "vary-3-order",
            "foo: 1 | bar: abc4 | baz: 789",
            "Foo, Bar, Baz",
            "foo: 1 | bar: abc | baz: 789",
            Origin,
        ),
        ("vary-3-omit", "foo: 1 | baz: 789", "Foo, Bar, Baz", "foo: 1 | baz: 789", Cached),
        ("vary-star", "foo: 1 | baz: 789", "*", "foo: 1 | baz: 789", Origin),
        ("vary-syntax-star-star", "foo: 1", "*, *", "foo: 1", Origin),
        ("vary-syntax-star-star-lines", "foo: 1", "* | vary: *", "foo: 1", Origin),
        ("vary-syntax-empty-star", "foo: 1", ", *", "foo: 1", Origin),
        ("vary-syntax-empty-star-lines", "foo: 1", " | vary: *", "foo: 1", Origin),
        ("vary-syntax-star-foo", "foo: 1", "*, Foo", "foo: 1", Origin),
        ("vary-syntax-foo-star", "foo: 1", "Foo, *", "foo: 1", Origin),
        ("vary-normalise-combine", "foo: 1, 2", "Foo", "foo: 1 | foo: 2", Cached),
        (
            "vary-normalise-lang-order",
            "accept-language: en, de",
            "Accept-Language",
            "accept-language: de, en",
            Cached,
        ),
        (
            "vary-normalise-lang-case",
            "accept-language: en, de",
            "Accept-Language",
            "accept-language: eN, De",
            Cached,
        ),
        (
            "vary-normalise-lang-space",
            "accept-language: en, de",
            "Accept-Language",
            "accept-language: en ,   de",
            Cached,
        ),
        (
            "vary-normalise-lang-select: not the same request (RFC 9111 section 4.1)",
            "accept-language: en, de",
            "Accept-Language",
            "accept-language: fr;q=0.5, de;q=1.0",
            Origin,
        ),
        ("vary-normalise-space", "foo: 1,2", "Foo", "foo: 1, 2 ", Cached),
    ];
    for (id, first, vary, second, expected) in cases {
        let response = &format!("expires: @5000 | last-modified: @-3000 | date: @0 | vary: {vary}");
        let exchange =
            Exchange { policy, first, status: 200, response, pause_millis: AT_ONCE, second };
        assert_eq!(exchange.next(), expected, "{id}");
    }
}
