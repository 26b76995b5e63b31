//! What entity tags promise, as tables.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;

use super::*;

fn strong(opaque: &str) -> Option<EntityTag<'_>> {
    Some(EntityTag { strength: Strength::Strong, opaque: opaque.as_bytes() })
}

fn weak(opaque: &str) -> Option<EntityTag<'_>> {
    Some(EntityTag { strength: Strength::Weak, opaque: opaque.as_bytes() })
}

#[test]
fn one_tag_is_read_and_a_broken_one_vouches_for_nothing() {
    let check = |value: &str, tag| assert_eq!(EntityTag::parse(value.as_bytes()), tag, "{value}");
    check(r#""xyzzy""#, strong("xyzzy"));
    check(r#"W/"xyzzy""#, weak("xyzzy"));
    check(r#""""#, strong(""));
    check(r#" "a,b c" "#, strong("a,b c"));
    check(r#""a\b""#, strong(r"a\b"));
    check("\"ü\"", strong("ü"));
    check(r#"w/"xyzzy""#, weak("xyzzy"));
    check("xyzzy", weak("xyzzy"));
    check("W/xyzzy", weak("xyzzy"));
    check(r#""a", "b""#, None);
    check(r#""a"-gzip"#, None);
    check(r#""a"#, None);
    check("", None);
    check(",", None);
    check("W/", None);
}

#[test]
fn tags_compare_as_the_rfc_tables_them() {
    // RFC 9110 section 8.8.3.2, table 3.
    let check = |left: &str, right: &str, by_strong: &str, by_weak: &str| {
        let left = EntityTag::parse(left.as_bytes()).unwrap();
        let right = EntityTag::parse(right.as_bytes()).unwrap();
        assert_eq!(left.matches(right, Comparison::Strong), by_strong == "match");
        assert_eq!(left.matches(right, Comparison::Weak), by_weak == "match");
    };
    check(r#"W/"1""#, r#"W/"1""#, "no match", "match");
    check(r#"W/"1""#, r#"W/"2""#, "no match", "no match");
    check(r#"W/"1""#, r#""1""#, "no match", "match");
    check(r#""1""#, r#""1""#, "match", "match");
    check("1", "1", "no match", "match");
    check("1", r#""1""#, "no match", "match");
}

#[test]
fn a_list_names_a_tag_wherever_it_stands() {
    let check = |lines: &[&str], stored: Option<&str>, found: &str| {
        let mut map = HeaderMap::new();
        for line in lines {
            map.append(IF_NONE_MATCH, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let tag = stored.and_then(|it| EntityTag::parse(it.as_bytes()));
        let listed = lists(&map, &IF_NONE_MATCH, tag, Comparison::Weak);
        assert_eq!(listed, found == "found", "{lines:?} {stored:?}");
    };
    let a = Some(r#""a""#);
    check(&[r#""a", "1", "2""#], a, "found");
    check(&[r#""1", "a", "2""#], a, "found");
    check(&[r#""1","2",W/"a""#], a, "found");
    check(&[r#""1""#, r#""2", "a""#], a, "found");
    check(&[r#", ,"a",,"#], a, "found");
    check(&["1, a"], a, "found");
    check(&[r#""1, "a""#], a, "not");
    check(&[r#""1,a,2""#], a, "not");
    check(&[r#""b""#], a, "not");
    check(&[""], a, "not");
    check(&[], a, "not");
    check(&["*"], a, "found");
    check(&[" * "], None, "found");
    check(&[r#""*""#], a, "not");
    check(&[r#"*, "b""#], a, "not");
    check(&["*", r#""b""#], a, "not");
    check(&[r#""a""#], None, "not");
}

proptest! {
    #[test]
    fn no_bytes_panic_and_reading_always_ends(line: Vec<u8>) {
        prop_assert!(tags(&line).count() <= line.len());
    }

    #[test]
    fn a_well_formed_tag_is_found_in_any_list_of_well_formed_tags(
        before in "(W/)?\"[!#-~]{0,5}\"",
        tag in "\"[!#-~]{0,5}\"",
        after in "(W/)?\"[!#-~]{0,5}\"",
    ) {
        let line = format!("{before},{tag} , {after}");
        let tag = EntityTag::parse(tag.as_bytes()).unwrap();
        prop_assert!(tags(line.as_bytes()).any(|it| it == tag));
    }
}
