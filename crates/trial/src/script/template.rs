//! Text of a script in which `{now - 10 s}` is a date and `{a * 1000}` a thousand letters.

use std::time::{Duration, SystemTime};

/// Text whose braces are filled in when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    Later(Duration),
    Earlier(Duration),
    Repeated(String, usize),
}

/// The most characters that one `{a * N}` may stand for.
const REPEATED_MAX: usize = 1 << 20;

/// What may stand in braces.
pub(crate) const ALLOWED: &str = "`{now}`, `{now + 10 s}`, `{now - 1 d}`, `{a * 1000}`";

impl Text {
    /// Reads the text; the error is what stood between the braces.
    pub fn parse(text: &str) -> Result<Text, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((plain, after)) = rest.split_once('{') {
            let Some((inside, after)) = after.split_once('}') else {
                return Err(format!("{{{after}"));
            };
            parts.push(Part::Plain(plain.to_owned()));
            parts.push(part(inside.trim()).ok_or_else(|| format!("{{{inside}}}"))?);
            rest = after;
        }
        parts.push(Part::Plain(rest.to_owned()));
        Ok(Text(parts))
    }

    /// Text without braces.
    pub fn plain(text: &str) -> Text {
        Text(vec![Part::Plain(text.to_owned())])
    }

    /// The text at this moment.
    pub fn at(&self, now: SystemTime) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Later(span) => text.push_str(&httpdate::fmt_http_date(now + *span)),
                Part::Earlier(span) => text.push_str(&httpdate::fmt_http_date(now - *span)),
                Part::Repeated(what, times) => text.push_str(&what.repeat(*times)),
            }
        }
        text
    }
}

fn part(inside: &str) -> Option<Part> {
    if let Some((what, times)) = inside.split_once(" * ") {
        let times = times.trim().parse().ok()?;
        let bounded = !what.is_empty() && what.len().saturating_mul(times) <= REPEATED_MAX;
        return bounded.then(|| Part::Repeated(what.to_owned(), times));
    }
    let words: Vec<&str> = inside.split_whitespace().collect();
    match words[..] {
        ["now"] => Some(Part::Later(Duration::ZERO)),
        ["now", "+", count, unit] => span(count, unit).map(Part::Later),
        ["now", "-", count, unit] => span(count, unit).map(Part::Earlier),
        _ => None,
    }
}

/// A span of at most ten years in words: `12 s`.
pub(crate) fn span(count: &str, unit: &str) -> Option<Duration> {
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let span = Duration::from_millis(count.parse::<u64>().ok()?.checked_mul(millis)?);
    (span <= Duration::from_secs(3650 * 86_400)).then_some(span)
}
