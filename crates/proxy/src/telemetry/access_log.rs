//! The access log: one line an exchange, written behind the answers, and one for each request that
//! was refused before it was one.
//!
//! Form, sample and file may change while the process runs: the writer turns to another file between
//! two lines, and none is lost or torn by it.
//!
//! Lines go through a bounded queue to a thread of their own, so that a slow terminal or pipe slows
//! nobody. What does not fit is dropped and counted, never waited for.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forebay_semantics::coding::Coding;
use parking_lot::Mutex;

use crate::config::{AccessLog as Form, Config};
use crate::forward::version_word;
use crate::record::{Outcome, Record};
use crate::server::Refused;

/// Lines that may wait for the writer.
pub const LINES_MAX: usize = 8192;

/// The sending half of the access log, under one configuration.
#[derive(Clone)]
pub struct AccessLog {
    form: Form,
    sample: f64,
    pen: Arc<Pen>,
}

/// Where the lines of a process go; there is one, whatever the configuration says of it.
#[derive(Default)]
struct Pen {
    /// Made with the first line that is wanted.
    lines: OnceLock<SyncSender<Vec<u8>>>,
    /// What the writer turns to before it writes on, and whether there is such a thing.
    next: Mutex<Option<Paper>>,
    has_next: AtomicBool,
    /// The file that is written, if it is one.
    file: Mutex<Option<PathBuf>>,
    dropped: AtomicU64,
}

/// What is written on.
type Paper = Box<dyn Write + Send>;

/// A file of the access log that could be opened, or standard output, and is not written yet.
pub struct Opened {
    paper: Paper,
    file: Option<PathBuf>,
}

impl AccessLog {
    /// A log in this form on standard output.
    pub fn on_stdout(form: Form) -> Self {
        match form {
            Form::Off => AccessLog { form, sample: 1.0, pen: Arc::default() },
            Form::Text | Form::Json => Self::into_writer(form, std::io::stdout()),
        }
    }

    /// A log in this form into any writer.
    pub fn into_writer(form: Form, writer: impl Write + Send + 'static) -> Self {
        let log = AccessLog { form, sample: 1.0, pen: Arc::default() };
        log.turn_to(Opened { paper: Box::new(writer), file: None });
        log
    }

    /// The log that a configuration wants, or why its file cannot be written.
    pub fn open(config: &Config) -> Result<Self, String> {
        let log = AccessLog::on_stdout(Form::Off).under(config);
        if let Some(opened) = log.opened(config)? {
            log.turn_to(opened);
        }
        Ok(log)
    }

    /// The same log as another configuration wants its lines; where they go is not changed by it.
    pub fn under(&self, config: &Config) -> Self {
        let (form, sample) = (config.access_log, config.access_log_sample);
        AccessLog { form, sample, pen: Arc::clone(&self.pen) }
    }

    /// What a configuration wants to be written on, where that is not what is written already; or
    /// why it cannot be.
    pub fn opened(&self, config: &Config) -> Result<Option<Opened>, String> {
        let is_same =
            self.pen.lines.get().is_some() && *self.pen.file.lock() == config.access_log_file;
        if config.access_log == Form::Off || is_same {
            return Ok(None);
        }
        let Some(path) = &config.access_log_file else {
            return Ok(Some(Opened { paper: Box::new(std::io::stdout()), file: None }));
        };
        let paper = Box::new(file(path)?);
        Ok(Some(Opened { paper, file: Some(path.clone()) }))
    }

    /// Writes there from the next line on.
    pub fn turn_to(&self, opened: Opened) {
        let Opened { paper, file } = opened;
        *self.pen.file.lock() = file;
        *self.pen.next.lock() = Some(paper);
        self.pen.has_next.store(true, Ordering::Release);
        self.pen.lines.get_or_init(|| {
            let (lines, queue) = sync_channel(LINES_MAX);
            let pen = Arc::clone(&self.pen);
            let writing = std::thread::Builder::new().name("access-log".into());
            // A machine that cannot start one thread runs without the log rather than not at all:
            // its lines are counted as dropped.
            let _ = writing.spawn(move || write_lines(&queue, &pen));
            lines
        });
    }

