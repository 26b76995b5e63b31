//! Moments as HTTP means them (RFC 9110 section 5.6.7), and the text they are said in.
//!
//! Whoever calls says what time it is; nothing here asks a clock.

use std::time::{Duration, SystemTime};

/// A moment: milliseconds since the Unix epoch. Arithmetic saturates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// The moment this many milliseconds after the Unix epoch.
    pub const fn from_unix_millis(millis: u64) -> Self {
        Timestamp(millis)
    }

    /// The moment this many seconds after the Unix epoch.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Timestamp(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch.
    pub const fn unix_seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This moment and a span after it.
    pub fn saturating_add(self, span: Duration) -> Self {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The beginning of 2020, where a moment of our time is needed and any will do. Two-digit years
/// then end with 2069.
pub(crate) const MODERN: Timestamp = Timestamp::from_unix_seconds(1_577_836_800);

/// The last second that an HTTP date can say: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The moment as an IMF-fixdate, the only form that may be written.
pub fn http_date(at: Timestamp) -> String {
    let seconds = at.unix_seconds().min(LAST_SECOND);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The moment that a date says, in any of the three forms that a recipient must accept.
///
/// A two-digit year below 70 is in this century. Where it is known what time it is, use
/// [`parse_http_date_at`].
pub fn parse_http_date(value: &[u8]) -> Option<Timestamp> {
    parse_http_date_at(value, MODERN)
}

/// The moment that a date says; a two-digit year is read as RFC 9110 section 5.6.7 says: what
/// would be more than fifty years ahead of `now` is in the past.
///
/// Names match whatever their case (RFC 9111 section 4.2); a zone other than GMT is no date. The
/// day of the week must be one, but need not be the right one.
pub fn parse_http_date_at(value: &[u8], now: Timestamp) -> Option<Timestamp> {
    let mut text = Text(value);
    let date = match value.iter().position(|byte| *byte == b',') {
        Some(3) => imf_fixdate(&mut text)?,
        Some(_) => rfc_850(&mut text, now)?,
        None => asctime(&mut text)?,
    };
    text.0.is_empty().then_some(date)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &mut Text) -> Option<Timestamp> {
    text.one_of(&DAYS)?;
    text.exactly(b", ")?;
    let day = text.digits(2)?;
    text.exactly(b" ")?;
    let month = text.one_of(&MONTHS)?;
    text.exactly(b" ")?;
    let year = text.digits(4)?;
    text.exactly(b" ")?;
    let second = text.time_of_day()?;
    text.exactly(b" GMT")?;
    moment(year, month, day, second)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc_850(text: &mut Text, now: Timestamp) -> Option<Timestamp> {
    text.one_of(&DAYS_IN_FULL)?;
    text.exactly(b", ")?;
    let day = text.digits(2)?;
    text.exactly(b"-")?;
    let month = text.one_of(&MONTHS)?;
    text.exactly(b"-")?;
    let short_year = text.digits(2)?;
    text.exactly(b" ")?;
    let second = text.time_of_day()?;
    text.exactly(b" GMT")?;
    within_fifty_years(short_year, month, day, second, now)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime(text: &mut Text) -> Option<Timestamp> {
    text.one_of(&DAYS)?;
    text.exactly(b" ")?;
    let month = text.one_of(&MONTHS)?;
    text.exactly(b" ")?;
    let day = if text.exactly(b" ").is_some() { text.digits(1)? } else { text.digits(2)? };
    text.exactly(b" ")?;
    let second = text.time_of_day()?;
    text.exactly(b" ")?;
    let year = text.digits(4)?;
    moment(year, month, day, second)
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const DAYS_IN_FULL: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The latest year with these last two digits that is not more than fifty years ahead.
fn within_fifty_years(
    short_year: u64,
    month: u64,
    day: u64,
    second: u64,
    now: Timestamp,
) -> Option<Timestamp> {
    const FIFTY_YEARS: Duration = Duration::from_secs(50 * 31_556_952);
    let limit = now.saturating_add(FIFTY_YEARS);
    let century = year_of(limit) / 100 * 100;
    let candidates = [century + short_year, (century + short_year).saturating_sub(100)];
    candidates
        .into_iter()
        .filter_map(|year| moment(year, month, day, second))
        .find(|date| *date <= limit)
}

fn year_of(at: Timestamp) -> u64 {
    // Close enough: only the century is taken from it, and the candidates are compared exactly.
    1970 + at.unix_seconds().min(LAST_SECOND) / 31_556_952
}

/// The moment of a calendar date; one before 1970 is the epoch, which is as old as old can be.
fn moment(year: u64, month: u64, day: u64, second: u64) -> Option<Timestamp> {
    if day == 0 || day > days_in(year, month) {
        return None;
    }
    if year < 1970 {
        return Some(Timestamp::EPOCH);
    }
    // Days from a civil date, counted from March so that the leap day is a year's last.
    let (shifted_year, shifted_month) =
        if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = shifted_year * 365 + leap_days + (shifted_month * 153 + 2) / 5 + day - 1;
    const DAYS_TO_1970: u64 = 719_468;
    Some(Timestamp::from_unix_seconds((days - DAYS_TO_1970) * 86_400 + second))
}

fn days_in(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// What is left of a date's text.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn exactly(&mut self, expected: &[u8]) -> Option<()> {
        let (head, rest) = self.0.split_at_checked(expected.len())?;
        self.0 = head.eq_ignore_ascii_case(expected).then_some(rest)?;
        Some(())
    }

    fn digits(&mut self, count: usize) -> Option<u64> {
        let (head, rest) = self.0.split_at_checked(count)?;
        let number = head.iter().try_fold(0, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
        })?;
        self.0 = rest;
        Some(number)
    }

    /// Which of the names comes next, counted from one.
    fn one_of(&mut self, names: &[&str]) -> Option<u64> {
        let at = names.iter().position(|name| self.exactly(name.as_bytes()).is_some())?;
        Some(at as u64 + 1)
    }

    /// `08:49:37` as seconds; a leap second counts as the one after it.
    fn time_of_day(&mut self) -> Option<u64> {
        let hour = self.digits(2)?;
        self.exactly(b":")?;
        let minute = self.digits(2)?;
        self.exactly(b":")?;
        let second = self.digits(2)?;
        (hour < 24 && minute < 60 && second <= 60).then_some(hour * 3600 + minute * 60 + second)
    }
}

#[cfg(test)]
mod tests;
