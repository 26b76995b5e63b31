//! Which version of the content each node may still serve.
//!
//! Two rules. A node that had applied a purge when it returned serves nothing older from then on.
//! Any node, heard of or not, serves nothing that was older than a purge which returned longer than
//! the bound ago, since it must have validated what it serves within the bound.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What is known of purges that have returned.
pub(crate) struct Checker {
    bound: Duration,
    known: Mutex<Known>,
}

struct Known {
    /// The oldest version that each node may serve.
    applied: Vec<u64>,
    /// The versions whose purges have returned, and when.
    returned: Vec<(Instant, u64)>,
}

/// What could be served when an answer was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    asked_at: Instant,
    applied: u64,
}

impl Checker {
    pub(crate) fn new(nodes: usize, bound: Duration) -> Self {
        let known = Known { applied: vec![0; nodes], returned: Vec::new() };
        Checker { bound, known: Mutex::new(known) }
    }

    /// A purge of everything older than this version has returned; these nodes had applied it.
    pub(crate) fn purged(&self, version: u64, applied: &[usize]) {
        let mut known = self.known.lock().unwrap();
        for node in applied {
            known.applied[*node] = known.applied[*node].max(version);
        }
        known.returned.push((Instant::now(), version));
    }

    /// What this node may serve to who asks now.
    pub(crate) fn asks(&self, node: usize) -> Floor {
        let applied = self.known.lock().unwrap().applied[node];
        Floor { asked_at: Instant::now(), applied }
    }

    /// Whether an answer was allowed; if not, why.
    pub(crate) fn check(&self, floor: Floor, version: u64) -> Result<(), String> {
        if version < floor.applied {
            return Err(format!("version {version} after a purge of all before {}", floor.applied));
        }
        let known = self.known.lock().unwrap();
        // Versions and moments grow together.
        let is_due = |(at, _): &(Instant, u64)| floor.asked_at.duration_since(*at) > self.bound;
        let due = known.returned.partition_point(is_due);
        match known.returned[..due].last().filter(|(_, newer)| *newer > version) {
            None => Ok(()),
            Some((at, newer)) => Err(format!(
                "version {version}, {:?} after the purge of all before {newer} returned",
                floor.asked_at.duration_since(*at)
            )),
        }
    }
}
