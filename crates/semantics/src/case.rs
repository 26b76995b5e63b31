//! How tests write heads: lines of text, with `@` before a number of seconds from now for a date.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use crate::date::{Timestamp, http_date};
use crate::{Asked, Policy, Stored};

/// When all tests happen: within a second, as real clocks are.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_795_469_645_400);

/// A moment so many milliseconds after now.
pub(crate) fn after(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(NOW.unix_millis() + millis)
}

/// `name: value` lines, also divided by ` | `; an `@-3600` is a date an hour ago.
pub(crate) fn fields(text: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in text.split('\n').flat_map(|line| line.split(" | ")) {
        let Some((name, value)) = line.trim().split_once(':') else { continue };
        let value = match value.trim().strip_prefix('@') {
            Some(seconds) => date(seconds.parse().unwrap()),
            None => value.trim().to_owned(),
        };
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

/// Names and values, each pair a line, byte for byte.
pub(crate) fn of_lines(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

fn date(seconds: i64) -> String {
    let at = NOW.unix_seconds().saturating_add_signed(seconds);
    http_date(Timestamp::from_unix_seconds(at))
}

/// A request: its method, then its fields.
pub(crate) fn asked(text: &str, policy: &Policy) -> Asked {
    let (method, rest) = text.split_once(' ').unwrap_or((text, ""));
    Asked::of(&method.parse::<Method>().unwrap(), &fields(rest), policy)
}

/// A 200 to a plain GET that came at once and just now.
pub(crate) fn stored(text: &str, policy: &Policy) -> Stored {
    stored_with(StatusCode::OK, text, policy)
}

/// The same with a status.
pub(crate) fn stored_with(status: StatusCode, text: &str, policy: &Policy) -> Stored {
    Stored::new(policy, &asked("GET", policy), status, &fields(text), NOW, NOW)
}
