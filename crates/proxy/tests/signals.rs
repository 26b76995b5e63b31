//! What a running gateway says of itself is what the manual says that it says: metrics, the fields of
//! the access log, and what the dashboard and the alerts ask for.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

const METRICS: &str = include_str!("../../../docs/manual/metrics.md");
const WATCHING: &str = include_str!("../../../docs/manual/watching.md");
const DASHBOARD: &str = include_str!("../../../packaging/grafana/forebay.json");
const TLS: &str = include_str!("../src/telemetry/tls.rs");
const RULES: &str = include_str!("../../../packaging/prometheus/forebay.rules.yml");

/// A running gateway with every tier, though nothing is where its Redis and its origin should be;
/// dropped, it is killed.
struct Gateway {
    child: Child,
    disk: PathBuf,
    admin: String,
    clients: String,
    // Read to its end by nobody, and held so that the gateway can write to it.
    _said: BufReader<ChildStderr>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.disk);
    }
}

impl Gateway {
    fn start(name: &str) -> Self {
        let disk = std::env::temp_dir().join(format!("forebay-{name}-{}", std::process::id()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_forebay"))
            .args(["run", "--to", "127.0.0.1:9", "--redis", "redis://127.0.0.1:9"])
            .args(["--routes", "redis://127.0.0.1:9", "--log", "json", "--disk"])
            .arg(format!("{}:64MiB", disk.display()))
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--workers", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let address = |word: &str, said: &mut BufReader<ChildStderr>| loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "it never said where `{word}` is");
            if line.starts_with(word) {
                let address = line.split_whitespace().last().unwrap();
                let address = address.trim_start_matches("http://").trim_end_matches("/metrics");
                return address.to_owned();
            }
        };
        let clients = address("listens on", &mut said);
        let admin = address("metrics", &mut said);
        Gateway { child, disk, admin, clients, _said: said }
    }

    fn metrics(&self) -> String {
        let answer = ask(&self.admin, "/metrics");
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

fn ask(address: &str, path: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

/// A row of the table: a metric as the manual says it.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    kind: String,
    labels: BTreeSet<String>,
    unit: String,
}

/// Each metric of the manual.
fn told() -> BTreeMap<String, Told> {
    let rows = METRICS
        .lines()
        .filter(|line| line.starts_with("| `forebay_") || line.starts_with("| `process_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split(" |").map(str::trim).collect();
        assert_eq!(cells.len(), 6, "{row}");
        let labels = cells[2].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        let told = Told { kind: cells[1].to_owned(), labels, unit: cells[3].to_owned() };
        (cells[0].trim_matches('`').to_owned(), told)
    })
    .collect()
}

/// The name of a sample's metric, and its labels.
fn sample(line: &str) -> (&str, BTreeSet<String>) {
    let Some((name, rest)) = line.split_once('{') else {
        return (line.split(' ').next().unwrap(), BTreeSet::new());
    };
    let labels = rest.rsplit_once('}').unwrap().0.split("\",");
    (name, labels.map(|label| label.split('=').next().unwrap().to_owned()).collect())
}

/// The metric to which a sample belongs: a histogram has three.
fn family<'a>(name: &'a str, heads: &BTreeMap<&str, &str>) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
    parts.filter(|whole| heads.get(whole) == Some(&"histogram")).unwrap_or(name)
}

#[test]
fn every_metric_is_in_the_table_with_its_type_and_labels_and_no_other_is() {
    let gateway = Gateway::start("metrics");
    // A failure, so that there is a reason.
    ask(&gateway.clients, "/");
    let (metrics, told) = (gateway.metrics(), told());
    let heads = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let heads: BTreeMap<&str, &str> = heads.map(|line| line.split_once(' ').unwrap()).collect();
    assert!(heads.len() > 80, "{metrics}");
    for (name, kind) in &heads {
        let row = told.get(*name).unwrap_or_else(|| panic!("metrics.md has no row for `{name}`"));
        assert_eq!(row.kind, *kind, "{name}");
    }
    for name in told.keys() {
        let is_there = heads.contains_key(name.as_str());
        // What only a gateway with TLS tells stands in its source.
        let is_there = is_there || TLS.contains(&format!("\"{name}\""));
        // What the system does not tell elsewhere.
        assert!(
            is_there || name.starts_with("process_") && cfg!(not(target_os = "linux")),
            "{name}"
        );
    }
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = sample(line);
        let is_part = name.ends_with("_sum") || name.ends_with("_count");
        let metric = family(name, &heads);
        let expected =
            if is_part && metric != name { BTreeSet::new() } else { told[metric].labels.clone() };
        assert_eq!(labels, expected, "{line}");
    }
    assert!(metrics.contains("forebay_reasons_total{result=\"refused\""), "{metrics}");
}

