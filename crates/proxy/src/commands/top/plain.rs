//! One snapshot as text, for a pipe or a file. Pure.

use std::fmt::Write;

use super::tables::{self, Side, Table};
use super::words::{bytes, count, known, micros, percent, span, tame};
use crate::status::{Latency, Status};

/// All of it.
pub(super) fn text(status: &Status) -> String {
    let (t, log) = (&status.traffic, &status.log);
    let mut text = format!(
        "{}  {}  forebay {}  up {}\n",
        tame(&status.node),
        tame(&status.phase),
        tame(&status.version),
        span(status.uptime_millis)
    );
    let _ = writeln!(
        text,
        "exchanges   {}, {} hits ({}), {} out",
        count(t.requests),
        count(t.hits),
        known(t.hit_ratio, percent),
        bytes(t.body_bytes as f64)
    );
    let results = t.results.iter().map(|it| format!("{} {}", tame(&it.word), count(it.count)));
    let _ = writeln!(text, "results     {}", results.collect::<Vec<_>>().join(", "));
    let _ = writeln!(
        text,
        "origin      {} requests, {} saved, {} refreshes",
        count(t.origin_requests),
        count(t.origin_saved),
        count(t.refreshes)
    );
    let _ = writeln!(text, "answers     {}", latency(&status.answers));
    let _ = writeln!(text, "origins     {}", latency(&status.origins));
    let doubt = if log.in_doubt { ", in doubt" } else { "" };
    let _ = writeln!(text, "purges      at {} in {}{doubt}", log.epoch, tame(&log.kind));
    let parts = [
        tables::tiers(status),
        tables::hottest(status),
        tables::reasons(status),
        tables::members(status),
        tables::nodes(status),
        tables::purges(status),
        tables::problems(status),
    ];
    for table in parts {
        let _ = write!(text, "\n{}\n{}", table.title, lines(&table));
    }
    text
}

fn latency(it: &Latency) -> String {
    let [half, most, nearly_all] =
        [it.p50_micros, it.p90_micros, it.p99_micros].map(|it| known(it, micros));
    format!("p50 {half}, p90 {most}, p99 {nearly_all}")
}

fn lines(table: &Table) -> String {
    if table.rows.is_empty() {
        return format!("  {}\n", table.empty);
    }
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|place| {
            let cells = table.rows.iter().map(|row| row[place].text.chars().count());
            cells.chain([table.columns[place].title.len()]).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded =
            cells.iter().zip(&widths).zip(table.columns).map(
                |((text, width), column)| match column.side {
                    Side::Left | Side::Wide => format!("{text:width$}"),
                    Side::Right => format!("{text:>width$}"),
                },
            );
        format!("  {}", padded.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    let head = line(table.columns.iter().map(|column| column.title).collect());
    let rows = table.rows.iter().map(|row| line(row.iter().map(|cell| &*cell.text).collect()));
    [head].into_iter().chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{HotKey, TierTold};

    #[test]
    fn a_snapshot_is_text_without_control_characters() {
        let hot = |url: &str, hits| HotKey { url: url.to_owned(), hits, body_bytes: 2048 };
        let mut status = Status { node: "edge@a".to_owned(), ..Status::default() };
        status.hottest = vec![hot("http://a.example/x", 12), hot("http://a.example/\u{1b}[2J", 7)];
        status.tiers = vec![TierTold { name: "memory".to_owned(), ..TierTold::default() }];
        let text = text(&status);
        assert!(
            text.contains("  hits     body  URL\n    12  2.0 KiB  http://a.example/x\n"),
            "{text}"
        );
        assert!(text.contains("Problems\n  none was seen\n"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
