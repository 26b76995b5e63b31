//! The access log: one line an exchange, written behind the answers.
//!
//! Lines go through a bounded queue to a thread of their own, so that a slow terminal or pipe slows
//! nobody. What does not fit is dropped and counted, never waited for.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Outcome, Record};
use crate::config::AccessLog as Form;

/// Lines that may wait for the writer.
pub const LINES_MAX: usize = 8192;

/// The sending half of the access log.
#[derive(Clone)]
pub struct AccessLog {
    form: Form,
    lines: Option<SyncSender<Vec<u8>>>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// A log in this form on standard output.
    pub fn on_stdout(form: Form) -> Self {
        match form {
            Form::Off => AccessLog { form, lines: None, dropped: Arc::default() },
            Form::Text | Form::Json => Self::into_writer(form, std::io::stdout()),
        }
    }

    /// A log in this form into any writer.
    pub fn into_writer(form: Form, writer: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(LINES_MAX);
        let writing = std::thread::Builder::new().name("access-log".into());
        // A machine that cannot start one thread runs without the log rather than not at all.
        let lines = writing.spawn(move || write_lines(&queue, writer)).ok().map(|_| lines);
        AccessLog { form, lines, dropped: Arc::default() }
    }

    /// Whether anything is written at all.
    pub fn is_on(&self) -> bool {
        self.lines.is_some()
    }

    /// How many lines were dropped because the writer was behind.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes one exchange.
    pub fn write(&self, record: &Record) {
        let Some(lines) = &self.lines else { return };
        let line = match self.form {
            Form::Off => return,
            Form::Text => text_line(record),
            Form::Json => json_line(record),
        };
        if lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_lines(queue: &Receiver<Vec<u8>>, writer: impl Write) {
    let mut writer = std::io::BufWriter::new(writer);
    while let Ok(line) = queue.recv() {
        // A reader that went away (a closed pipe) must not end the gateway: lines are then lost.
        let _ = writer.write_all(&line);
        while let Ok(line) = queue.try_recv() {
            let _ = writer.write_all(&line);
        }
        let _ = writer.flush();
    }
}

fn text_line(record: &Record) -> Vec<u8> {
    let client = record.client.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let mut line = format!(
        "{} {client} \"{} {}\" {} {} {:.3}ms route={} {}",
        rfc3339(record.began),
        record.method,
        visible(&record.url),
        record.status.as_u16(),
        record.body_bytes,
        record.duration.as_secs_f64() * 1000.0,
        record.route.as_deref().unwrap_or("-"),
        record.cache_status(),
    );
    if let Some(failure) = &record.failure {
        line.push_str(" error=\"");
        line.push_str(&visible(failure));
        line.push('"');
    }
    line.push('\n');
    line.into_bytes()
}

fn json_line(record: &Record) -> Vec<u8> {
    let line = serde_json::json!({
        "time": rfc3339(record.began),
        "client": record.client.map(|address| address.to_string()),
        "method": record.method.as_str(),
        "url": record.url,
        "status": record.status.as_u16(),
        "body_bytes": record.body_bytes,
        "duration_ms": record.duration.as_micros() as f64 / 1000.0,
        "route": record.route.as_deref(),
        "cache_status": record.cache_status(),
        "result": Outcome::from(&record.cache).word(),
        "detail": record.cache.detail,
        "error": record.failure,
    });
    let mut line = line.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Text in quotes on one line: what could end the quotes or the line is escaped.
fn visible(text: &str) -> String {
    text.chars().flat_map(char::escape_default).collect()
}

/// A moment as RFC 3339 has it, in UTC and milliseconds.
fn rfc3339(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, rest) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    let millis = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a count of days since 1970-01-01 (Howard Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms", `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        let check = |seconds: u64, expected: &str| {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_400, "2000-02-29T00:00:00.000Z");
        check(1_795_468_496, "2026-11-23T21:14:56.000Z");
        check(4_102_444_799, "2099-12-31T23:59:59.000Z");
    }

    #[test]
    fn a_quote_or_line_end_cannot_forge_a_line() {
        assert_eq!(visible("a\"b\nc"), "a\\\"b\\nc");
    }
}
