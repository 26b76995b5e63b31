//! Dates: the three forms that RFC 9110 section 5.6.7 lists, and all that is none.

use forebay_semantics::date::{Timestamp, http_date, parse_http_date, parse_http_date_at};

/// Pieces of dates.
pub const WORDS: &[&[u8]] = &[
    b"Sun, ",
    b"Sunday, ",
    b"Nov",
    b"Feb 29",
    b" GMT",
    b"06-Nov-94",
    b"1994",
    b"9999",
    b"23:59:60",
    b" 00:00:00",
    b"+0000",
    b"70",
];

/// What is read can be written and read again, to the second.
pub fn run(bytes: &[u8]) {
    if let Some(at) = parse_http_date(bytes) {
        let written = http_date(at);
        let again = parse_http_date(written.as_bytes());
        assert_eq!(again.map(http_date), Some(written));
    }
    parse_http_date_at(bytes, Timestamp::EPOCH);
}
