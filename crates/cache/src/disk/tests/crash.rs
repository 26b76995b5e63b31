//! The machine stops at any moment: of what was not synced, anything may be lost, torn or garbled;
//! of what was synced, any one byte may rot.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// What was done to a key, and between which acts on the disk.
struct Deed {
    name: String,
    /// The head that was put, or a removal.
    head: Option<u32>,
    begun: usize,
    done: usize,
}

/// A story that was told to a tier, with all that its disk heard.
struct Story {
    directory: Scratch,
    acts: Vec<Act>,
    deeds: Vec<Deed>,
    /// When everything before was durable.
    syncs: Vec<usize>,
}

const NAMES: u32 = 9;
const CROWDED: u32 = 10_000;

fn body_of(head: u32) -> Vec<u8> {
    let len = match head % 5 {
        0 => 300_000 + head as usize,
        // From such heads on, a tier is full soon.
        _ if head > CROWDED => 240_000,
        1 => 0,
        2 => 70_000,
        _ => 5 + head as usize,
    };
    (0..len).map(|at| (at as u32).wrapping_mul(head) as u8).collect()
}

async fn tell(seed: u64, heads: std::ops::Range<u32>) -> Story {
    let directory = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let tier = directory.open_on(recorder.clone());
    let mut story = Story { directory, acts: Vec::new(), deeds: Vec::new(), syncs: Vec::new() };
    let mut random = StdRng::seed_from_u64(seed);
    for head in heads {
        let name = format!("{}", random.random_range(0..NAMES));
        let begun = recorder.acts.lock().len();
        let head = match random.random_range(0..10) {
            0..3 => {
                tier.remove(&key(&name)).await.unwrap();
                None
            }
            3 => {
                tier.sync().await.unwrap();
                story.syncs.push(recorder.acts.lock().len());
                continue;
            }
            _ => {
                put(&tier, &name, head, &body_of(head)).await;
                Some(head)
            }
        };
        let done = recorder.acts.lock().len();
        story.deeds.push(Deed { name, head, begun, done });
    }
    // What closing does is part of the story.
    tier.close();
    story.acts = std::mem::take(&mut *recorder.acts.lock());
    story
}

/// A file as the story left it: what of it is durable, and what is not.
#[derive(Default)]
struct Lying {
    /// Whether its name is there for certain, or may be.
    is_durable: bool,
    is_deleted: bool,
    durable: Vec<(u64, Vec<u8>)>,
    loose: Vec<(u64, Vec<u8>)>,
}

fn lying(acts: &[Act]) -> HashMap<PathBuf, Lying> {
    let mut files: HashMap<PathBuf, Lying> = HashMap::new();
    for act in acts {
        match act {
            Act::Create(path) => {
                files.insert(path.clone(), Lying::default());
            }
            Act::Write { path, at, bytes } => {
                files.get_mut(path).unwrap().loose.push((*at, bytes.clone()));
            }
            Act::Sync(path) => {
                let file = files.get_mut(path).unwrap();
                file.durable.append(&mut file.loose);
            }
            Act::Delete(path) => {
                if let Some(file) = files.get_mut(path) {
                    file.is_deleted = true;
                }
            }
            Act::SyncNames(directory) => {
                files.retain(|path, file| !(path.starts_with(directory) && file.is_deleted));
                let here = files.iter_mut().filter(|(path, _)| path.starts_with(directory));
                here.for_each(|(_, file)| file.is_durable = true);
            }
        }
    }
    files
}

fn apply(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let end = at as usize + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at as usize..end].copy_from_slice(bytes);
}

// What of a write reached the disk.
fn torn(mut bytes: Vec<u8>, random: &mut StdRng) -> Option<Vec<u8>> {
    match random.random_range(0..6) {
        0 | 1 => return None,
        2 => bytes.truncate(random.random_range(0..=bytes.len())),
        3 if !bytes.is_empty() => {
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..8);
        }
        4 if !bytes.is_empty() => {
            let from = random.random_range(0..bytes.len());
            bytes[from..].fill(0);
        }
        _ => {}
    }
    Some(bytes)
}

impl Story {
    /// The directory after a stop behind so many acts.
    fn stopped(&self, at: usize, random: &mut StdRng) -> Scratch {
        let stopped = self.empty();
        for (path, lying) in lying(&self.acts[..at]) {
            let may_be_missing = !lying.is_durable || lying.is_deleted;
            if may_be_missing && random.random_bool(0.5) {
                continue;
            }
            let mut file = Vec::new();
            for (at, bytes) in &lying.durable {
                apply(&mut file, *at, bytes);
            }
            for (at, bytes) in lying.loose {
                if let Some(bytes) = torn(bytes, random) {
                    apply(&mut file, at, &bytes);
                }
            }
            std::fs::write(self.moved(&path, &stopped), file).unwrap();
        }
        stopped
    }

    fn empty(&self) -> Scratch {
        let empty = Scratch::new();
        for folder in ["segments", "large"] {
            std::fs::create_dir_all(empty.path().join(folder)).unwrap();
        }
        let version = "forebay.disk";
        std::fs::copy(self.directory.path().join(version), empty.path().join(version)).unwrap();
        empty
    }

    fn moved(&self, path: &Path, to: &Scratch) -> PathBuf {
        to.path().join(path.strip_prefix(self.directory.path()).unwrap())
    }

