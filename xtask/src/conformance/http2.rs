//! httpwg: HTTP/2 with prior knowledge toward clients.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::outcome::{Outcome, fail};
use crate::process;
use crate::tools;

use super::exceptions::{self, Case};
use super::gateway::{self, Origin, Policies};
use super::judge::{self, Verdict};

const PASSED: &str = "Test passed: ";
const FAILED: &str = "Test failed: ";
/// Cases that are not judged, because timers and threads decide them and not what is answered. In
/// the first, h2 waits for the CONTINUATION that the frame announces, and two timers of the suite
/// that end together decide whether it passes. In the second, h2 closes a connection whose client
/// said GOAWAY and has no stream open, before the suite's PING comes or after it.
const UNJUDGED: [&str; 2] = [
    "RFC 9113 :: 8. expressing http semantics in http2 :: client sends push promise frame",
    "RFC 9113 :: 7. error codes :: sends goaway frame with unknown error code",
];
/// Fewer means that the suite gave up: it has 107.
const CASES_MIN: usize = 100;

/// Runs all cases against the program.
pub(crate) fn run(program: &Path, accepted: &[Case]) -> Outcome<String> {
    let suite = tools::cargo_program(&tools::HTTPWG)?;
    let origin = Origin::echo()?;
    let gateway = gateway::forebay(program, &origin, Policies::Safe)?;
    let mut command = Command::new(suite);
    command.args(["--address", &gateway.address()]);
    // Its default of a second is too short beside other work.
    command.args(["--connect-timeout", "5000", "--frame-timeout", "5000"]);
    let captured = process::capture_any(&mut command)?;
    let printed = format!("{}{}", captured.out, captured.err);
    if is_io_uring_missing(&printed) {
        let note = "SKIPPED: httpwg needs io_uring, which this kernel does not give";
        println!("{note}");
        return Ok(note.to_owned());
    }
    let mut verdicts = parse(&printed);
    if verdicts.len() < CASES_MIN {
        return fail(format!("httpwg ran {} cases only:\n{printed}", verdicts.len()));
    }
    verdicts.retain(|case, _| !UNJUDGED.contains(&case.as_str()));
    let passed = verdicts.values().filter(|verdict| **verdict == Verdict::Passed).count();
    let note = format!("{passed}/{} passed, accepted failures {}", verdicts.len(), accepted.len());
    println!("{note}");
    judge::judge(&verdicts, &exceptions::names(accepted))?;
    Ok(note)
}

/// Containers often forbid it.
fn is_io_uring_missing(printed: &str) -> bool {
    printed.contains("io_uring") && printed.contains("Operation not permitted")
        || printed.contains("Function not implemented")
}

fn parse(printed: &str) -> BTreeMap<String, Verdict> {
    let verdict = |line: &str| {
        let (word, verdict) = match line {
            line if line.contains(PASSED) => (PASSED, Verdict::Passed),
            line if line.contains(FAILED) => (FAILED, Verdict::Failed),
            _ => return None,
        };
        let (_, name) = line.split_once(word)?;
        Some((name.trim().to_owned(), verdict))
    };
    printed.lines().filter_map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_is_read_from_its_line() {
        let printed = "\u{2705} Test passed: RFC 9113 :: 3. starting http2 :: sends preface\n\
                       noise\n\u{274c} Test failed: RFC 9113 :: 4. http frames :: invalid block\n";
        let verdicts = parse(printed);
        assert_eq!(verdicts.len(), 2);
        assert_eq!(verdicts["RFC 9113 :: 4. http frames :: invalid block"], Verdict::Failed);
    }
}
