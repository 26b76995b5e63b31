//! Which failures are accepted: those listed, and only while they are needed.

use std::collections::BTreeMap;

use crate::outcome::{Outcome, fail};

/// What a suite said of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
}

/// Holds the verdicts against the list of accepted failures.
pub(crate) fn judge(verdicts: &BTreeMap<String, Verdict>, accepted: &[String]) -> Outcome {
    let mut complaints = Vec::new();
    for (case, verdict) in verdicts {
        if *verdict == Verdict::Failed && !accepted.contains(case) {
            complaints.push(format!("`{case}` fails"));
        }
    }
    for case in accepted {
        match verdicts.get(case) {
            Some(Verdict::Failed) => {}
            Some(Verdict::Passed) => {
                complaints.push(format!("`{case}` passes: take it out of exceptions.toml"));
            }
            None => complaints.push(format!("`{case}` in exceptions.toml is no case of the suite")),
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    fail(format!("{} complaints:\n  {}", complaints.len(), complaints.join("\n  ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdicts: &[(&str, Verdict)], accepted: &[&str], complaint: Option<&str>) {
        let verdicts = verdicts.iter().map(|(case, it)| ((*case).to_owned(), *it)).collect();
        let accepted: Vec<String> = accepted.iter().map(|case| (*case).to_owned()).collect();
        match (judge(&verdicts, &accepted), complaint) {
            (Ok(()), None) => {}
            (Err(said), Some(expected)) => assert!(said.to_string().contains(expected), "{said}"),
            (other, expected) => panic!("{other:?} in place of {expected:?}"),
        }
    }

    #[test]
    fn a_failure_is_accepted_only_when_listed() {
        check(&[("a", Verdict::Passed), ("b", Verdict::Failed)], &["b"], None);
        check(&[("a", Verdict::Passed), ("b", Verdict::Failed)], &[], Some("`b` fails"));
    }

    #[test]
    fn a_listed_case_must_still_fail_and_exist() {
        check(&[("a", Verdict::Passed)], &["a"], Some("`a` passes: take it out"));
        check(&[("a", Verdict::Passed)], &["c"], Some("`c` in exceptions.toml is no case"));
    }
}
