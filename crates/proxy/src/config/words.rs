//! What several tables of the file read in the same way.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::problem::Problem;
use super::raw::{Section, Value, count, said};
use super::text::{self, Refusal, SPAN_MAX, refuse};
use super::{Network, Switch};

/// On or off.
pub(super) const SWITCH: &[(&str, Switch)] = &[("on", Switch::On), ("off", Switch::Off)];

/// Any time span.
pub(super) const ANY_SPAN: RangeInclusive<Duration> = Duration::ZERO..=SPAN_MAX;

/// Bytes of a secret that authenticates.
const SECRET_BYTES_MIN: usize = 32;
const SECRET_BYTES_MAX: usize = 4096;

/// A list that needs an entry and has none.
pub(super) fn refuse_none<'a>(table: &mut Section<'a>, key: &'a str) {
    if let Some(value) = table.value(key).filter(|value| value.list().is_empty()) {
        table.findings().add(Problem::at(value.place(), format!("`{key}` is empty")));
    }
}

/// Ranges of addresses under a key.
pub(super) fn networks<'a>(section: &mut Section<'a>, key: &'a str) -> Option<Vec<Network>> {
    let list = section.list(key, said(text::network))?;
    Some(list.into_iter().map(|network| network.value).collect())
}

/// The path of a file; whether it is there is seen when it is opened.
pub(super) fn file(text: &str) -> Result<PathBuf, Refusal> {
    match text.is_empty() || text.contains('\0') {
        true => refuse("it is no path", "a file such as /etc/forebay/example.pem"),
        false => Ok(PathBuf::from(text)),
    }
}

/// How many there may be at once, or `off`.
pub(super) fn at_once(value: Value<'_>) -> Result<Option<usize>, Refusal> {
    if value.as_text() == Some("off") {
        return Ok(None);
    }
    count(1..=1_000_000)(value).map(Some)
}

/// A secret that fits into a field.
pub(super) fn secret(text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > 1024 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse(
            "no field can carry it",
            "1 to 1024 visible characters of ASCII without spaces",
        );
    }
    Ok(text.to_owned())
}

/// A secret that nobody guesses, whoever has seen what it authenticates.
pub(super) fn long_secret(text: &str) -> Result<String, Refusal> {
    if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&text.len()) {
        let allowed = format!("{SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes of text");
        return refuse("its length is not that of a secret", allowed);
    }
    Ok(text.to_owned())
}