    /// Opens the file again, for who has moved it away; `false` where there is none.
    pub fn reopen(&self) -> Result<bool, String> {
        let Some(path) = self.pen.file.lock().clone() else { return Ok(false) };
        let paper = Box::new(file(&path)?);
        self.turn_to(Opened { paper, file: Some(path) });
        Ok(true)
    }

    /// Whether anything is written at all.
    pub fn is_on(&self) -> bool {
        self.form != Form::Off
    }

    /// How many lines were dropped because the writer was behind, or could not be written.
    pub fn dropped(&self) -> u64 {
        self.pen.dropped.load(Ordering::Relaxed)
    }

    /// Writes one exchange, if it went wrong or is in the sample.
    pub fn write(&self, record: &Record) {
        let is_wrong = record.status.as_u16() >= 400 || record.failure.is_some();
        if !is_wrong && self.sample < 1.0 && rand::random::<f64>() >= self.sample {
            return;
        }
        self.write_line(|form| match form {
            Form::Off => None,
            Form::Text => Some(text_line(record)),
            Form::Json => Some(json_line(record)),
        });
    }

    /// Writes one request that was refused, at this moment, before it was one.
    pub fn write_refused(&self, refused: &Refused, at: SystemTime) {
        self.write_line(|form| match form {
            Form::Off => None,
            Form::Text => Some(refused_text_line(refused, at)),
            Form::Json => Some(refused_json_line(refused, at)),
        });
    }

