use http::{HeaderName, HeaderValue, Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::Timestamp;
use crate::policy::ShownTags;
use crate::request::Asked;
use crate::stored::Stored;
use crate::storing::{DeclineReason, Storing, storing};

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |&(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::try_from(value).unwrap())
    };
    let mut map = HeaderMap::new();
    for (name, value) in lines.iter().map(line) {
        map.append(name, value);
    }
    map
}

#[test]
fn each_field_has_a_form_of_its_own() {
    let check = |lines: &[(&'static str, &str)], expected: &str| {
        let tags = Tags::of(&fields(lines), &Policy::default()).unwrap();
        let said: Vec<_> = tags
            .iter()
            .map(|tag| match tag.kind {
                TagKind::Tag => tag.name.to_owned(),
                TagKind::Group => format!("({})", tag.name),
            })
            .collect();
        assert_eq!(said.join("|"), expected, "{lines:?}");
    };
    check(&[], "");
    check(&[("surrogate-key", "sale  shoes\tred ")], "sale|shoes|red");
    check(&[("surrogate-key", "a"), ("surrogate-key", "b,c")], "a|b,c");
    check(&[("cache-tag", "a, b c,,d")], "a|b c|d");
    check(&[("cache-groups", "\"one\", \"two\";q=1")], "(one)|(two)");
    check(&[("cache-groups", "\"one\""), ("cache-groups", "\"two\"")], "(one)|(two)");
    check(&[("cache-tag", "a"), ("surrogate-key", "a")], "a|a");
    // RFC 9875 section 2: a list with another member is not there.
    check(&[("cache-groups", "\"one\", two")], "");
    check(&[("cache-groups", "\"one")], "");
    check(&[("x-other", "a")], "");
}

#[test]
fn too_many_too_long_or_no_text_is_not_kept() {
    let policy = Policy::default();
    let check = |value: HeaderValue, is_kept: bool| {
        let mut map = fields(&[("cache-control", "max-age=60")]);
        map.insert("surrogate-key", value);
        assert_eq!(Tags::of(&map, &policy).is_ok(), is_kept);
        let asked = Asked::of(&Method::GET, &HeaderMap::new(), &policy);
        let expected = match is_kept {
            true => Storing::Keep,
            false => Storing::Decline(DeclineReason::Tags),
        };
        assert_eq!(storing(&asked, StatusCode::OK, &map, &policy), expected);
    };
    let words = |count: usize| HeaderValue::try_from(vec!["ab"; count].join(" ")).unwrap();
    check(words(TAGS_MAX), true);
    check(words(TAGS_MAX + 1), false);
    let long = |bytes: usize| HeaderValue::try_from("a".repeat(bytes)).unwrap();
    check(long(TAG_BYTES_MAX - 2), true);
    check(long(TAG_BYTES_MAX - 1), false);
    check(HeaderValue::from_bytes(b"caf\xe9").unwrap(), false);
    check(HeaderValue::from_bytes("café".as_bytes()).unwrap(), true);
}

#[test]
fn tags_are_kept_beside_the_fields_and_survive_a_304() {
    let at = Timestamp::from_unix_seconds(1_800_000_000);
    let policy = Policy::default();
    let asked = Asked::of(&Method::GET, &HeaderMap::new(), &policy);
    let said = fields(&[("cache-tag", "a,b"), ("etag", "\"1\""), ("cache-control", "max-age=60")]);
    let stored = Stored::new(&policy, &asked, StatusCode::OK, &said, at, at);
    assert_eq!(stored.fields().first("cache-tag"), None);
    assert_eq!(stored.tags().as_str(), "ta\ntb\n");

    let silent = stored.freshen(&policy, &fields(&[("etag", "\"1\"")]), at, at);
    assert_eq!(silent.tags(), stored.tags());
    let other = stored.freshen(&policy, &fields(&[("cache-tag", "c")]), at, at);
    assert_eq!(other.tags().as_str(), "tc\n");

    let shown = Policy { shown_tags: ShownTags::PassedOn, ..Policy::default() };
    let stored = Stored::new(&shown, &asked, StatusCode::OK, &said, at, at);
    assert_eq!(stored.fields().first("cache-tag"), Some(&b"a,b"[..]));
}

#[test]
fn an_unsafe_request_names_groups_to_spoil() {
    let check = |value: &str, expected: &[&str]| {
        assert_eq!(spoiled_groups(&fields(&[("cache-group-invalidation", value)])), expected);
    };
    check("\"a\", \"b c\"", &["a", "b c"]);
    check("a", &[]);
    check("\"a\", 1", &[]);
}

proptest! {
    #[test]
    fn what_is_stored_reads_back_and_nothing_else_does(bytes in proptest::collection::vec(
        prop_oneof![Just(b't'), Just(b'g'), Just(b'\n'), any::<u8>()], 0..40,
    )) {
        if let Some(tags) = Tags::from_stored(&bytes) {
            prop_assert_eq!(tags.as_str().as_bytes(), &bytes[..]);
        }
        let mut map = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(&bytes) {
            map.insert("cache-tag", value);
        }
        if let Ok(tags) = Tags::of(&map, &Policy::default()) {
            prop_assert_eq!(Tags::from_stored(tags.as_str().as_bytes()), Some(tags));
        }
    }
}
