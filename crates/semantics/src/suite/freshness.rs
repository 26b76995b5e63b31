//! `cc-freshness`, `cc-parse`, `age-parse`, `expires` and `expires-parse`.

use super::Next::{Cached, Origin};
use super::{AT_ONCE, PAUSE, check_after};

#[test]
fn freshness_by_cache_control() {
    check_after(
        PAUSE,
        &[
            ("freshness-none", "", Origin),
            ("freshness-max-age", "cache-control: max-age=3600", Cached),
            ("freshness-max-age-0", "cache-control: max-age=0", Origin),
            ("freshness-max-age-max-minus-1", "cache-control: max-age=2147483647", Cached),
            ("freshness-max-age-max", "cache-control: max-age=2147483648", Cached),
            ("freshness-max-age-max-plus-1", "cache-control: max-age=2147483649", Cached),
            ("freshness-max-age-max-plus", "cache-control: max-age=99999999999", Cached),
            ("far beyond", "cache-control: max-age=99999999999999999999999999", Cached),
            ("freshness-max-age-age", "date: @0 | cache-control: max-age=3600 | age: 7200", Origin),
            (
                "freshness-max-age-date (choice)",
                "date: @-7200 | cache-control: max-age=3600",
                Origin,
            ),
            (
                "freshness-max-age-expires",
                "cache-control: max-age=3600 | expires: @-7200 | date: @0",
                Cached,
            ),
            (
                "freshness-max-age-expires-invalid",
                "cache-control: max-age=3600 | expires: 0 | date: @0",
                Cached,
            ),
            (
                "freshness-max-age-0-expires",
                "expires: @3600 | cache-control: max-age=0 | date: @0",
                Origin,
            ),
            ("freshness-max-age-extension", "cache-control: foobar, max-age=3600", Cached),
            ("freshness-max-age-case-insenstive", "cache-control: MaX-aGe=3600", Cached),
            ("freshness-max-age-negative", "cache-control: max-age=-3600", Origin),
            ("freshness-s-maxage-shared", "cache-control: s-maxage=3600", Cached),
            (
                "freshness-max-age-s-maxage-shared-longer",
                "cache-control: max-age=3600, s-maxage=1",
                Origin,
            ),
            (
                "freshness-max-age-s-maxage-shared-longer-reversed",
                "cache-control: s-maxage=1, max-age=3600",
                Origin,
            ),
            (
                "freshness-max-age-s-maxage-shared-longer-multiple",
                "cache-control: max-age=3600 | cache-control: s-maxage=1",
                Origin,
            ),
            (
                "freshness-max-age-s-maxage-shared-shorter",
                "cache-control: max-age=1, s-maxage=3600",
                Cached,
            ),
            (
                "freshness-max-age-s-maxage-shared-shorter-expires",
                "expires: @-10 | cache-control: max-age=0, s-maxage=3600",
                Cached,
            ),
        ],
    );
}

