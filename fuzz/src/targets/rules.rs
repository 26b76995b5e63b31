//! The rules of a cache on whatever fields a client and an origin send.
//!
//! An input is text: the request's fields, an empty line, the response's status and fields.

use std::time::Duration;

use forebay_semantics::Standing;
use forebay_semantics::date::Timestamp;
use forebay_semantics::policy::{ClientDirectives, Policy, SetCookie};
use forebay_semantics::range::wanted;
use forebay_semantics::request::{Asked, lookup};
use forebay_semantics::reuse::reuse;
use forebay_semantics::stored::Stored;
use forebay_semantics::storing::storing;
use forebay_semantics::validation::{Validators, evaluate};
use forebay_semantics::variants::Vary;
use http::{HeaderMap, Method, StatusCode};

use crate::head::{fields, split, status_and_fields};

/// Names and values that mean something to a cache.
pub const WORDS: &[&[u8]] = &[
    b"Cache-Control: ",
    b"CDN-Cache-Control: ",
    b"Age: ",
    b"Date: ",
    b"Expires: ",
    b"Vary: ",
    b"ETag: ",
    b"Last-Modified: ",
    b"If-None-Match: ",
    b"If-Modified-Since: ",
    b"If-Range: ",
    b"Range: bytes=",
    b"Pragma: no-cache",
    b"Authorization: x",
    b"Set-Cookie: a=b",
    b"max-age=",
    b"s-maxage=",
    b"no-store",
    b"no-cache=\"",
    b"private",
    b"must-understand",
    b"public",
    b"must-revalidate",
    b"stale-while-revalidate=",
    b"stale-if-error=",
    b"immutable",
    b"min-fresh=",
    b"max-stale",
    b"only-if-cached",
    b"W/\"",
    b"\"",
    b"*",
    b", ",
    b"\n",
    b"\n\n",
    b"200\n",
    b"206\n",
    b"304\n",
    b"2147483648",
    b"18446744073709551616",
    b"-1",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
];

const RECEIVED: Timestamp = Timestamp::from_unix_millis(1_700_000_000_000);
const RANGES_MAX: usize = 16;

/// Every rule answers, whatever it is asked.
pub fn run(bytes: &[u8]) {
    let (request, response) = split(bytes);
    let request = fields(request);
    let (status, response) = status_and_fields(response);
    let obeying = Policy {
        client_directives: ClientDirectives::Obey,
        set_cookie: SetCookie::Allow,
        stale_while_revalidate: Duration::from_secs(60),
        ..Policy::default()
    };
    for policy in [Policy::default(), obeying] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            ask(&method, &request, status, &response, &policy);
        }
    }
}

fn ask(
    method: &Method,
    request: &HeaderMap,
    status: StatusCode,
    response: &HeaderMap,
    policy: &Policy,
) {
    let asked = Asked::of(method, request, policy);
    lookup(&asked);
    storing(&asked, status, response, policy);
    // Also what may not be kept must do no harm when it is there.
    let stored = Stored::new(policy, &asked, status, response, RECEIVED, RECEIVED);
    for later in [0, 1, 3_600, u64::MAX / 1_000_000] {
        let now = RECEIVED.saturating_add(Duration::from_secs(later));
        reuse(&asked, &stored, policy, &Standing::default(), now);
        assert_eq!(stored.is_fresh(now), stored.staleness(now).is_none());
        stored.ttl_seconds(now);
    }
    let validators = Validators::of(response, RECEIVED);
    evaluate(method, status, request, &validators);
    wanted(method, status, request, &validators, 10_000, RANGES_MAX);
    Vary::of(response);
}
