//! Numbers as people read them in a narrow column.

use std::time::Duration;

/// What is not known.
pub(super) const UNKNOWN: &str = "-";

/// A count, whole up to a hundred thousand.
pub(super) fn count(number: u64) -> String {
    match number {
        0..100_000 => number.to_string(),
        _ => short(number as f64),
    }
}

/// About so much.
pub(super) fn short(number: f64) -> String {
    match number {
        _ if number >= 1e9 => format!("{:.2}G", number / 1e9),
        _ if number >= 1e6 => format!("{:.2}M", number / 1e6),
        _ if number >= 1e4 => format!("{:.1}k", number / 1e3),
        _ if number >= 100.0 || number.fract() == 0.0 => format!("{number:.0}"),
        _ => format!("{number:.1}"),
    }
}

pub(super) fn bytes(number: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut rest = number;
    let mut place = 0;
    while rest >= 1024.0 && place < UNITS.len() - 1 {
        rest /= 1024.0;
        place += 1;
    }
    match place {
        0 => format!("{rest:.0} B"),
        _ if rest >= 100.0 => format!("{rest:.0} {}", UNITS[place]),
        _ => format!("{rest:.1} {}", UNITS[place]),
    }
}

pub(super) fn micros(number: u64) -> String {
    let it = number as f64;
    match number {
        0..1_000 => format!("{number}us"),
        1_000..10_000 => format!("{:.2}ms", it / 1e3),
        10_000..1_000_000 => format!("{:.0}ms", it / 1e3),
        _ => format!("{:.2}s", it / 1e6),
    }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A time span by its two greatest units.
pub(super) fn span(millis: u64) -> String {
    let seconds = Duration::from_millis(millis).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// What something known is in words.
pub(super) fn known<T>(value: Option<T>, shown: impl Fn(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), shown)
}

/// Text of a stranger: nothing in it speaks to the terminal.
pub(super) fn tame(text: &str) -> String {
    let is_wild = |it: char| {
        it.is_control()
            || matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|it| if is_wild(it) { '\u{fffd}' } else { it }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let check = |said: String, expected: &str| assert_eq!(said, expected);
        check(count(99_999), "99999");
        check(count(1_234_567), "1.23M");
        check(short(9.94), "9.9");
        check(short(123.4), "123");
        check(bytes(0.0), "0 B");
        check(bytes(1536.0), "1.5 KiB");
        check(bytes(268_435_456.0), "256 MiB");
        check(micros(999), "999us");
        check(micros(24_200), "24ms");
        check(span(59_999), "59s");
        check(span(90_061_000), "1d1h");
        check(percent(0.958), "95.8%");
    }

    #[test]
    fn a_strangers_text_does_not_speak_to_the_terminal() {
        assert_eq!(
            tame("a\u{1b}[2Jb\r\n\u{202e}c\u{7f}"),
            "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\u{fffd}"
        );
    }
}
