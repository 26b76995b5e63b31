use http::Method;
use proptest::prelude::*;

use super::*;
use crate::Policy;
use crate::case::{asked, fields};

const TARGET: &str = "http://example.com/a/b?q=1";

fn check(method: &str, status: u16, head: &str, expected: &[&str]) {
    let asked = asked(method, &Policy::default());
    let status = StatusCode::from_u16(status).unwrap();
    let found = spoiled(&asked, &TARGET.parse().unwrap(), status, &fields(head));
    let found: Vec<_> = found.iter().map(Uri::to_string).collect();
    assert_eq!(found, expected, "{method} {status} {head}");
}

#[test]
fn success_of_an_unsafe_method_spoils_the_target() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        check(method, 200, "", &[TARGET]);
        check(method, 303, "", &[TARGET]);
    }
    check("POST", 404, "", &[]);
    check("POST", 500, "", &[]);
    check("GET", 200, "location: /x", &[]);
    check("OPTIONS", 200, "", &[]);
}

#[test]
fn a_listed_method_is_as_good_as_get() {
    let policy = &Policy { listed_methods: vec![Method::POST], ..Policy::default() };
    let target: Uri = TARGET.parse().unwrap();
    let found = spoiled(&asked("POST", policy), &target, StatusCode::OK, &HeaderMap::new());
    assert!(found.is_empty());
}

#[test]
fn locations_spoil_on_the_same_origin_only() {
    for (location, expected) in [
        ("/x", Some("http://example.com/x")),
        ("x?y", Some("http://example.com/a/x?y")),
        ("", None),
        ("#part", None),
        ("?z", Some("http://example.com/a/b?z")),
        (".", Some("http://example.com/a/")),
        ("../c/./d", Some("http://example.com/c/d")),
        ("../../../..", Some("http://example.com/")),
        ("x:y", None),
        ("./x:y", Some("http://example.com/a/x:y")),
        ("//example.com/x", Some("http://example.com/x")),
        ("//other.com/x", None),
        ("http://EXAMPLE.com:80/x/../y#z", Some("http://example.com/y")),
        ("http://example.com", Some("http://example.com/")),
        ("http://example.com:81/x", None),
        ("https://example.com/x", None),
        ("http://user@example.com/x", Some("http://example.com/x")),
        ("http://other.com/x", None),
        ("http://[::1", None),
        ("mailto:a@b", None),
    ] {
        let head = format!("location: {location}");
        let all: Vec<&str> = [TARGET].into_iter().chain(expected).collect();
        check("POST", 201, &head, &all);
        check("POST", 201, &format!("content-{head}"), &all);
    }
}

#[test]
fn both_locations_count_and_nothing_twice() {
    check(
        "PUT",
        201,
        "location: /x | content-location: /y",
        &[TARGET, "http://example.com/x", "http://example.com/y"],
    );
    check("PUT", 201, "location: /x | content-location: /x", &[TARGET, "http://example.com/x"]);
}

proptest! {
    #[test]
    fn no_reference_panics(bytes: Vec<u8>) {
        resolve(&TARGET.parse().unwrap(), &bytes);
        resolve(&"/only/a/path".parse().unwrap(), &bytes);
        resolve(&"*".parse().unwrap(), &bytes);
    }

    #[test]
    fn what_is_spoiled_is_on_the_targets_origin(reference in "(http://|//)?[a-z.:/?#]{0,12}") {
        let target: Uri = TARGET.parse().unwrap();
        if let Some(uri) = resolve(&target, reference.as_bytes()) {
            prop_assert_eq!(uri.authority(), target.authority());
            prop_assert_eq!(uri.scheme(), target.scheme());
        }
    }
}
