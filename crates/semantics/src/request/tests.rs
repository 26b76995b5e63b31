use super::*;
use crate::case::asked;

#[test]
fn only_methods_whose_responses_are_reused_look() {
    let put: Method = Method::PUT;
    let policy = Policy { listed_methods: vec![Method::POST, put], ..Policy::default() };
    let plain = Policy::default();
    for (method, by_default, when_listed) in [
        ("GET", Lookup::Look, Lookup::Look),
        ("HEAD", Lookup::Look, Lookup::Look),
        ("GET range: bytes=0-1", Lookup::Look, Lookup::Look),
        ("GET cache-control: no-store", Lookup::Look, Lookup::Look),
        ("POST", Lookup::Pass(PassReason::Method), Lookup::Look),
        ("PUT", Lookup::Pass(PassReason::Method), Lookup::Look),
        ("DELETE", Lookup::Pass(PassReason::Method), Lookup::Pass(PassReason::Method)),
        ("get", Lookup::Pass(PassReason::Method), Lookup::Pass(PassReason::Method)),
    ] {
        assert_eq!(lookup(&asked(method, &plain)), by_default, "{method}");
        assert_eq!(lookup(&asked(method, &policy)), when_listed, "{method}");
    }
    assert_eq!(PassReason::Method.forward(), Forward::Method);
    assert_eq!(PassReason::Method.detail(), "method-not-cacheable");
}

#[test]
fn every_method_that_is_not_known_to_be_safe_is_unsafe() {
    for (method, expected) in [
        ("GET", false),
        ("HEAD", false),
        ("OPTIONS", false),
        ("PROPFIND", false),
        ("QUERY", false),
        ("POST", true),
        ("PUT", true),
        ("PATCH", true),
        ("DELETE", true),
        ("M-SEARCH", true),
        ("WHATEVER", true),
    ] {
        assert_eq!(asked(method, &Policy::default()).is_unsafe(), expected, "{method}");
    }
}

#[test]
fn the_facts_are_read() {
    let policy = &Policy::default();
    let found = asked("GET authorization: x | range: bytes=0-1", policy);
    assert_eq!((found.credentials, found.extent), (Credentials::Present, Extent::Ranges));
    // A range is meant for GET alone.
    assert_eq!(asked("HEAD range: bytes=0-1", policy).extent, Extent::Whole);
    assert!(asked("GET cache-control: no-store", policy).forbids_storing());
    assert!(asked("GET cache-control: only-if-cached", policy).is_only_if_cached());
}

#[test]
fn a_reload_counts_only_where_clients_are_obeyed() {
    let obeying = &Policy { client_directives: ClientDirectives::Obey, ..Policy::default() };
    for text in ["GET cache-control: no-cache", "GET pragma: no-cache"] {
        assert!(asked(text, obeying).directives().no_cache, "{text}");
        assert!(!asked(text, &Policy::default()).directives().no_cache, "{text}");
    }
    assert_eq!(asked("GET cache-control: max-age=0", obeying).max_age(), Some(Seconds::ZERO));
}
