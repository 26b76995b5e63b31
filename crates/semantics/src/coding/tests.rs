//! What is chosen, as tables.

use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::case::of_lines;

fn chosen(lines: &[(&str, &str)], offered: &[Coding]) -> &'static str {
    choose(&of_lines(lines), offered).map_or("identity", Coding::word)
}

/// RFC 9110 section 12.5.3.
#[test]
fn a_client_gets_the_coding_that_it_wants_most() {
    let check = |accept: &str, expected: &str| {
        assert_eq!(chosen(&[("accept-encoding", accept)], &Coding::ALL), expected, "{accept}");
    };
    check("gzip", "gzip");
    check("GZIP", "gzip");
    check("x-gzip", "gzip");
    check("gzip, deflate, br, zstd", "zstd");
    check("gzip, deflate, br", "br");
    check("gzip;q=1, br;q=0.9", "gzip");
    check("br;q=0.5, gzip;q=0.501", "gzip");
    check("gzip ; q=0.5 , br ;q=0.4", "gzip");
    check("*", "zstd");
    check("zstd;q=0, *", "br");
    check("*;q=0.1, gzip", "gzip");
    check("identity;q=0, gzip;q=0.1", "gzip");
    check("identity;q=0, *", "zstd");
    check("identity;q=0.5, gzip;q=0.5", "gzip");
}

#[test]
fn what_nobody_asked_for_is_not_sent() {
    let check = |accept: &str| {
        let lines = [("accept-encoding", accept)];
        assert_eq!(chosen(&lines, &Coding::ALL), "identity", "{accept}");
    };
    check("");
    check("identity");
    check("deflate, compress");
    check("gzip;q=0");
    check("gzip;q=0.000, br;q=0, zstd;q=0.0");
    check("*;q=0");
    check("*;q=0, identity");
    check("identity;q=1, gzip;q=0.9");
    check("identity;q=0");
    // Refused once is refused.
    check("gzip, gzip;q=0");
    assert_eq!(chosen(&[], &Coding::ALL), "identity");
    assert_eq!(chosen(&[("accept-encoding", "br")], &[Coding::Gzip]), "identity");
    assert_eq!(chosen(&[("accept-encoding", "br")], &[]), "identity");
}

#[test]
fn of_what_is_not_well_formed_nothing_is_believed() {
    let check = |accept: &str| {
        let lines = [("accept-encoding", accept)];
        assert_eq!(chosen(&lines, &Coding::ALL), "identity", "{accept}");
    };
    check("gzip;q=1.5");
    check("gzip;q=0.1234");
    check("gzip;q=-1");
    check("gzip;q=");
    check("gzip;q");
    check("gzip;level=9");
    check("gzip;q=1;q=0.5");
    check("gzip br");
    check("gzip, \"br\"");
    check("gzip, br/2");
    check(&format!("gzip{}", ", x".repeat(MEMBERS_MAX)));
    assert_eq!(
        chosen(&[("accept-encoding", "gzip"), ("accept-encoding", "br;q=x")], &Coding::ALL),
        "identity"
    );
}

#[test]
fn lines_are_one_list_and_empty_members_are_none() {
    let lines = [("accept-encoding", "gzip;q=0.1"), ("accept-encoding", ", ,br")];
    assert_eq!(chosen(&lines, &Coding::ALL), "br");
}

#[test]
fn of_equals_the_first_offered_is_chosen() {
    let offered = [Coding::Gzip, Coding::Zstd];
    assert_eq!(chosen(&[("accept-encoding", "zstd, gzip")], &offered), "gzip");
}

#[test]
fn a_coded_form_has_a_weak_tag() {
    let check = |etag: &str, expected: Option<&str>| {
        let found = weakened(etag.as_bytes());
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{etag}");
    };
    check("\"a\"", Some("W/\"a\""));
    check("W/\"a\"", None);
    check("a", None);
    check("\"a\", \"b\"", None);
}

#[test]
fn who_names_the_strong_tag_holds_the_stored_form() {
    let check = |said: &str, expected: bool| {
        let fields = of_lines(&[("if-none-match", said)]);
        assert_eq!(holds_stored_form(&fields, Some(b"\"a\"")), expected, "{said}");
    };
    check("\"a\"", true);
    check("\"b\", \"a\"", true);
    check("W/\"a\"", false);
    check("\"b\"", false);
    assert!(!holds_stored_form(&HeaderMap::new(), Some(b"\"a\"")));
}

proptest! {
    #[test]
    fn any_bytes_choose_what_is_offered_or_nothing(value in "[ -~\t]{0,64}") {
        let chosen = choose(&of_lines(&[("accept-encoding", &value)]), &[Coding::Gzip]);
        prop_assert!(matches!(chosen, None | Some(Coding::Gzip)));
    }
}
