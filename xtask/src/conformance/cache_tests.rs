//! http-cache-tests: run, counted, judged.

use serde::Deserialize;
use serde_json::Value;

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::tools;

use super::judge::{self, Verdict};

/// One test and how it ended.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    id: String,
    name: String,
    suite: String,
    kind: Kind,
    browser_only: bool,
    /// `true`, or what went wrong as a pair of words; `null` when it did not run.
    result: Value,
}

/// How much the suite cares.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// The RFC says MUST.
    Required,
    /// A good cache does.
    Optimal,
    /// Only a question.
    Check,
}

impl Case {
    fn verdict(&self) -> Verdict {
        match self.result {
            Value::Bool(true) => Verdict::Passed,
            _ => Verdict::Failed,
        }
    }

    fn complaint(&self) -> String {
        let said = self.result.get(1).and_then(Value::as_str).unwrap_or("did not run");
        let name = self.name.replace('\n', " ");
        format!("  {} ({}): {name}\n      {said}", self.id, self.suite)
    }
}

/// Runs the suite, or one test of it with its exchanges shown, against the gateway at `url`.
pub(crate) fn run(url: &str, only: Option<&str>) -> Outcome<Vec<Case>> {
    let mut command = tools::system(&tools::NODE);
    command.current_dir(tools::node_packages()?).args(["--no-warnings", "suite.mjs"]);
    command.env("BASE", url).env("ONLY", only.unwrap_or_default());
    let captured = process::capture_any(&mut command)?;
    if only.is_some() {
        println!("{}", captured.err);
    }
    if !captured.success {
        return fail(format!("http-cache-tests broke off:\n{}", captured.err));
    }
    parse(&captured.out)
}

fn parse(printed: &str) -> Outcome<Vec<Case>> {
    let cases: Vec<Case> = serde_json::from_str(printed).trying("read what the suite printed")?;
    Ok(cases.into_iter().filter(|case| !case.browser_only).collect())
}

fn of_kind(cases: &[Case], kind: Kind) -> impl Iterator<Item = &Case> {
    cases.iter().filter(move |case| case.kind == kind)
}

fn count(cases: &[Case], kind: Kind) -> String {
    let of = of_kind(cases, kind).count();
    let passed = of_kind(cases, kind).filter(|case| case.verdict() == Verdict::Passed).count();
    format!("{passed}/{of}")
}

/// The totals, and every required and optimal test that failed.
pub(crate) fn report(cases: &[Case]) -> String {
    let mut report = totals(cases);
    for (kind, title) in [(Kind::Required, "required"), (Kind::Optimal, "optimal")] {
        let failed: Vec<&Case> =
            of_kind(cases, kind).filter(|case| case.verdict() == Verdict::Failed).collect();
        if failed.is_empty() {
            continue;
        }
        report += &format!("\nfailed, {title}:");
        for case in failed {
            report += &format!("\n{}", case.complaint());
        }
    }
    report
}

fn totals(cases: &[Case]) -> String {
    let required = count(cases, Kind::Required);
    let optimal = count(cases, Kind::Optimal);
    let check = count(cases, Kind::Check);
    format!("required {required}, optimal {optimal}, questions answered yes {check}")
}

/// Holds required and optimal tests against the accepted failures.
pub(crate) fn judge(cases: &[Case], accepted: &[String]) -> Outcome<String> {
    let verdicts = (cases.iter())
        .filter(|case| case.kind != Kind::Check)
        .map(|case| (case.id.clone(), case.verdict()))
        .collect();
    judge::judge(&verdicts, accepted)?;
    Ok(format!("{}, accepted failures {}", totals(cases), accepted.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"[
        {"id":"a","name":"A","suite":"s","kind":"required","browser_only":false,"result":true},
        {"id":"b","name":"B","suite":"s","kind":"required","browser_only":true,"result":null},
        {"id":"c","name":"C","suite":"s","kind":"optimal","browser_only":false,
         "result":["Assertion","Response 2 does not come from cache"]},
        {"id":"d","name":"D","suite":"s","kind":"check","browser_only":false,"result":["Setup","x"]}
    ]"#;

    #[test]
    fn browser_tests_do_not_count_and_questions_are_not_judged() {
        let cases = parse(PRINTED).unwrap();
        assert_eq!(totals(&cases), "required 1/1, optimal 0/1, questions answered yes 0/1");
        assert!(judge(&cases, &[]).is_err());
        assert!(judge(&cases, &["c".to_owned()]).is_ok());
    }

    #[test]
    fn a_failed_test_is_reported_with_its_name_and_reason() {
        let cases = parse(PRINTED).unwrap();
        let report = report(&cases);
        assert!(report.contains("c (s): C\n      Response 2 does not come from cache"), "{report}");
    }
}
