use http::header::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::case::fields;

fn heard(text: &str) -> CacheControl {
    CacheControl::of_response(&fields(text), &[HeaderName::from_static("cdn-cache-control")])
}

fn named(names: &[&'static str]) -> NameSet {
    names.iter().map(|name| HeaderName::from_static(name)).collect()
}

#[test]
fn directives_count_whatever_their_case_and_line() {
    let found = heard(
        "cache-control: PUBLIC, Must-Revalidate,proxy-revalidate | \
         cache-control: no-transform,,immutable, Stale-While-Revalidate=5 | \
         cache-control: stale-if-error=\"7\"",
    );
    let expected = CacheControl {
        public: true,
        must_revalidate: true,
        proxy_revalidate: true,
        no_transform: true,
        immutable: true,
        stale_while_revalidate: Some(Seconds::new(5)),
        stale_if_error: Some(Seconds::new(7)),
        ..CacheControl::default()
    };
    assert_eq!(found, expected);
}

#[test]
fn a_span_is_digits_or_nothing() {
    for (text, expected) in [
        ("max-age=0", Some(0)),
        ("max-age=\"60\"", Some(60)),
        ("max-age=2147483648", Some(1 << 31)),
        ("max-age=2147483649", Some(1 << 31)),
        ("max-age=99999999999999999999999999999", Some(1 << 31)),
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=\"", Some(0)),
        ("max-age=\"60", Some(0)),
        ("max-age=\"6\"0", Some(0)),
        ("max-age=+60", Some(0)),
        ("max-age=60;a", Some(0)),
        ("x-max-age=60", None),
        ("max-age60", None),
        ("max-age=60, max-age=30, max-age=45", Some(30)),
        ("max-age=60, max-age=x", Some(0)),
    ] {
        let found = heard(&format!("cache-control: {text}")).max_age;
        assert_eq!(found.map(Seconds::get), expected, "{text}");
    }
}

#[test]
fn what_restricts_counts_however_badly_it_is_written() {
    for text in ["no-store=1", "no-store=\"\"", "no-store =x", "a=b, no-store"] {
        assert!(heard(&format!("cache-control: {text}")).no_store, "{text}");
    }
    for text in ["no-store-not", "x=\"no-store\"", "x=\"a, no-store\""] {
        assert!(!heard(&format!("cache-control: {text}")).no_store, "{text}");
    }
    assert!(!heard("cache-control: public=1, immutable=\"x\"").public);
}

#[test]
fn private_and_no_cache_may_name_fields() {
    for (text, private, no_cache, withheld) in [
        ("private=\"a, B\"", false, false, &["a", "b"][..]),
        ("no-cache=\"set-cookie\"", false, false, &["set-cookie"]),
        ("no-cache=set-cookie", false, false, &["set-cookie"]),
        ("private=\"a\", no-cache", false, true, &["a"]),
        ("private=\"a\", private", true, false, &["a"]),
        ("private=\"\"", true, false, &[]),
        ("private=", true, false, &[]),
        ("private=\"a b\"", true, false, &[]),
        ("no-cache=\"a, \"", false, false, &["a"]),
        ("no-cache=\"a", false, true, &[]),
    ] {
        let found = heard(&format!("cache-control: {text}"));
        assert_eq!((found.private, found.no_cache), (private, no_cache), "{text}");
        assert_eq!(found.withheld, named(withheld), "{text}");
    }
}

#[test]
fn a_targeted_field_replaces_cache_control_when_it_parses() {
    for (targeted, expected) in [
        ("max-age=5", Some(5)),
        ("max-age=5;ext=1", Some(5)),
        ("max-age=5 | cdn-cache-control: max-age=7", Some(7)),
        ("no-transform", None),
        ("max-age=5.5", Some(0)),
        ("max-age=-5", Some(0)),
        ("max-age=\"5\"", Some(0)),
        ("max-age=(5)", Some(0)),
        ("max-age", Some(0)),
        ("max-age=?0", None),
        ("", Some(60)),
        ("max-age =5", Some(60)),
        ("Max-Age=5", Some(60)),
        ("max-age=5,", Some(60)),
        ("max-age=5, &", Some(60)),
    ] {
        let found = heard(&format!("cache-control: max-age=60 | cdn-cache-control: {targeted}"));
        assert_eq!(found.max_age.map(Seconds::get), expected, "{targeted}");
    }
}

#[test]
fn a_targeted_field_may_name_fields_and_deny() {
    let found = heard("cdn-cache-control: private=\"a, b\", no-cache=c, no-store=?0, public");
    let withheld = named(&["a", "b", "c"]);
    let source = DirectiveSource::Targeted;
    let expected = CacheControl { withheld, public: true, source, ..CacheControl::default() };
    assert_eq!(found, expected);
    assert!(heard("cdn-cache-control: no-store=1").no_store);
    assert!(!heard("cdn-cache-control: public=1").public);
}

#[test]
fn the_first_targeted_field_that_parses_wins() {
    let list = ["forebay-cache-control", "cdn-cache-control"].map(HeaderName::from_static);
    let head = fields(
        "forebay-cache-control: broken= | cdn-cache-control: max-age=5 | cache-control: no-store",
    );
    let found = CacheControl::of_response(&head, &list);
    assert_eq!(found.max_age, Some(Seconds::new(5)));
    assert!(!found.no_store);
}

#[test]
fn request_directives_are_read_and_the_strictest_counts() {
    let found = RequestDirectives::of(&fields(
        "cache-control: max-age=5, MAX-AGE=7, min-fresh=1, min-fresh=2 | \
         cache-control: max-stale, max-stale=9, only-if-cached, no-store",
    ));
    let expected = RequestDirectives {
        no_store: true,
        no_cache: false,
        only_if_cached: true,
        max_age: Some(Seconds::new(5)),
        min_fresh: Some(Seconds::new(2)),
        max_stale: Some(Seconds::new(9)),
    };
    assert_eq!(found, expected);
    let bare = RequestDirectives::of(&fields("cache-control: max-stale"));
    assert_eq!(bare.max_stale, Some(Seconds::MAX));
}

#[test]
fn pragma_counts_only_without_cache_control() {
    for (text, expected) in [
        ("pragma: no-cache", true),
        ("pragma: x, No-Cache", true),
        ("pragma: x", false),
        ("pragma: no-cache | cache-control: max-age=5", false),
        ("cache-control: no-cache", true),
    ] {
        assert_eq!(RequestDirectives::of(&fields(text)).no_cache, expected, "{text}");
    }
}

#[test]
fn a_protected_origin_hears_only_what_cannot_hurt_it() {
    let all = fields(
        "cache-control: no-cache, no-store, only-if-cached, max-age=0, min-fresh=1, max-stale",
    );
    let expected =
        RequestDirectives { no_store: true, only_if_cached: true, ..RequestDirectives::default() };
    assert_eq!(RequestDirectives::of(&all).protected(), expected);
}

proptest! {
    #[test]
    fn no_value_panics(bytes: Vec<u8>) {
        let mut head = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            head.insert("cache-control", value.clone());
            head.insert("cdn-cache-control", value.clone());
            head.insert("pragma", value);
        }
        CacheControl::of_response(&head, &[]);
        CacheControl::of_response(&head, &[HeaderName::from_static("cdn-cache-control")]);
        RequestDirectives::of(&head);
    }

    #[test]
    fn nothing_like_a_directive_panics(text in r#"([a-z-]{1,9}=?[ "\\,0-9a-z]{0,6},? ?){0,6}"#) {
        heard(&format!("cache-control: {text}"));
        heard(&format!("cdn-cache-control: {text}"));
    }
}
