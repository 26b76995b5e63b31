//! How long a node with a full disk takes from its start to its first hit.

use std::path::Path;
use std::time::Instant;

use crate::outcome::Outcome;

use crate::bench::report::{Table, goal};
use crate::bench::servers::{self, Server};
use crate::bench::wrk::Paths;
use crate::bench::{Effort, QUICK_ROUNDS, keep_alive};

const SIZE: usize = 100;
const OBJECTS: usize = 1_000_000;
/// To see that it works.
const OBJECTS_QUICK: usize = 50_000;

pub(super) fn run(program: &Path, origin: &Server, effort: Effort) -> Outcome<String> {
    let keys = if effort.rounds <= QUICK_ROUNDS { OBJECTS_QUICK } else { OBJECTS };
    let mut forebay = servers::forebay_disk(program, origin)?;
    let paths = Paths { prefix: format!("/{SIZE}/"), keys }.all();
    println!("filling the disk with {keys} objects");
    keep_alive::fill(forebay.port, &paths)?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    let objects = forebay.metric("forebay_disk_objects")?;
    let index_bytes = forebay.metric("forebay_disk_index_bytes")?;
    forebay.kill()?;
    let before = servers::origin_requests(origin)?;
    let begin = Instant::now();
    let forebay = forebay.again()?;
    keep_alive::fill(forebay.port, &paths[..1])?;
    let seconds = begin.elapsed().as_secs_f64();
    // Less the question itself.
    let asked = servers::origin_requests(origin)? - before - 1;
    Ok(section(objects, index_bytes / objects.max(1.0), seconds, asked))
}

fn section(objects: f64, index_bytes: f64, seconds: f64, asked: u64) -> String {
    let mut table = Table::new(&[
        "objects on disk",
        "index, bytes an object",
        "from start to the first hit, s",
        "asked of the origin",
    ]);
    table.row(&[
        format!("{objects:.0}"),
        format!("{index_bytes:.0}"),
        format!("{seconds:.2}"),
        asked.to_string(),
    ]);
    format!(
        "A restart after `kill -9`.\n\n{}\n{}{}",
        table.text(),
        goal("first hit in under two seconds", || seconds < 2.0 && asked == 0),
        goal("below 100 bytes of memory an object", || index_bytes < 100.0)
    )
}
