//! How far it is, on a terminal: one line that is written over.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};

use super::tally::Tally;
use crate::terminal::say;

/// How often it is written.
const EVERY: Duration = Duration::from_millis(200);

/// Columns of the bar.
const BAR: usize = 24;

/// Begins the line anew, and empties it.
const ANEW: &str = "\r\u{1b}[K";

/// Shows how far it is until it is ended.
pub(super) struct Progress(Option<AbortHandle>);

impl Progress {
    /// Shows it, where standard error is a terminal.
    pub(super) fn show(tally: Arc<Mutex<Tally>>, total: usize, began: Instant) -> Self {
        if !stderr().is_terminal() {
            return Progress(None);
        }
        let showing = tokio::spawn(async move {
            loop {
                let line = line(&tally.lock(), total, began.elapsed());
                say(&format!("{ANEW}{line}"));
                sleep(EVERY).await;
            }
        });
        Progress(Some(showing.abort_handle()))
    }

    /// Takes the line away.
    pub(super) fn end(self) {
        if let Some(showing) = self.0 {
            showing.abort();
            say(ANEW);
        }
    }
}

fn line(tally: &Tally, total: usize, took: Duration) -> String {
    let asked = tally.asked();
    let share = asked as f64 / (total.max(1)) as f64;
    let full = ((share * BAR as f64) as usize).min(BAR);
    let speed = asked as f64 / took.as_secs_f64().max(0.001);
    format!(
        "[{}{}] {asked}/{total}  {} stored already  {} fetched  {} failed  {speed:.0}/s",
        "#".repeat(full),
        "-".repeat(BAR - full),
        tally.stored,
        tally.fetched,
        tally.failed()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let mut tally = Tally::new(0);
        (tally.stored, tally.fetched) = (5, 5);
        assert_eq!(
            line(&tally, 20, Duration::from_secs(2)),
            "[############------------] 10/20  5 stored already  5 fetched  0 failed  5/s"
        );
    }
}
