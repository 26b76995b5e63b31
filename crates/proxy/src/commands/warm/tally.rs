//! What answers mean, counted. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::target::Target;
use super::visitor::{Lost, Visited};
use crate::config::text::in_time;

/// Reasons that are told apart.
const REASONS_MAX: usize = 64;

/// Failures that are shown with their URL.
const EXAMPLES_MAX: usize = 5;

/// What came of all visits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// What the gateway had already.
    pub(super) stored: u64,
    /// What it fetched and keeps.
    pub(super) fetched: u64,
    unusable: u64,
    not_kept: BTreeMap<String, u64>,
    failed: BTreeMap<String, u64>,
    examples: Vec<(String, String)>,
    body_bytes: u64,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// All were asked.
    Whole,
    /// By Ctrl-C or SIGTERM.
    Early,
}

/// What one answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meaning {
    Stored,
    Fetched,
    NotKept(String),
    Failed(String),
}

impl Tally {
    /// Of nothing yet; so many were no URLs.
    pub(super) fn new(unusable: u64) -> Self {
        Tally { unusable, ..Tally::default() }
    }

    /// Counts a visit.
    pub(super) fn count(&mut self, target: &Target, visited: Result<Visited, Lost>) {
        if let Ok(visited) = &visited {
            self.body_bytes += visited.body_bytes;
        }
        match meaning(&visited) {
            Meaning::Stored => self.stored += 1,
            Meaning::Fetched => self.fetched += 1,
            Meaning::NotKept(reason) => add(&mut self.not_kept, reason),
            Meaning::Failed(reason) => {
                if self.examples.len() < EXAMPLES_MAX {
                    self.examples.push((target.url.clone(), reason.clone()));
                }
                add(&mut self.failed, reason);
            }
        }
    }

    /// How many were answered, or failed.
    pub(super) fn asked(&self) -> u64 {
        self.stored + self.fetched + self.not_kept.values().sum::<u64>() + self.failed()
    }

    /// How many failed.
    pub(super) fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// The one line at the end.
    pub(super) fn line(&self, total: usize, took: Duration, ended: Ended) -> String {
        let mut line = format!("asked {}", self.asked());
        if ended == Ended::Early {
            let _ = write!(line, " of {total}, then interrupted");
        }
        let _ = write!(line, ": {} stored already, {} fetched", self.stored, self.fetched);
        for (what, reasons) in [("not kept", &self.not_kept), ("failed", &self.failed)] {
            let count: u64 = reasons.values().sum();
            let _ = write!(line, ", {count} {what}");
            if count > 0 {
                let reasons = reasons.iter().map(|(reason, count)| format!("{reason} {count}"));
                let _ = write!(line, " ({})", reasons.collect::<Vec<_>>().join(", "));
            }
        }
        if self.unusable > 0 {
            let _ = write!(line, ", {} no URLs", self.unusable);
        }
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let _ = writeln!(line, ", in {}", in_time(Duration::from_millis(millis)));
        line
    }

    /// The same for scripts.
    pub(super) fn value(&self, total: usize, took: Duration, ended: Ended) -> Value {
        let examples = self.examples.iter().map(|(url, why)| json!({ "url": url, "reason": why }));
        json!({
            "urls": total,
            "asked": self.asked(),
            "stored_already": self.stored,
            "fetched": self.fetched,
            "not_kept": self.not_kept,
            "failed": self.failed,
            "failed_first": examples.collect::<Vec<_>>(),
            "unusable": self.unusable,
            "body_bytes": self.body_bytes,
            "seconds": took.as_secs_f64(),
            "interrupted": ended == Ended::Early,
        })
    }

    /// The first that failed, each on a line.
    pub(super) fn examples_shown(&self) -> String {
        let line = |(url, why): &(String, String)| {
            let url: String = url.chars().take(200).flat_map(visible).collect();
            format!("{url}: {why}\n")
        };
        self.examples.iter().map(line).collect()
    }
}

fn visible(it: char) -> impl Iterator<Item = char> {
    let escaped = it.is_control().then(|| it.escape_default());
    let plain = (!it.is_control()).then_some(it);
    escaped.into_iter().flatten().chain(plain)
}

/// The words come from a gateway, which may be anything.
fn add(to: &mut BTreeMap<String, u64>, reason: String) {
    let is_known = to.contains_key(&reason) || to.len() < REASONS_MAX;
    let reason = if is_known { reason } else { "other".to_owned() };
    *to.entry(reason).or_default() += 1;
}

fn meaning(visited: &Result<Visited, Lost>) -> Meaning {
    let visited = match visited {
        Ok(visited) => visited,
        Err(lost) => return Meaning::Failed(lost.word().to_owned()),
    };
    let said = Said::of(&visited.cache_status);
    let reason = |otherwise: String| said.detail.clone().unwrap_or(otherwise);
    if visited.status.is_server_error() || said.source == Source::Own {
        return Meaning::Failed(reason(format!("status-{}", visited.status.as_u16())));
    }
    // What is not there, or not for everybody, is no failure of the gateway, and is nothing to keep.
    match said.source {
        Source::Unknown => Meaning::Failed("no-cache-status".to_owned()),
        Source::Own => Meaning::Failed(reason("refused".to_owned())),
        Source::Hit => Meaning::Stored,
        Source::Forward if said.is_kept => Meaning::Fetched,
        Source::Forward if visited.status == StatusCode::OK => {
            Meaning::NotKept(reason("not-stored".to_owned()))
        }
        Source::Forward => Meaning::NotKept(reason(format!("status-{}", visited.status.as_u16()))),
    }
}

