//! Steps one after the other, and the one table at the end that says how each of them went.

use std::time::{Duration, Instant};

use crate::outcome::{Outcome, fail};

/// How one step went.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed,
}

struct Step {
    name: String,
    ending: Ending,
    took: Duration,
    note: String,
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Summary {
    steps: Vec<Step>,
}

impl Summary {
    /// Runs one step. What it returns stands in the table; its failure does not stop the others.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Outcome<String>) {
        println!("\n=== {name}");
        let begin = Instant::now();
        let outcome = run();
        let took = begin.elapsed();
        let (ending, note) = match outcome {
            Ok(note) => (Ending::Passed, note),
            Err(failure) => {
                eprintln!("{name}: {failure}");
                (Ending::Failed, first_line(&failure.to_string()))
            }
        };
        self.steps.push(Step { name: name.to_owned(), ending, took, note });
    }

    /// Prints the table; fails when a step failed.
    pub(crate) fn finish(self) -> Outcome {
        print!("\n{}", self.table());
        let failed: Vec<&str> = (self.steps.iter())
            .filter(|step| step.ending == Ending::Failed)
            .map(|step| step.name.as_str())
            .collect();
        if failed.is_empty() {
            return Ok(());
        }
        fail(format!("failed: {}", failed.join(", ")))
    }

    fn table(&self) -> String {
        let width = self.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
        let mut table = String::new();
        for step in &self.steps {
            let ending = match step.ending {
                Ending::Passed => "ok    ",
                Ending::Failed => "FAILED",
            };
            let seconds = step.took.as_secs();
            table += &format!("{ending}  {:width$}  {seconds:>4} s  {}\n", step.name, step.note);
        }
        table
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// "No note" for a step that has nothing to tell but its end.
pub(crate) fn quiet(outcome: Outcome) -> Outcome<String> {
    outcome.map(|()| String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_lets_the_others_run_and_fails_the_whole() {
        let mut summary = Summary::default();
        summary.step("first", || fail("cannot do it: no\nsecond line"));
        summary.step("second one", || Ok("3 tests".to_owned()));
        assert_eq!(
            summary.table(),
            "FAILED  first          0 s  cannot do it: no\n\
             ok      second one     0 s  3 tests\n"
        );
        assert!(summary.finish().is_err());
    }
}
