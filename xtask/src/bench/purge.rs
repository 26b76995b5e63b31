//! `bench purge`: from the call to the last node's word, purges a second, what a purge of many entries
//! costs, and what a judgement does.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::program;
use crate::tools;

use super::Effort;
use super::keep_alive::{self, Client, HOST};
use super::report::{Table, median};
use super::servers::{self, Server};

const NODES: usize = 5;
const TOKEN: &str = "a-token-of-the-bench";
/// Callers at once, for purges a second.
const CALLERS: usize = 8;
const ENTRIES: usize = 100_000;
/// Until every node is on the roll and nobody's start is waited for.
const SETTLING: Duration = Duration::from_secs(5);

/// Measures, and returns the section for the page.
pub(crate) fn run(effort: Effort) -> Outcome<String> {
    tools::need(super::tiers::NEEDED)?;
    let program = program::release()?;
    let origin = servers::origin()?;
    let parts = [cluster(&program, &origin, effort)?, many(&program, &origin)?, judgements()?];
    Ok(parts.join("\n"))
}

fn cluster(program: &Path, origin: &Server, effort: Effort) -> Outcome<String> {
    let store = servers::redis("bench-purge-redis")?;
    let at = process::local(store.port);
    let lines = format!("admin_token = \"{TOKEN}\"\n[redis]\nurl = \"redis://{at}\"\n");
    let start = |at: usize| {
        servers::forebay_told(program, origin, "64MiB", &format!("bench-purge-{at}"), &lines)
    };
    let nodes = (0..NODES).map(start).collect::<Outcome<Vec<Server>>>()?;
    std::thread::sleep(SETTLING);
    let mut caller = Caller::connect(&nodes[0])?;
    let (mut taken, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < effort.round {
        let begin = Instant::now();
        caller.purge("\"tags\": [\"a\"]", NODES)?;
        taken.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let rate = rate(&nodes, effort.round)?;
    taken.sort_by(f64::total_cmp);
    let at = |share: usize| taken.get(taken.len() * share / 100).copied().unwrap_or(0.0);
    let (p50, p99) = (at(50), at(99));
    println!("{NODES} nodes: p50 {p50:.2} ms, p99 {p99:.2} ms, {rate:.0}/s");
    let mut table = Table::new(&["nodes", "p50, ms", "p99, ms", "purges a second, eight callers"]);
    table.row(&[NODES.to_string(), format!("{p50:.2}"), format!("{p99:.2}"), format!("{rate:.0}")]);
    Ok(format!(
        "From the call of a purge to its answer, which says that every node has applied it; all nodes \
         share one core.\n\n{}",
        table.text()
    ))
}

/// Purges a second by several callers, each at a node of its own.
fn rate(nodes: &[Server], span: Duration) -> Outcome<f64> {
    std::thread::scope(|scope| {
        let call = |at: usize| -> Outcome<usize> {
            let mut caller = Caller::connect(&nodes[at % nodes.len()])?;
            let (mut count, begun) = (0, Instant::now());
            while begun.elapsed() < span {
                caller.purge("\"tags\": [\"a\"]", NODES)?;
                count += 1;
            }
            Ok(count)
        };
        let callers: Vec<_> = (0..CALLERS).map(|at| scope.spawn(move || call(at))).collect();
        let mut sum = 0;
        for caller in callers {
            sum += caller.join().map_err(|_| "it panicked").trying("call")??;
        }
        Ok(sum as f64 / span.as_secs_f64())
    })
}

/// One purge that covers nothing, and one that covers all that memory has.
fn many(program: &Path, origin: &Server) -> Outcome<String> {
    let lines = format!("admin_token = \"{TOKEN}\"\n");
    let node = servers::forebay_told(program, origin, "1GiB", "bench-purge-many", &lines)?;
    let mut caller = Caller::connect(&node)?;
    let mut time = |order: &str| -> Outcome<f64> {
        let taken = (0..50).map(|_| {
            let begin = Instant::now();
            caller.purge(order, 1)?;
            Ok(begin.elapsed().as_secs_f64() * 1e6)
        });
        Ok(median(&taken.collect::<Outcome<Vec<f64>>>()?))
    };
    let nothing = time("\"tags\": [\"a\"]")?;
    let paths: Vec<String> = (0..ENTRIES).map(|at| format!("/100/{at}")).collect();
    keep_alive::fill(node.port, &paths)?;
    let all = time(&format!("\"hosts\": [\"{HOST}\"]"))?;
    let mut table = Table::new(&["entries that it covers", "a purge, µs"]);
    table.row(&["0".to_owned(), format!("{nothing:.0}")]);
    table.row(&[ENTRIES.to_string(), format!("{all:.0}")]);
    Ok(format!("A purge of one node without Redis.\n\n{}", table.text()))
}

/// What the cache's own example prints.
fn judgements() -> Outcome<String> {
    let words = ["run", "--release", "-q", "-p", "forebay-cache", "--example", "judge"];
    let said = process::capture(Command::new("cargo").args(words))?;
    Ok(format!("What a look-up costs for purges.\n\n```text\n{}\n```\n", said.trim_end()))
}

/// A connection to a node's operators.
struct Caller(Client);

impl Caller {
    fn connect(node: &Server) -> Outcome<Self> {
        Ok(Caller(Client::connect(node.admin_port()?)?))
    }

    /// Purges; so many nodes must have applied it.
    fn purge(&mut self, order: &str, nodes: usize) -> Outcome {
        let body = format!("{{{order}}}");
        let said = self.0.answer_to(&format!(
            "POST /purge HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))?;
        match said.matches("\"applied\"").count() == nodes {
            true => Ok(()),
            false => fail(format!("not every node has applied it: {said}")),
        }
    }
}