/// <https://prometheus.io/docs/practices/naming/>
#[test]
fn names_follow_the_conventions_of_prometheus() {
    for (name, told) in told() {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(name.bytes().all(is_plain), "{name}");
        assert_eq!(name.ends_with("_total"), told.kind == "counter", "{name}");
        let bare = name.trim_end_matches("_total");
        let unit = match () {
            () if bare.ends_with("_timestamp_seconds") => "Unix time",
            () if bare.ends_with("_expires_seconds") => "Unix time",
            () if bare.ends_with("_seconds") => "seconds",
            () if bare.ends_with("_bytes") => "bytes",
            () => "",
        };
        assert_eq!(told.unit, unit, "{name}");
        let is_in_the_middle = bare.contains("_bytes_") || bare.contains("_seconds_");
        assert!(!is_in_the_middle, "`{name}` has its unit not at its end");
        let odd = ["_ms", "_millis", "_kb", "_kib", "_percent", "_gauge", "_counter"];
        assert!(!odd.iter().any(|end| bare.ends_with(end)), "{name}");
        for label in &told.labels {
            assert!(
                label.bytes().all(is_plain) && !name.contains(&format!("_by_{label}")),
                "{name}"
            );
        }
    }
}

/// Words of an expression that are names of metrics.
fn names(expression: &str) -> Vec<&str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("forebay_") || word.starts_with("process_")).collect()
}

/// Asserts that an expression asks only for what is there, by labels that it has.
fn asks_for_what_is_there(expression: &str) {
    let (told, mut count) = (told(), 0);
    for name in names(expression) {
        count += 1;
        let parts = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let metric = parts.filter(|whole| told.contains_key(*whole)).unwrap_or(name);
        let row = told.get(metric).unwrap_or_else(|| panic!("no metric `{name}`: {expression}"));
        let after = expression.split_once(name).unwrap().1;
        let Some(inside) = after.strip_prefix('{').and_then(|rest| rest.split('}').next()) else {
            continue;
        };
        for label in inside.split("\",").map(|one| one.split(['=', '!']).next().unwrap().trim()) {
            let is_known = row.labels.contains(label) || ["job", "instance"].contains(&label);
            assert!(is_known, "`{name}` has no label `{label}`: {expression}");
        }
    }
    assert!(count > 0, "it asks for nothing of ours: {expression}");
}

/// Every value under a key, wherever it stands.
fn values<'a>(json: &'a serde_json::Value, key: &str, found: &mut Vec<&'a str>) {
    match json {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if name == key {
                    found.extend(value.as_str());
                }
                values(value, key, found);
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| values(value, key, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_shows_only_what_is_there() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = Vec::new();
    values(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 15, "{expressions:?}");
    for expression in expressions {
        asks_for_what_is_there(&expression.replace("$__rate_interval", "5m"));
    }
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
}

#[test]
fn the_alerts_ask_only_for_what_is_there_and_say_what_to_do() {
    let alerts: Vec<&str> = RULES.split("\n      - alert: ").skip(1).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    let mut seen = BTreeSet::new();
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        assert!(name.starts_with("Forebay") && seen.insert(name), "{name}");
        let value = |key: &str| {
            let line = alert.lines().find_map(|line| line.trim_start().strip_prefix(key));
            line.unwrap_or_else(|| panic!("`{name}` has no `{key}`"))
        };
        asks_for_what_is_there(value("expr: "));
        assert!(["page", "ticket"].contains(&value("severity: ")), "{name}");
        assert!(!value("summary: ").is_empty() && !value("description: ").is_empty());
    }
}

/// Where the tool of Prometheus itself is at hand, it has the last word.
#[test]
fn promtool_finds_nothing_wrong_where_it_is() {
    let rules =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/prometheus/forebay.rules.yml");
    let checked = Command::new("promtool").args(["check", "rules", rules]).output();
    let Ok(checked) = checked else { return };
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let gateway = Gateway::start("promtool");
    let mut lint = Command::new("promtool");
    let lint = lint.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut lint = lint.stdout(Stdio::null()).spawn().unwrap();
    lint.stdin.take().unwrap().write_all(gateway.metrics().as_bytes()).unwrap();
    let linted = lint.wait_with_output().unwrap();
    assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stderr));
}

#[test]
fn every_field_of_the_access_log_is_in_the_table_and_no_other_is() {
    let mut gateway = Gateway::start("log");
    ask(&gateway.clients, "/");
    let mut line = String::new();
    BufReader::new(gateway.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let said: BTreeSet<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    let table = WATCHING.split("| Field | Text form | Means |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split(" | ").next().unwrap());
    let fields = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    assert_eq!(said, fields.collect::<BTreeSet<_>>());
}