#[test]
fn cache_control_parsing() {
    check_after(
        PAUSE,
        &[
            ("freshness-max-age-quoted (choice)", r#"cache-control: max-age="3600""#, Cached),
            ("freshness-max-age-single-quoted", "cache-control: max-age='3600'", Origin),
            (
                "freshness-max-age-ignore-quoted",
                r#"cache-control: extension="max-age=3600", max-age=1"#,
                Origin,
            ),
            (
                "freshness-max-age-ignore-quoted-rev",
                r#"cache-control: max-age=1, extension="max-age=3600""#,
                Origin,
            ),
            (
                "freshness-max-age-ignore-quoted-all",
                r#"cache-control: extension="max-age=3600", max-age="1""#,
                Origin,
            ),
            (
                "freshness-max-age-ignore-quoted-all-rev",
                r#"cache-control: max-age="1", extension="max-age=3600""#,
                Origin,
            ),
            ("freshness-max-age-leading-zero", "cache-control: max-age=003600", Cached),
            ("freshness-max-age-decimal-zero (choice)", "cache-control: max-age=3600.0", Origin),
            ("freshness-max-age-decimal-five (choice)", "cache-control: max-age=3600.5", Origin),
            ("freshness-max-age-space-before-equals", "cache-control: max-age =3600", Origin),
            ("freshness-max-age-space-after-equals", "cache-control: max-age= 3600", Origin),
            ("freshness-max-age-a100 (choice)", "cache-control: max-age=a3600", Origin),
            ("freshness-max-age-100a (choice)", "cache-control: max-age=3600a", Origin),
            (
                "freshness-max-age-multiple-line (choice)",
                "cache-control: max-age=3600 | cache-control: max-age=1800",
                Cached,
            ),
            (
                "freshness-max-age-multiple-directive (choice)",
                "cache-control: max-age=3600, max-age=1800",
                Cached,
            ),
            (
                "freshness-max-age-two-stale-fresh-sameline (choice)",
                "cache-control: max-age=1, max-age=1800",
                Origin,
            ),
            (
                "freshness-max-age-two-fresh-stale-sameline (choice)",
                "cache-control: max-age=1800, max-age=1",
                Origin,
            ),
            (
                "freshness-max-age-two-stale-fresh-sepline (choice)",
                "cache-control: max-age=1 | cache-control: max-age=1800",
                Origin,
            ),
            (
                "freshness-max-age-two-fresh-stale-sepline (choice)",
                "cache-control: max-age=1800 | cache-control: max-age=1",
                Origin,
            ),
        ],
    );
}

#[test]
fn age_parsing() {
    let base = "date: @0 | cache-control: max-age=3600 | age: ";
    let cases = [
        ("age-parse-nonnumeric", "abc", Origin),
        ("age-parse-negative", "-7200", Origin),
        ("age-parse-float", "7200.0", Origin),
        ("age-parse-suffix", "7200,0", Origin),
        ("age-parse-prefix", "0,7200", Cached),
        ("age-parse-suffix-twoline", "7200 | age: 0", Origin),
        ("age-parse-prefix-twoline", "0 | age: 7200", Origin),
        ("age-parse-dup-0", "0, 0", Origin),
        ("age-parse-dup-0-twoline", "0 | age: 0", Origin),
        ("age-parse-dup-old", "3600, 3600", Origin),
        ("age-parse-parameter", "7200;foo=bar", Origin),
        ("age-parse-numeric-parameter", "7200;foo=111", Origin),
        ("overflow", "99999999999999999999999", Origin),
        ("young", "30", Cached),
    ];
    for (id, age, expected) in cases {
        let mut response = format!("{base}{age}");
        if id == "age-parse-dup-old" {
            response = response.replace("max-age=3600", "max-age=10000");
        }
        check_after(PAUSE, &[(id, &response, expected)]);
    }
}

#[test]
fn freshness_by_expires() {
    check_after(
        PAUSE,
        &[
            ("freshness-expires-future", "expires: @2592000 | date: @0", Cached),
            ("freshness-expires-past", "expires: @-2592000 | date: @0", Origin),
            ("freshness-expires-old-date", "expires: @300 | date: @400", Origin),
            ("freshness-expires-invalid", "expires: 0 | date: @0", Origin),
        ],
    );
    check_after(
        AT_ONCE,
        &[
            ("freshness-expires-present", "expires: @0 | date: @0", Origin),
            ("freshness-expires-invalid-date", "date: foo | expires: @10", Cached),
            ("freshness-expires-age-slow-date", "date: @-10 | expires: @10 | age: 25", Origin),
            ("freshness-expires-age-fast-date", "date: @10 | expires: @20 | age: 15", Origin),
        ],
    );
}

#[test]
fn expires_parsing() {
    let cases = [
        ("freshness-expires-32bit", "Tue, 19 Jan 2038 14:14:08 GMT", Cached),
        ("without its comma", "Tue 19 Jan 2038 14:14:08 GMT", Origin),
        ("freshness-expires-far-future", "Sun, 21 Nov 2286 04:46:39 GMT", Cached),
        ("freshness-expires-rfc850", "Thursday, 18-Aug-50 02:01:18 GMT", Cached),
        ("freshness-expires-ansi-c", "Thu Aug  8 02:01:18 2050", Cached),
        ("freshness-expires-wrong-case-weekday", "THU, 18 Aug 2050 02:01:18 GMT", Cached),
        ("freshness-expires-wrong-case-month", "Thu, 18 AUG 2050 02:01:18 GMT", Cached),
        ("freshness-expires-wrong-case-tz", "Thu, 18 Aug 2050 02:01:18 gMT", Cached),
        ("freshness-expires-invalid-utc", "Thu, 18 Aug 2050 02:01:18 UTC", Origin),
        ("freshness-expires-invalid-aest", "Thu, 18 Aug 2050 02:01:18 AEST", Origin),
        ("freshness-expires-invalid-2-digit-year", "Thu, 18 Aug 50 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-no-comma", "Thu 18 Aug 2050 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-multiple-spaces", "Thu, 18  Aug  2050 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-date-dashes", "Thu, 18-Aug-2050 02:01:18 GMT", Origin),
        ("freshness-expires-invalid-time-periods", "Thu, 18 Aug 2050 02.01.18 GMT", Origin),
        ("freshness-expires-invalid-1-digit-hour", "Thu, 18 Aug 2050 2:01:18 GMT", Origin),
        (
            "freshness-expires-invalid-multiple-lines",
            "Thu, 18 Aug 2050 2:01:18 GMT | expires: Thu, 18 Aug 2050 2:01:19 GMT",
            Origin,
        ),
    ];
    for (id, expires, expected) in cases {
        check_after(AT_ONCE, &[(id, &format!("expires: {expires} | date: @0"), expected)]);
    }
}
