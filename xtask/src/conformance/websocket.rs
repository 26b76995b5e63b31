//! kosoku: WebSocket through the gateway must end as it ends without it, case by case.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::tools;
use crate::workspace;

use super::exceptions::{self, Case};
use super::gateway::{self, Gateway, Origin, Policies};
use super::judge::{self, Verdict};

/// Left out: cases that fail in the suite itself, before a byte is sent (13.2, 13.5 to 13.7), and
/// the other compression cases, half of the run, whose bytes a tunnel cannot tell from any others.
const LEFT_OUT: &[&str] = &["12.[2-5].*", "13.*"];

/// How each case ended in one run.
pub(crate) struct Run(BTreeMap<String, Ending>);

/// What the suite says of one case.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Ending {
    behavior: String,
    #[serde(rename = "behaviorClose")]
    behavior_close: String,
}

impl Ending {
    /// `INFORMATIONAL` and `NON-STRICT` are no failures.
    fn passed(&self) -> bool {
        !["FAILED", "ERROR"].contains(&self.behavior.as_str())
    }
}

impl Run {
    /// How many cases passed.
    pub(crate) fn passed(&self) -> usize {
        self.0.values().filter(|ending| ending.passed()).count()
    }
}

/// Runs all cases direct and through the program.
pub(crate) fn run(program: &Path, accepted: &[Case]) -> Outcome<String> {
    let origin = Origin::echo()?;
    let gateway = gateway::forebay(program, &origin, Policies::Safe)?;
    let (direct, proxied) = both(&origin, &gateway)?;
    let note = format!(
        "{} cases, passed {} direct and {} through the gateway",
        direct.0.len(),
        direct.passed(),
        proxied.passed()
    );
    println!("{note}");
    judge::judge(&compare(&direct, &proxied), &exceptions::names(accepted))?;
    Ok(note)
}

/// The same run twice: to the origin, and to the gateway before it.
pub(crate) fn both(origin: &Origin, gateway: &Gateway) -> Outcome<(Run, Run)> {
    Ok((drive("direct", &origin.address())?, drive("proxied", &gateway.address())?))
}

/// A case passes that ends alike, or better.
fn compare(direct: &Run, proxied: &Run) -> BTreeMap<String, Verdict> {
    let verdict = |case: &String, ending: &Ending| match proxied.0.get(case) {
        Some(other) if other.passed() || other == ending => Verdict::Passed,
        _ => Verdict::Failed,
    };
    direct.0.iter().map(|(case, ending)| (case.clone(), verdict(case, ending))).collect()
}

fn drive(name: &str, address: &str) -> Outcome<Run> {
    let folder = workspace::scratch(&format!("kosoku-{name}"))?;
    let mut command = Command::new(tools::kosoku()?);
    command.current_dir(&folder).args(["--parallelism", "4", "--outdir", "reports", address]);
    for pattern in LEFT_OUT {
        command.args(["--exclude", pattern]);
    }
    // Ends with a failure when any case fails, in the direct run too; the report is what counts.
    let captured = process::capture_any(&mut command)?;
    let report = folder.join("reports/index.json");
    if !report.exists() {
        return fail(format!("kosoku broke off:\n{}{}", captured.out, captured.err));
    }
    parse(&workspace::read(&report)?)
}

fn parse(report: &str) -> Outcome<Run> {
    let servers: BTreeMap<String, BTreeMap<String, Ending>> =
        serde_json::from_str(report).trying("read the report of kosoku")?;
    match servers.into_values().next() {
        Some(endings) if !endings.is_empty() => Ok(Run(endings)),
        _ => fail("kosoku ran no case"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(behavior: &str) -> Run {
        parse(&format!(
            r#"{{"127.0.0.1:1":{{"1.1.1":{{"behavior":"{behavior}","behaviorClose":"OK","duration":2}}}}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn a_case_may_not_end_worse_through_the_gateway() {
        let check = |direct, proxied, expected| {
            let verdicts = compare(&report(direct), &report(proxied));
            assert_eq!(verdicts["1.1.1"], expected, "{direct} {proxied}");
        };
        check("OK", "OK", Verdict::Passed);
        check("OK", "FAILED", Verdict::Failed);
        check("FAILED", "FAILED", Verdict::Passed);
        check("FAILED", "OK", Verdict::Passed);
    }
}
