//! Sizes and time spans, read and written.

use std::time::Duration;

use super::{Refusal, meant, refuse};

/// The longest time span that can be said: sums of several of them stay far from any overflow.
pub const SPAN_MAX: Duration = Duration::from_secs(3650 * 24 * 3600);

const SIZE_UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1000 * 1000),
    ("GB", 1000 * 1000 * 1000),
    ("TB", 1000 * 1000 * 1000 * 1000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// The units of a time span in milliseconds, the longest first.
const SPAN_UNITS: [(&str, u64); 5] =
    [("d", 24 * 3600 * 1000), ("h", 3600 * 1000), ("m", 60 * 1000), ("s", 1000), ("ms", 1)];

const SIZE_FORM: &str = "a size is a whole number with a unit, such as 64KiB, 256MiB or 1GB";
const SPAN_FORM: &str = "a time span is whole numbers with units, the longest first, such as \
                         250ms, 10s, 5m, 1h30m or 1d";

/// A size in bytes: `64KiB`, `256MiB`, `1GB`.
pub fn size(text: &str) -> Result<u64, Refusal> {
    let (number, unit) = text.split_at(digits(text));
    let unit = unit.trim_start();
    if number.is_empty() {
        return refuse("it does not begin with a number", SIZE_FORM);
    }
    if unit.is_empty() {
        return refuse("the unit is missing", SIZE_FORM);
    }
    let Some((_, bytes)) = SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))
    else {
        let known = SIZE_UNITS.map(|(name, _)| name);
        return refuse(format!("no unit `{unit}`"), meant(unit, &known, "allowed"));
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(*bytes)) {
        Some(size) => Ok(size),
        None => refuse("it is too large", "at most 16777215TiB"),
    }
}

/// A time span: `250ms`, `10s`, `5m`, `1h30m`, `1d`.
pub fn span(text: &str) -> Result<Duration, Refusal> {
    let mut rest = text;
    let mut milliseconds: u64 = 0;
    let mut units_left = SPAN_UNITS.as_slice();
    while !rest.is_empty() || text.is_empty() {
        let part = span_part(rest, units_left)?;
        milliseconds = milliseconds.saturating_add(part.milliseconds);
        (rest, units_left) = (part.rest, part.units_left);
    }
    let span = Duration::from_millis(milliseconds);
    if span > SPAN_MAX {
        return refuse("it is too long", format!("at most {}", in_time(SPAN_MAX)));
    }
    Ok(span)
}

/// One number with its unit, and what may follow it.
struct SpanPart<'a> {
    milliseconds: u64,
    rest: &'a str,
    units_left: &'static [(&'static str, u64)],
}

fn span_part<'a>(
    text: &'a str,
    units: &'static [(&'static str, u64)],
) -> Result<SpanPart<'a>, Refusal> {
    let (number, rest) = text.split_at(digits(text));
    let unit_length = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_length);
    if number.is_empty() {
        return refuse("a number is missing", SPAN_FORM);
    }
    if unit.is_empty() {
        return refuse("the unit is missing", SPAN_FORM);
    }
    let Some(at) = units.iter().position(|(name, _)| *name == unit) else {
        return refuse(no_span_unit(unit), SPAN_FORM);
    };
    let milliseconds = number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(units[at].1);
    Ok(SpanPart { milliseconds, rest, units_left: &units[at + 1..] })
}

fn no_span_unit(unit: &str) -> String {
    match SPAN_UNITS.iter().any(|(name, _)| *name == unit) {
        true => format!("`{unit}` stands after a unit that is not longer"),
        false => format!("no unit `{unit}`"),
    }
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

/// A size as `size` reads it, in the largest unit that keeps it whole.
pub fn in_bytes(bytes: u64) -> String {
    let whole = |unit: &&(&str, u64)| bytes >= unit.1 && bytes.is_multiple_of(unit.1);
    let largest = SIZE_UNITS.iter().filter(whole).max_by_key(|unit| unit.1);
    let (name, unit) = largest.unwrap_or(&SIZE_UNITS[0]);
    format!("{}{name}", bytes / unit)
}

/// A time span as `span` reads it; less than a millisecond is left out.
pub fn in_time(span: Duration) -> String {
    let mut left = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, unit) in SPAN_UNITS {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
    }
    text
}
