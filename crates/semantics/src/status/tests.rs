//! What `Cache-Status` promises, as tables.

use std::collections::HashSet;

use http::{HeaderMap, HeaderValue, StatusCode};
use proptest::prelude::*;
use sfv::Parser;

use super::*;

fn text(status: &CacheStatus<'_>) -> String {
    let mut out = Vec::new();
    status.write(&mut out);
    String::from_utf8(out).unwrap()
}

fn forward(reason: Forward) -> CacheStatus<'static> {
    CacheStatus::new("forebay", Source::Forward(reason))
}

#[test]
fn a_status_is_written_as_the_rfc_shows() {
    let check = |status: CacheStatus<'_>, expected: &str| assert_eq!(text(&status), expected);
    let hit = CacheStatus::new("forebay", Source::Hit);
    check(hit, "forebay; hit");
    check(CacheStatus { ttl: Some(376), ..hit }, "forebay; hit; ttl=376");
    check(CacheStatus { ttl: Some(-412), ..hit }, "forebay; hit; ttl=-412");
    check(CacheStatus { ttl: Some(0), ..hit }, "forebay; hit; ttl=0");
    check(CacheStatus { ttl: Some(i64::MIN), ..hit }, "forebay; hit; ttl=-999999999999999");
    // What belongs to going forward is not said of a hit.
    let odd = CacheStatus { stored: true, collapsed: true, ..hit };
    check(CacheStatus { fwd_status: Some(StatusCode::OK), ..odd }, "forebay; hit");

    let miss = forward(Forward::UriMiss);
    check(miss, "forebay; fwd=uri-miss");
    check(CacheStatus { stored: true, ..miss }, "forebay; fwd=uri-miss; stored");
    check(CacheStatus { collapsed: true, ..miss }, "forebay; fwd=uri-miss; collapsed");
    let stale = CacheStatus {
        fwd_status: Some(StatusCode::NOT_MODIFIED),
        ttl: Some(30),
        stored: true,
        collapsed: true,
        detail: Some(Detail::HitForMiss.word()),
        ..forward(Forward::Stale)
    };
    check(
        stale,
        "forebay; fwd=stale; fwd-status=304; stored; collapsed; ttl=30; detail=hit-for-miss",
    );
    let own = CacheStatus::new("forebay", Source::Own);
    check(CacheStatus { detail: Some("no-route"), ..own }, "forebay; detail=no-route");
}

#[test]
fn what_is_no_token_is_written_as_a_string() {
    let name = |name| text(&CacheStatus::new(name, Source::Hit));
    assert_eq!(name("cache.example:8080/a"), "cache.example:8080/a; hit");
    assert_eq!(name("10.0.0.1"), "\"10.0.0.1\"; hit");
    assert_eq!(name(""), "\"\"; hit");
    assert_eq!(name("my \"own\" \\ cache"), r#""my \"own\" \\ cache"; hit"#);
    assert_eq!(name("a\r\nb: ü\u{7f}"), "\"a%0D%0Ab: %C3%BC%7F\"; hit");
    let keyed = CacheStatus { key: Some("/a?b"), ..CacheStatus::new("f", Source::Hit) };
    assert_eq!(text(&keyed), "f; hit; key=\"/a?b\"");
    let long = "x".repeat(1000);
    let long = CacheStatus { key: Some(&long), ..keyed };
    assert_eq!(text(&long).len(), "f; hit; key=\"\"".len() + STRING_BYTES_MAX);
}

#[test]
fn our_member_stands_behind_those_of_the_caches_nearer_the_origin() {
    let mut fields = HeaderMap::new();
    fields.append("cache-status", HeaderValue::from_static("origin-cache; hit; ttl=1"));
    CacheStatus::new("forebay", Source::Hit).append_to(&mut fields);
    let lines: Vec<_> = fields.get_all("cache-status").iter().collect();
    assert_eq!(lines, ["origin-cache; hit; ttl=1", "forebay; hit"]);
}

#[test]
fn every_reason_has_one_word_of_its_own() {
    let words: Vec<&str> = Detail::ALL.iter().map(|detail| detail.word()).collect();
    let is_kebab = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    assert!(words.iter().all(is_kebab));
    assert_eq!(words.iter().collect::<HashSet<_>>().len(), words.len());
    let forwards: HashSet<&str> = Forward::ALL.iter().map(|forward| forward.word()).collect();
    assert_eq!(forwards.len(), Forward::ALL.len());
}

#[test]
fn the_old_fields_have_a_word_for_each_status() {
    let check = |source, ttl, stored, expected: [&str; 2]| {
        let status = CacheStatus { ttl, stored, ..CacheStatus::new("f", source) };
        assert_eq!([status.x_cache(), status.x_store()], expected, "{source:?}");
    };
    check(Source::Hit, Some(1), false, ["HIT", "NONE"]);
    check(Source::Hit, None, false, ["HIT", "NONE"]);
    check(Source::Hit, Some(-1), false, ["STALE", "NONE"]);
    check(Source::Forward(Forward::UriMiss), None, true, ["MISS", "STORED"]);
    check(Source::Forward(Forward::VaryMiss), None, false, ["MISS", "BYPASS"]);
    check(Source::Forward(Forward::Stale), None, true, ["EXPIRED", "STORED"]);
    check(Source::Forward(Forward::Bypass), None, false, ["BYPASS", "BYPASS"]);
    check(Source::Forward(Forward::Method), None, false, ["BYPASS", "BYPASS"]);
    check(Source::Own, None, false, ["BYPASS", "NONE"]);
}

proptest! {
    #[test]
    fn whatever_is_said_is_a_structured_field(
        name: String,
        key: Option<String>,
        ttl: Option<i64>,
        reason in 0..10_usize,
        detail in 0..Detail::ALL.len(),
    ) {
        let source = match reason {
            8 => Source::Hit,
            9 => Source::Own,
            reason => Source::Forward(Forward::ALL[reason]),
        };
        let detail = Some(Detail::ALL[detail].word());
        let key = key.as_deref();
        let status = CacheStatus { key, ttl, detail, ..CacheStatus::new(&name, source) };
        let line = text(&status);
        prop_assert!(HeaderValue::from_str(&line).is_ok());
        prop_assert!(Parser::new(&line).parse::<sfv::List>().is_ok(), "{line}");
    }
}
