//! The disk tier's table, and the flag that goes before it.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::flags::TierArgs;
use super::problem::Problem;
use super::raw::{Placed, Section, length, said, size, span};
use super::text::{self, in_bytes};
use super::{DiskRoom, DiskSettings};

/// What the files may take: room for some large bodies, and less than any machine has.
const SIZE: RangeInclusive<u64> = 64 << 20..=1 << 50;

/// How much of the size one body may take, so that room is left while it is written.
const BODIES_MIN: u64 = 4;

/// How often what was written is made safe.
const SYNC: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(600);

/// Bytes that wait to be written.
const QUEUE: RangeInclusive<u64> = 1 << 20..=16 << 30;

/// Reads the table `disk`; without a place and a size there is no disk tier.
pub(super) fn read(root: &mut Section<'_>, args: &TierArgs) -> Option<DiskSettings> {
    let (room, wishes) = match root.section("disk") {
        Some(table) => read_table(table, args),
        None => (None, Wishes::default()),
    };
    let room = args.disk.clone().inspect(|room| refuse_size(root, room)).or(room)?;
    let mut settings = DiskSettings::of(room);
    if let Some(said) = wishes.body_bytes_max {
        refuse_long_body(root, &said, settings.size_bytes);
        settings.body_bytes_max = said.value;
    }
    settings.sync_interval = wishes.sync_interval.unwrap_or(settings.sync_interval);
    settings.write_queue_bytes = wishes.write_queue_bytes.unwrap_or(settings.write_queue_bytes);
    Some(settings)
}

/// What the table says beside the room that it gives.
#[derive(Default)]
struct Wishes {
    body_bytes_max: Option<Placed<u64>>,
    sync_interval: Option<Duration>,
    write_queue_bytes: Option<usize>,
}

fn read_table(mut table: Section<'_>, args: &TierArgs) -> (Option<DiskRoom>, Wishes) {
    let path = table.read("path", said(text::directory_path));
    let room = table.read("size", size(SIZE));
    if args.disk.is_none() {
        refuse_half(&mut table);
    }
    let wishes = Wishes {
        body_bytes_max: table.read("body_bytes_max", size(1..=*SIZE.end())),
        sync_interval: table.read("sync_interval", span(SYNC)).map(|said| said.value),
        write_queue_bytes: table.read("write_queue", length(QUEUE)).map(|said| said.value),
    };
    table.finish();
    let room = path.zip(room);
    (room.map(|(path, room)| DiskRoom { path: path.value, size_bytes: room.value }), wishes)
}

/// A place without a bound fills a disk; a bound without a place does nothing.
fn refuse_half(table: &mut Section<'_>) {
    let (said, missing, example) =
        match (table.value("path").is_some(), table.value("size").is_some()) {
            (true, false) => ("path", "size", "20GiB"),
            (false, true) => ("size", "path", "/var/cache/forebay"),
            (true, true) | (false, false) => return,
        };
    let message = format!("`disk` has a `{said}` and no `{missing}`");
    let problem = Problem::at(table.place(), message);
    table.findings().add(problem.with_help(format!("write `{missing} = \"{example}\"`")));
}

fn refuse_size(root: &Section<'_>, room: &DiskRoom) {
    if !SIZE.contains(&room.size_bytes) {
        let shown = PathBuf::from(&room.path);
        let written = format!("{}:{}", shown.display(), in_bytes(room.size_bytes));
        let help = format!("allowed: {} to {}", in_bytes(*SIZE.start()), in_bytes(*SIZE.end()));
        let problem = Problem::nowhere(format!("`--disk` cannot be `{written}`"));
        root.findings().add(problem.with_help(help));
    }
}

fn refuse_long_body(root: &Section<'_>, body: &Placed<u64>, size_bytes: u64) {
    let longest = size_bytes / BODIES_MIN;
    if body.value > longest {
        let shown = in_bytes(body.value);
        let message = format!("`body_bytes_max` cannot be `{shown}`: it is too large for the disk");
        let help = format!("at most a quarter of its size, {}", in_bytes(longest));
        root.findings().add(Problem { message, help: Some(help), place: body.place.clone() });
    }
}