/// What `Cache-Status` says (RFC 9211), as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    source: Source,
    is_kept: bool,
    detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Hit,
    Forward,
    /// The gateway's own answer.
    Own,
    /// It says nothing.
    Unknown,
}

impl Said {
    /// Of the field's value: the last member is the nearest cache's.
    fn of(value: &str) -> Self {
        let member = split(value, ',').pop().unwrap_or_default();
        let mut said = Said { source: Source::Own, is_kept: false, detail: None };
        let mut words = split(&member, ';').into_iter();
        if words.next().is_none_or(|name| name.is_empty()) {
            said.source = Source::Unknown;
        }
        for word in words {
            match word.split_once('=') {
                Some(("fwd", _)) => said.source = Source::Forward,
                Some(("detail", word)) => said.detail = Some(tidy(word)),
                // A fetch that another's request had caused is kept if that was.
                None if word == "hit" => said.source = Source::Hit,
                None if word == "stored" || word == "collapsed" => said.is_kept = true,
                Some(_) | None => {}
            }
        }
        said
    }
}

/// Cut at a mark that stands in no quotes.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut is_quoted) = (vec![String::new()], false);
    for it in text.chars() {
        is_quoted ^= it == '"';
        match parts.last_mut() {
            Some(last) if it != at || is_quoted => last.push(it),
            Some(_) | None => parts.push(String::new()),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

fn tidy(word: &str) -> String {
    let fits = |it: &char| it.is_ascii_graphic() && *it != '"';
    word.chars().filter(fits).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(status: u16, cache_status: &str) -> Meaning {
        let status = StatusCode::from_u16(status).unwrap();
        meaning(&Ok(Visited { status, cache_status: cache_status.to_owned(), body_bytes: 1 }))
    }

    #[test]
    fn what_an_answer_means_is_in_its_cache_status() {
        let check =
            |status, said: &str, expected| assert_eq!(means(status, said), expected, "{said}");
        let word = str::to_owned;
        check(200, "forebay; hit; ttl=30", Meaning::Stored);
        check(200, "forebay; hit; ttl=-4; detail=stale-while-revalidate", Meaning::Stored);
        check(200, "forebay; fwd=uri-miss; fwd-status=200; stored; ttl=60", Meaning::Fetched);
        check(200, "forebay; fwd=uri-miss; collapsed", Meaning::Fetched);
        check(404, "forebay; fwd=uri-miss; fwd-status=404; stored", Meaning::Fetched);
        check(200, "forebay; fwd=uri-miss; detail=private", Meaning::NotKept(word("private")));
        check(404, "forebay; fwd=uri-miss", Meaning::NotKept(word("status-404")));
        check(
            502,
            "forebay; fwd=uri-miss; detail=connect-failed",
            Meaning::Failed(word("connect-failed")),
        );
        check(500, "forebay; fwd=uri-miss; fwd-status=500", Meaning::Failed(word("status-500")));
        check(404, "forebay; detail=no-route", Meaning::Failed(word("no-route")));
        check(200, "", Meaning::Failed(word("no-cache-status")));
        check(200, "other; hit, \"a, b; c\"; fwd=miss; stored", Meaning::Fetched);
    }

    #[test]
    fn the_last_line_says_all_of_it() {
        let target = Target::of("http://a.example/\u{7}x").unwrap();
        let mut tally = Tally { unusable: 1, ..Tally::default() };
        for said in
            ["f; hit", "f; fwd=miss; stored", "f; fwd=miss; detail=private", "f; detail=no-route"]
        {
            let status = StatusCode::OK;
            let visited = Visited { status, cache_status: said.to_owned(), body_bytes: 10 };
            tally.count(&target, Ok(visited));
        }
        let line = tally.line(4, Duration::from_millis(1500), Ended::Whole);
        assert_eq!(
            line,
            "asked 4: 1 stored already, 1 fetched, 1 not kept (private 1), 1 failed (no-route 1), 1 no URLs, in 1s500ms\n"
        );
        let line = tally.line(9, Duration::from_secs(1), Ended::Early);
        assert!(line.starts_with("asked 4 of 9, then interrupted: 1 stored"), "{line}");
        assert_eq!(tally.value(4, Duration::from_secs(1), Ended::Whole)["failed"]["no-route"], 1);
        assert_eq!(tally.examples_shown(), "http://a.example/\\u{7}x: no-route\n");
    }

    #[test]
    fn reasons_are_bounded() {
        let target = Target::of("http://a.example/").unwrap();
        let mut tally = Tally::default();
        for number in 0..1000 {
            let cache_status = format!("f; fwd=miss; detail=d{number}");
            let status = StatusCode::OK;
            tally.count(&target, Ok(Visited { status, cache_status, body_bytes: 0 }));
        }
        assert_eq!((tally.not_kept.len(), tally.asked()), (REASONS_MAX + 1, 1000));
    }
}
