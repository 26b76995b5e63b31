use proptest::prelude::*;

use super::*;
use crate::case::NOW;

fn check(cases: &[(&str, Option<u64>)]) {
    for (text, expected) in cases {
        let read = parse_http_date_at(text.as_bytes(), NOW).map(Timestamp::unix_seconds);
        assert_eq!(read, *expected, "{text}");
    }
}

#[test]
fn all_three_forms_are_read() {
    check(&[
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777)),
        ("Sun Nov  6 08:49:37 1994", Some(784_111_777)),
        ("Sun Nov 16 08:49:37 1994", Some(784_975_777)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LAST_SECOND)),
        ("Sat, 31 Dec 2016 23:59:60 GMT", Some(1_483_228_800)),
    ]);
}

#[test]
fn a_moment_before_the_epoch_is_the_epoch() {
    check(&[
        ("Mon, 01 Jan 1900 00:00:00 GMT", Some(0)),
        ("Sat, 01 Jan 0000 00:00:00 GMT", Some(0)),
    ]);
}

#[test]
fn two_digits_are_at_most_fifty_years_ahead() {
    check(&[
        ("Thursday, 18-Aug-50 02:01:18 GMT", Some(2_544_400_878)),
        ("Monday, 01-Jan-76 00:00:00 GMT", Some(3_345_062_400)),
        ("Saturday, 01-Jan-77 00:00:00 GMT", Some(220_924_800)),
        ("Friday, 31-Dec-99 23:59:59 GMT", Some(946_684_799)),
        ("Saturday, 01-Jan-00 00:00:00 GMT", Some(946_684_800)),
    ]);
    let fixed = |text: &str| parse_http_date(text.as_bytes()).map(Timestamp::unix_seconds);
    assert_eq!(fixed("Tuesday, 01-Jan-69 00:00:00 GMT"), Some(3_124_224_000));
    assert_eq!(fixed("Saturday, 01-Jan-71 00:00:00 GMT"), Some(31_536_000));
}

#[test]
fn what_is_not_a_date_is_none() {
    for text in [
        "",
        "0",
        "-1",
        "foo",
        ",",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Sun, 29 Feb 1900 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 1994 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun, 06 Nov +994 08:49:37 GMT",
    ] {
        assert_eq!(parse_http_date_at(text.as_bytes(), NOW), None, "{text}");
    }
}

#[test]
fn arithmetic_saturates() {
    let last = Timestamp::from_unix_millis(u64::MAX);
    assert_eq!(last.saturating_add(Duration::MAX), last);
    assert_eq!(Timestamp::EPOCH.since(last), Duration::ZERO);
    assert_eq!(http_date(last), "Fri, 31 Dec 9999 23:59:59 GMT");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, now: u64) {
        parse_http_date_at(&bytes, Timestamp::from_unix_millis(now));
    }

    #[test]
    fn near_dates_never_panic(text in "[A-Z][a-z]{2,8},? ?[0-9]{1,2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{8}( GMT)?") {
        parse_http_date(text.as_bytes());
    }

    #[test]
    fn what_is_written_is_read_again(seconds in 0..=LAST_SECOND) {
        let at = Timestamp::from_unix_seconds(seconds);
        prop_assert_eq!(parse_http_date(http_date(at).as_bytes()), Some(at));
    }
}
