//! What `forebay routes` shows people. What others wrote into Redis moves no cursor: what is not to
//! be seen is shown as what it is.

use std::fmt::Write;

use serde_json::Value;

/// The widest column; what is wider makes its line longer.
const COLUMN_WIDTH_MAX: usize = 48;

/// The routes of a node, one a line.
pub(super) fn list(value: &Value) -> String {
    let routes = items(value, "routes");
    let mut lines: Vec<[String; 5]> = Vec::with_capacity(routes.len() + 1);
    lines.push(["HOST", "TO", "STATE", "FROM", "SINCE"].map(str::to_owned));
    let line =
        |route: &Value| ["host", "value", "state", "from", "since"].map(|key| text(route, key));
    lines.extend(routes.iter().map(line));
    let mut shown = columns(&lines);
    for route in items(value, "file") {
        let (host, path) = (text(route, "host"), text(route, "path"));
        let _ = writeln!(shown, "in the file: {host} {path} -> {}", text(route, "to"));
    }
    if value["more"] == true {
        let _ = writeln!(shown, "and more; say --limit {}", routes.len().saturating_mul(10));
    }
    for route in routes.iter().filter(|route| !route["why"].is_null()) {
        let _ = writeln!(shown, "{}: expected {}", text(route, "host"), text(route, "why"));
    }
    shown
}

/// One route.
pub(super) fn one(value: &Value) -> String {
    let mut shown = String::new();
    for (name, key) in [
        ("host", "host"),
        ("key", "key"),
        ("to", "value"),
        ("state", "state"),
        ("expected", "why"),
        ("read from", "from"),
        ("since", "since"),
    ] {
        let said = text(value, key);
        if !said.is_empty() {
            let _ = writeln!(shown, "{name:<10} {said}");
        }
    }
    shown
}

/// A route that was written, and who uses it.
pub(super) fn written(value: &Value) -> String {
    format!(
        "{} -> {}\n{}",
        text(value, "host"),
        text(value, "value"),
        nodes(value, "used by", "uses it")
    )
}

/// A route that was deleted, and who knows it.
pub(super) fn deleted(value: &Value) -> String {
    let host = text(value, "host");
    let said = if value["deleted"] == true { "is deleted" } else { "was not there" };
    format!("{host} {said}\n{}", nodes(value, "known to", "knows it"))
}

/// One change, as a node takes it up.
pub(super) fn change(value: &Value) -> String {
    if value["event"] == "watching" {
        return format!("watching; {} routes are known\n", value["known"]);
    }
    if value["event"] == "gap" {
        return "changes were missed here; `forebay routes list` shows what is known now\n"
            .to_owned();
    }
    let mut shown =
        format!("{} {} {}", text(value, "since"), text(value, "host"), text(value, "state"));
    let to = text(value, "value");
    if !to.is_empty() {
        let _ = write!(shown, " -> {to}");
    }
    let why = text(value, "why");
    if !why.is_empty() {
        let _ = write!(shown, "; expected {why}");
    }
    shown + "\n"
}

fn nodes(value: &Value, by: &str, said: &str) -> String {
    let all = items(value, "nodes");
    let using = all.iter().filter(|node| node["uses"] == true).count();
    let expected = value["expected"].as_u64().unwrap_or(0);
    let mut shown = format!("{by} {using} of {expected} nodes\n");
    for node in all {
        let who = format!("{} ({})", text(node, "name"), text(node, "node"));
        let _ = match node["why"].is_null() {
            true => writeln!(shown, "  {who} {said}"),
            false => writeln!(shown, "  {who}: {}", text(node, "why")),
        };
    }
    let silent = expected.saturating_sub(all.len() as u64);
    if silent > 0 {
        let _ = writeln!(shown, "  {silent} did not answer in time");
    }
    shown
}

fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text, or the texts of a list, as they may be shown.
fn text(value: &Value, key: &str) -> String {
    let said = match &value[key] {
        Value::Array(all) => {
            let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            all.join(", ")
        }
        one => one.as_str().unwrap_or_default().to_owned(),
    };
    said.chars().flat_map(visible).collect()
}

fn visible(c: char) -> Vec<char> {
    // Controls, and what turns the direction of what stands beside it.
    let is_hidden = c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if is_hidden { c.escape_unicode().collect() } else { vec![c] }
}

fn columns(lines: &[[String; 5]]) -> String {
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or(0).min(COLUMN_WIDTH_MAX)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut shown = String::new();
    for line in lines {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let _ = writeln!(shown, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn routes_stand_in_columns_and_what_is_wrong_below() {
        let value = json!({
            "routes": [
                { "host": "a.example", "value": "10.0.0.5:3000", "state": "good", "from": "redis",
                  "since": "2026-11-24T00:00:00Z" },
                { "host": "*", "value": "", "state": "wrong", "from": "redis", "since": "x",
                  "why": "an address" },
            ],
            "file": [{ "host": "b.example", "path": "/", "to": ["http://localhost:1"] }],
            "more": true,
        });
        let said = "HOST       TO             STATE  FROM   SINCE\n\
                    a.example  10.0.0.5:3000  good   redis  2026-11-24T00:00:00Z\n\
                    *                         wrong  redis  x\n\
                    in the file: b.example / -> http://localhost:1\n\
                    and more; say --limit 20\n\
                    *: expected an address\n";
        assert_eq!(list(&value), said);
    }

    #[test]
    fn a_set_says_who_uses_it_and_who_did_not_answer() {
        let value = json!({
            "host": "a.example", "value": "10.0.0.5:3000", "expected": 3, "everywhere": false,
            "nodes": [
                { "node": "1f", "name": "one", "uses": true },
                { "node": "2f", "name": "two", "uses": false, "why": "it has no room" },
            ],
        });
        let said = "a.example -> 10.0.0.5:3000\n\
                    used by 1 of 3 nodes\n\
                    \x20 one (1f) uses it\n\
                    \x20 two (2f): it has no room\n\
                    \x20 1 did not answer in time\n";
        assert_eq!(written(&value), said);
    }

    #[test]
    fn what_others_wrote_moves_no_cursor() {
        let value =
            json!({ "host": "a", "value": "\u{1b}[2J\r\n\u{202e}x\u{9b}", "state": "good" });
        let shown = one(&value);
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert!(!shown.contains(['\u{1b}', '\r', '\u{202e}', '\u{9b}']), "{shown}");
        assert!(shown.contains("\\u{1b}[2J\\u{d}\\u{a}"), "{shown}");
    }

    #[test]
    fn nothing_that_a_node_says_is_a_panic() {
        for value in [json!(null), json!([1]), json!({ "routes": 1 }), json!({ "nodes": [null] })] {
            for shown in [list, one, written, deleted, change] {
                let _ = shown(&value);
            }
        }
    }
}