    /// Puts that may be found after a stop there: begun before, and not removed after that.
    fn allowed(&self, name: &str, at: usize) -> Vec<u32> {
        let mut allowed = Vec::new();
        for deed in self.deeds.iter().filter(|deed| deed.name == name) {
            match deed.head {
                Some(head) if deed.begun < at || deed.done <= at => allowed.push(head),
                Some(_) => {}
                None if deed.done <= at => allowed.clear(),
                None => {}
            }
        }
        allowed
    }

    /// What must be found after a stop there: put, synced since, and untouched from then on.
    fn owed(&self, name: &str, at: usize) -> Option<u32> {
        let synced = *self.syncs.iter().rfind(|sync| **sync <= at)?;
        let last = self.deeds.iter().rfind(|deed| deed.name == name && deed.begun < at)?;
        last.head.filter(|_| last.done <= synced)
    }

    async fn check(&self, stopped: &Scratch, at: usize, what: &str, must: Must) {
        let tier = stopped.open();
        for name in (0..NAMES).map(|name| format!("{name}")) {
            let found = found_or_broken(&tier, &name).await;
            if let Some((head, body)) = &found {
                let allowed = self.allowed(&name, at);
                assert!(allowed.contains(head), "{what}, stop {at}: {name} is {head}: {allowed:?}");
                assert!(body.as_ref().is_none_or(|it| *it == body_of(*head)), "{what}, stop {at}");
            }
            let owed = self.owed(&name, at);
            if must == Must::HaveSynced && owed.is_some() {
                let (head, body) = found.unzip();
                assert_eq!(head, owed, "{what}, stop {at}: {name} was synced");
                assert!(body.flatten().is_some(), "{what}, stop {at}: {name} was synced");
            }
        }
        // It works on, and what it stores now is the latest of all.
        put(&tier, "0", 1_000_000, b"after").await;
        tier.remove(&key("1")).await.unwrap();
        tier.close();
        drop(tier);
        let tier = stopped.open();
        assert_eq!(found(&tier, "0").await, Some((1_000_000, b"after".to_vec())), "{what} {at}");
        assert_eq!(found(&tier, "1").await, None, "{what}, stop {at}");
    }
}

/// What may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    HaveSynced,
    Nothing,
}

// The body is `None` if it broke while it was read.
async fn found_or_broken(tier: &Tier32, name: &str) -> Option<(u32, Option<Vec<u8>>)> {
    let entry = tier.look_up(&key(name)).await.unwrap()?;
    let mut reader = entry.body().reader().unwrap();
    Some((*entry.head(), read_all(&mut reader).await))
}

#[tokio::test]
async fn whatever_was_not_synced_may_be_lost_torn_or_reordered() {
    for seed in 0..4 {
        let story = tell(seed, 1..61).await;
        for stop in 0..25 {
            let mut random = StdRng::seed_from_u64(seed * 1_000 + stop);
            let at = random.random_range(0..=story.acts.len());
            let stopped = story.stopped(at, &mut random);
            story.check(&stopped, at, &format!("seed {seed} {stop}"), Must::HaveSynced).await;
        }
    }
}

#[tokio::test]
async fn what_was_removed_does_not_come_back_from_a_segment_that_was_evicted() {
    for seed in 20..24 {
        let story = tell(seed, CROWDED + 1..CROWDED + 80).await;
        let is_eviction =
            |act: &Act| matches!(act, Act::Delete(path) if path.ends_with("00000001.seg"));
        assert!(story.acts.iter().any(is_eviction));
        for stop in 0..20 {
            let mut random = StdRng::seed_from_u64(seed * 1_000 + stop);
            let at = random.random_range(story.acts.len() / 3..=story.acts.len());
            let stopped = story.stopped(at, &mut random);
            story.check(&stopped, at, &format!("seed {seed} {stop}"), Must::Nothing).await;
        }
    }
}

#[tokio::test]
async fn any_rotten_byte_or_lost_tail_is_a_miss_at_most() {
    for seed in 10..13 {
        let story = tell(seed, 1..41).await;
        // Before it was closed, and after.
        for stop in 0..40 {
            let mut random = StdRng::seed_from_u64(seed * 1_000 + stop);
            let end = story.acts.len();
            let at = if stop % 2 == 0 { story.deeds.last().unwrap().done } else { end };
            let stopped = story.empty();
            for (path, lying) in lying(&story.acts[..at]) {
                let mut file = Vec::new();
                for (at, bytes) in lying.durable.iter().chain(&lying.loose) {
                    apply(&mut file, *at, bytes);
                }
                if !lying.is_deleted {
                    std::fs::write(story.moved(&path, &stopped), file).unwrap();
                }
            }
            rot(&stopped, &mut random);
            story.check(&stopped, at, &format!("seed {seed} {stop}"), Must::Nothing).await;
        }
    }
}

// One file: a byte of it, or its tail.
fn rot(stopped: &Scratch, random: &mut StdRng) {
    let folders = ["segments", "segments", "segments", "large"].map(|it| stopped.path().join(it));
    let files = files_in(&folders[random.random_range(0..folders.len())]);
    let Some((path, len)) = files.iter().nth(random.random_range(0..files.len().max(1))) else {
        return;
    };
    let mut bytes = std::fs::read(path).unwrap();
    let at = random.random_range(0..(*len as usize).max(1));
    match random.random_range(0..3) {
        0 => bytes.truncate(at),
        _ if bytes.is_empty() => {}
        // Where the fronts of records are, most of the time: at the begin of small ones.
        1 => bytes[at] ^= 1 << random.random_range(0..8),
        _ => {
            let at = at % bytes.len().min(2_000);
            bytes[at] ^= 1 << random.random_range(0..8);
        }
    }
    std::fs::write(path, bytes).unwrap();
}