    /// Makes a line, where there is a log, and hands it to the writer.
    fn write_line(&self, make: impl FnOnce(Form) -> Option<Vec<u8>>) {
        let Some(lines) = self.pen.lines.get() else { return };
        let Some(line) = make(self.form) else { return };
        if lines.try_send(line).is_err() {
            self.pen.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The file, behind what it holds already.
fn file(path: &Path) -> Result<File, String> {
    let opened = OpenOptions::new().create(true).append(true).mode(0o640).open(path);
    opened.map_err(|cause| format!("cannot write the access log `{}`: {cause}", path.display()))
}

fn write_lines(queue: &Receiver<Vec<u8>>, pen: &Pen) {
    let mut writer: BufWriter<Paper> = BufWriter::new(Box::new(std::io::sink()));
    while let Ok(first) = queue.recv() {
        if pen.has_next.swap(false, Ordering::AcqRel)
            && let Some(next) = pen.next.lock().take()
        {
            writer = BufWriter::new(next);
        }
        // A reader that went away (a closed pipe) must not end the gateway: lines are then lost.
        let mut lost = u64::from(writer.write_all(&first).is_err());
        while let Ok(line) = queue.try_recv() {
            lost += u64::from(writer.write_all(&line).is_err());
        }
        lost += u64::from(writer.flush().is_err());
        pen.dropped.fetch_add(lost, Ordering::Relaxed);
    }
}

fn text_line(record: &Record) -> Vec<u8> {
    let mut line = format!(
        "{} {} \"{} {} HTTP/{}\" {} {} {:.3}ms route={} {}",
        rfc3339(record.began),
        or_dash(record.client),
        record.method,
        visible(&record.url),
        version_word(record.version),
        record.status.as_u16(),
        record.body_bytes,
        record.duration.as_secs_f64() * 1000.0,
        record.route.as_deref().unwrap_or("-"),
        record.cache_status(),
    );
    if let Some(trace) = &record.trace {
        line.push_str(" trace=");
        line.push_str(trace);
    }
    if let Some(coding) = record.coding {
        line.push_str(" coding=");
        line.push_str(coding.word());
    }
    if let Some(failure) = &record.failure {
        line.push_str(" error=\"");
        line.push_str(&visible(failure));
        line.push('"');
    }
    line.push('\n');
    line.into_bytes()
}

/// As [`text_line`], with a dash for all that nobody can know of what is no request.
fn refused_text_line(refused: &Refused, at: SystemTime) -> Vec<u8> {
    let line = format!(
        "{} {} \"-\" {} - - route=- - detail={} error=\"{}\"\n",
        rfc3339(at),
        or_dash(refused.peer.address),
        or_dash(refused.status.map(|status| status.as_u16())),
        refused.reason.label(),
        visible(refused.text),
    );
    line.into_bytes()
}

fn or_dash(known: Option<impl Display>) -> String {
    known.map_or_else(|| "-".to_owned(), |known| known.to_string())
}

fn json_line(record: &Record) -> Vec<u8> {
    let line = serde_json::json!({
        "time": rfc3339(record.began),
        "client": record.client.map(|address| address.to_string()),
        "method": record.method.as_str(),
        "url": record.url,
        "version": version_word(record.version),
        "status": record.status.as_u16(),
        "body_bytes": record.body_bytes,
        "duration_ms": record.duration.as_micros() as f64 / 1000.0,
        "route": record.route.as_deref(),
        "cache_status": record.cache_status(),
        "result": Outcome::from(&record.cache).word(),
        "detail": record.cache.detail,
        "trace": record.trace,
        "coding": record.coding.map(Coding::word),
        "error": record.failure,
    });
    ended(line)
}

fn refused_json_line(refused: &Refused, at: SystemTime) -> Vec<u8> {
    ended(serde_json::json!({
        "time": rfc3339(at),
        "client": refused.peer.address.map(|address| address.to_string()),
        "method": null,
        "url": null,
        "version": null,
        "status": refused.status.map(|status| status.as_u16()),
        "body_bytes": null,
        "duration_ms": null,
        "route": null,
        "cache_status": null,
        "result": Outcome::Refused.word(),
        "detail": refused.reason.label(),
        "trace": null,
        "coding": null,
        "error": refused.text,
    }))
}

fn ended(line: serde_json::Value) -> Vec<u8> {
    let mut line = line.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// Text in quotes on one line: what could end the quotes or the line is escaped.
fn visible(text: &str) -> String {
    text.chars().flat_map(char::escape_default).collect()
}

/// A moment as RFC 3339 has it, in UTC and milliseconds.
pub(crate) fn rfc3339(moment: SystemTime) -> String {
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
    use http::StatusCode;

    use super::*;
    use crate::server::{Peer, RefusalReason, Transport};

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
    fn a_refused_request_is_a_line_with_what_is_known_of_it() {
        let address = Some(([192, 0, 2, 7], 4711).into());
        let refused = Refused {
            peer: Peer { address, local: None, transport: Transport::Plain },
            reason: RefusalReason::Host,
            status: Some(StatusCode::BAD_REQUEST),
            text: "there is no \"Host\"",
        };
        let text = refused_text_line(&refused, UNIX_EPOCH);
        let expected = "1970-01-01T00:00:00.000Z 192.0.2.7:4711 \"-\" 400 - - route=- - \
                        detail=host error=\"there is no \\\"Host\\\"\"\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let json = refused_json_line(&refused, UNIX_EPOCH);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let said = ["status", "result", "detail", "url"].map(|name| json[name].clone());
        assert_eq!(said, [400.into(), "refused".into(), "host".into(), serde_json::Value::Null]);
    }

    #[test]
    fn what_nobody_knows_is_a_dash() {
        let peer = Peer { address: None, local: None, transport: Transport::Plain };
        let reason = RefusalReason::Syntax;
        let refused = Refused { peer, reason, status: None, text: "x" };
        let text = refused_text_line(&refused, UNIX_EPOCH);
        let expected =
            "1970-01-01T00:00:00.000Z - \"-\" - - - route=- - detail=syntax error=\"x\"\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn a_quote_or_line_end_cannot_forge_a_line() {
        assert_eq!(visible("a\"b\nc"), "a\\\"b\\nc");
    }
}
