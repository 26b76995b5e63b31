//! What validation promises, as tables.

use http::header::{HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;

use super::*;
use crate::case::of_lines;

const EARLY: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_RFC850: &str = "Sunday, 06-Nov-94 08:49:37 GMT";
const DATE_ASCTIME: &str = "Sun Nov  6 08:49:37 1994";
const LATE: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn at(text: &str) -> Option<Timestamp> {
    parse_date(text.as_bytes())
}

fn held<'a>(etag: &'a str, modified: &'a str) -> Validators<'a> {
    let some = |text: &'a str| (!text.is_empty()).then_some(text.as_bytes());
    Validators { etag: some(etag), last_modified: some(modified), date: at(LATE) }
}

fn check_on(method: Method, stored: Validators<'_>, lines: &[(&str, &str)], outcome: Outcome) {
    let found = evaluate(&method, StatusCode::OK, &of_lines(lines), &stored);
    assert_eq!(found, outcome, "{method} {lines:?} {stored:?}");
}

#[test]
fn a_response_that_the_client_has_is_not_sent_again() {
    let check = |stored: Validators<'_>, lines: &[(&str, &str)], outcome| {
        check_on(Method::GET, stored, lines, outcome);
        check_on(Method::HEAD, stored, lines, outcome);
    };
    use Outcome::{NotModified, Proceed};
    let tagged = held(r#""a""#, "");
    check(tagged, &[], Proceed);
    check(tagged, &[("if-none-match", r#""a""#)], NotModified);
    check(tagged, &[("if-none-match", r#"W/"a""#)], NotModified);
    check(tagged, &[("if-none-match", "a")], NotModified);
    check(tagged, &[("if-none-match", r#""b", "a", "c""#)], NotModified);
    check(tagged, &[("if-none-match", r#""b""#), ("if-none-match", r#""a""#)], NotModified);
    check(tagged, &[("if-none-match", "*")], NotModified);
    check(tagged, &[("if-none-match", r#""b""#)], Proceed);
    check(tagged, &[("if-none-match", "")], Proceed);
    check(held(r#"W/"a""#, ""), &[("if-none-match", r#"W/"a""#)], NotModified);
    check(held(r#"W/"a""#, ""), &[("if-none-match", r#""a""#)], NotModified);
    check(held("a", ""), &[("if-none-match", "a")], NotModified);
    check(held("a", ""), &[("if-none-match", r#""a""#)], NotModified);
    check(held("\"aü\"", ""), &[("if-none-match", "\"aü\"")], NotModified);
    check(held("", DATE), &[("if-none-match", r#""a""#)], Proceed);
    check(held("", ""), &[("if-none-match", "*")], NotModified);

    let dated = held("", DATE);
    check(dated, &[("if-modified-since", DATE)], NotModified);
    check(dated, &[("if-modified-since", LATE)], NotModified);
    check(dated, &[("if-modified-since", EARLY)], Proceed);
    check(dated, &[("if-modified-since", DATE_RFC850)], NotModified);
    check(dated, &[("if-modified-since", DATE_ASCTIME)], NotModified);
    check(dated, &[("if-modified-since", "yesterday")], Proceed);
    check(dated, &[("if-modified-since", "0")], Proceed);
    check(dated, &[("if-modified-since", DATE), ("if-modified-since", LATE)], Proceed);
    check(held("", "yesterday"), &[("if-modified-since", LATE)], Proceed);
}

#[test]
fn without_a_modification_date_the_moment_it_was_made_stands_in() {
    let check = |since, outcome| {
        check_on(Method::GET, held("", ""), &[("if-modified-since", since)], outcome);
    };
    check(LATE, Outcome::NotModified);
    check(DATE, Outcome::Proceed);
}

#[test]
fn if_none_match_goes_before_if_modified_since() {
    let both = |tag, since| [("if-none-match", tag), ("if-modified-since", since)];
    let stored = held(r#""a""#, DATE);
    check_on(Method::GET, stored, &both(r#""a""#, EARLY), Outcome::NotModified);
    check_on(Method::GET, stored, &both(r#""b""#, LATE), Outcome::Proceed);
    check_on(Method::GET, stored, &both("", LATE), Outcome::Proceed);
}

#[test]
fn a_response_that_the_client_does_not_want_is_refused() {
    let check = |stored: Validators<'_>, lines: &[(&str, &str)], outcome| {
        check_on(Method::GET, stored, lines, outcome);
    };
    use Outcome::{NotModified, PreconditionFailed, Proceed};
    let stored = held(r#""a""#, DATE);
    check(stored, &[("if-match", r#""a""#)], Proceed);
    check(stored, &[("if-match", r#""b", "a""#)], Proceed);
    check(stored, &[("if-match", "*")], Proceed);
    check(stored, &[("if-match", r#""b""#)], PreconditionFailed);
    check(stored, &[("if-match", r#"W/"a""#)], PreconditionFailed);
    check(held(r#"W/"a""#, DATE), &[("if-match", r#"W/"a""#)], PreconditionFailed);
    check(stored, &[("if-unmodified-since", DATE)], Proceed);
    check(stored, &[("if-unmodified-since", EARLY)], PreconditionFailed);
    check(stored, &[("if-unmodified-since", "yesterday")], Proceed);
    check(held(r#""a""#, ""), &[("if-unmodified-since", EARLY)], Proceed);
    check(stored, &[("if-match", r#""a""#), ("if-unmodified-since", EARLY)], Proceed);
    check(stored, &[("if-match", r#""b""#), ("if-none-match", r#""a""#)], PreconditionFailed);
    check(stored, &[("if-match", r#""a""#), ("if-none-match", r#""a""#)], NotModified);
}

#[test]
fn other_methods_fail_where_get_is_not_modified_and_know_no_if_modified_since() {
    let stored = held(r#""a""#, DATE);
    let check = |lines: &[_], outcome| check_on(Method::POST, stored, lines, outcome);
    check(&[("if-none-match", r#""a""#)], Outcome::PreconditionFailed);
    check(&[("if-none-match", r#""b""#)], Outcome::Proceed);
    check(&[("if-modified-since", LATE)], Outcome::Proceed);
}

#[test]
fn conditions_count_on_a_success_alone() {
    let stored = held(r#""a""#, DATE);
    let request = of_lines(&[("if-none-match", r#""a""#), ("if-match", r#""b""#)]);
    for status in [301, 404, 410, 500] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(evaluate(&Method::GET, status, &request, &stored), Outcome::Proceed);
    }
}

#[test]
fn a_304_leaves_out_what_describes_the_content() {
    let check = |stored: &Validators<'_>, names: &str, goes: &str| {
        for name in names.split(' ') {
            assert_eq!(goes_on_304(name.as_bytes(), stored), goes == "goes", "{name}");
        }
    };
    let tagged = held(r#""a""#, DATE);
    check(&tagged, "cache-control content-location date etag expires vary", "goes");
    check(&tagged, "ETag CACHE-CONTROL age cache-status via cdn-cache-control", "goes");
    check(&tagged, "content-security-policy access-control-allow-origin set-cookie", "goes");
    check(&tagged, "content-type content-length content-encoding Content-Range", "not");
    check(&tagged, "content-foo content- digest repr-digest accept-ranges", "not");
    check(&tagged, "last-modified", "not");
    check(&held("", DATE), "last-modified", "goes");
}

#[test]
fn the_origin_is_asked_with_every_tag_and_the_chosen_date() {
    let check = |chosen: Option<Validators<'_>>, others: &[&str], expected: [&str; 2]| {
        let others: Vec<&[u8]> = others.iter().map(|tag| tag.as_bytes()).collect();
        let mut request = of_lines(&[("if-match", "x"), ("if-none-match", "y"), ("if-range", "z")]);
        request.append("if-modified-since", HeaderValue::from_static("y"));
        request.append("if-unmodified-since", HeaderValue::from_static("y"));
        if let Some(condition) = ask(chosen.as_ref(), others) {
            condition.apply(&mut request);
        } else {
            remove_conditions(&mut request);
        }
        let value = |name| request.get(name).map_or(&b""[..], HeaderValue::as_bytes);
        assert_eq!(value(IF_NONE_MATCH), expected[0].as_bytes());
        assert_eq!(value(IF_MODIFIED_SINCE), expected[1].as_bytes());
        assert!(!request.contains_key("if-match") && !request.contains_key("if-unmodified-since"));
        assert_eq!(request.get("if-range").unwrap(), "z");
    };
    let a = r#""a""#;
    check(Some(held(a, DATE)), &[], [a, DATE]);
    check(Some(held(a, "")), &[], [a, ""]);
    check(Some(held("", DATE_RFC850)), &[], ["", DATE_RFC850]);
    check(Some(held(r#"W/"a""#, "")), &[], [r#"W/"a""#, ""]);
    check(Some(held("a", "")), &[], ["a", ""]);
    check(Some(held("\"aü\"", "")), &[], ["\"aü\"", ""]);
    check(Some(held(a, DATE)), &[r#""b""#, a, r#"W/"c""#], [r#""a", "b", W/"c""#, DATE]);
    check(None, &[r#""b""#], [r#""b""#, ""]);
    check(Some(held("", DATE)), &[r#""b""#], [r#""b""#, DATE]);
    check(Some(held(r#""a", "b""#, "yesterday")), &[], ["", ""]);
    check(Some(held("", "")), &[], ["", ""]);
    check(None, &[], ["", ""]);
}

#[test]
fn a_question_to_the_origin_is_bounded() {
    let of = |condition: Option<Condition>| condition.unwrap().if_none_match.unwrap();
    let many: Vec<String> = (0..100).map(|n| format!("\"{n}\"")).collect();
    let value = of(ask(None, many.iter().map(String::as_bytes)));
    assert_eq!(etag::tags(value.as_bytes()).count(), TAGS_MAX);

    let long: Vec<String> = (0..10).map(|n| format!("\"{}{n}\"", "x".repeat(1000))).collect();
    let value = of(ask(None, long.iter().map(String::as_bytes)));
    assert_eq!(etag::tags(value.as_bytes()).count(), 4);
    assert!(value.len() <= TAG_BYTES_MAX);
}

#[test]
fn a_304_freshens_what_its_validator_names() {
    let check = |answer: Validators<'_>, asked: &[Validators<'_>], verdict_is: &[usize]| {
        let found = verdict(StatusCode::NOT_MODIFIED, &answer, asked, Some(asked.len() - 1));
        let expected = match verdict_is {
            [] => Verdict::PassOn304,
            places => Verdict::Freshen(places.to_vec()),
        };
        assert_eq!(found, expected, "{answer:?} {asked:?}");
    };
    let older = |mut stored: Validators<'static>| {
        stored.date = at(EARLY);
        stored
    };
    let (a, b) = (held(r#""a""#, DATE), held(r#""b""#, DATE));
    let weak_a = held(r#"W/"a""#, DATE);
    // A strong tag names all that have it, the chosen one first; no other will do.
    check(a, &[a], &[0]);
    check(a, &[a, b], &[0]);
    check(a, &[b, a], &[1]);
    check(a, &[a, b, a], &[2, 0]);
    check(b, &[a], &[]);
    check(a, &[weak_a], &[]);
    check(a, &[held("", DATE)], &[]);
    // A weak tag names the most recent one.
    check(weak_a, &[weak_a], &[0]);
    check(weak_a, &[a], &[0]);
    check(weak_a, &[weak_a, older(weak_a)], &[0]);
    check(weak_a, &[weak_a, weak_a], &[1]);
    check(weak_a, &[b], &[]);
    check(held("a", ""), &[held("a", "")], &[0]);
    // So does a date, in whatever form.
    check(held("", DATE), &[a], &[0]);
    check(held("", DATE_RFC850), &[held("", DATE)], &[0]);
    check(held("", DATE), &[a, older(b)], &[0]);
    check(held("", LATE), &[held("", DATE)], &[]);
    // Without a validator it can mean only the one that was asked about.
    check(held("", ""), &[a], &[0]);
    check(held("", ""), &[held("", "")], &[0]);
    check(held("", ""), &[a, b], &[]);
    check(held("", "yesterday"), &[a], &[]);
}

#[test]
fn any_other_answer_replaces_or_is_a_failure() {
    let check = |status: u16, expected: Verdict| {
        let status = StatusCode::from_u16(status).unwrap();
        let stored = held(r#""a""#, "");
        assert_eq!(verdict(status, &stored, &[stored], Some(0)), expected, "{status}");
    };
    check(200, Verdict::Replace);
    check(204, Verdict::Replace);
    check(301, Verdict::Replace);
    check(404, Verdict::Replace);
    check(412, Verdict::Replace);
    check(500, Verdict::Failed);
    check(503, Verdict::Failed);
    check(599, Verdict::Failed);
    let nothing = verdict(StatusCode::NOT_MODIFIED, &held(r#""a""#, ""), &[], None);
    assert_eq!(nothing, Verdict::PassOn304);
}

#[test]
fn validators_are_read_from_a_head() {
    let received = at(LATE).unwrap();
    let map = of_lines(&[("etag", r#""a""#), ("last-modified", DATE), ("date", EARLY)]);
    let read = Validators::of(&map, received);
    assert_eq!(read, Validators { date: at(EARLY), ..held(r#""a""#, DATE) });
    // Two tags have no one meaning; without a date the moment of receipt stands in.
    let map = of_lines(&[("etag", r#""a""#), ("etag", r#""b""#)]);
    let read = Validators::of(&map, received);
    assert!(read.is_empty() && read.date == Some(received));
}

proptest! {
    #[test]
    fn no_bytes_panic(
        request in proptest::collection::vec((0..5_usize, "[ -~]{0,30}"), 0..6),
        etag: Vec<u8>,
        modified: Vec<u8>,
        millis: Option<u64>,
    ) {
        const NAMES: [&str; 5] = [
            "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
        ];
        let lines: Vec<_> = request.iter().map(|(n, v)| (NAMES[*n], v.as_str())).collect();
        let date = millis.map(Timestamp::from_unix_millis);
        let stored = Validators { etag: Some(&etag), last_modified: Some(&modified), date };
        evaluate(&Method::GET, StatusCode::OK, &of_lines(&lines), &stored);
        if let Some(condition) = ask(Some(&stored), [&etag[..], b"\"b\""]) {
            condition.apply(&mut HeaderMap::new());
        }
        verdict(StatusCode::NOT_MODIFIED, &stored, &[stored], None);
        goes_on_304(&etag, &stored);
    }
}
