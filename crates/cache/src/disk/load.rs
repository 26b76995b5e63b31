//! The start: what lies in the directory becomes the index again.
//!
//! Segments are taken in the order of their numbers, so that what was written later wins; a sound
//! sidecar says what is in one, otherwise its records are looked for. What a removal kills stays
//! dead. Large files that no entry leads to are deleted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::Disk;
use super::directory::numbered;
use super::frame::{Frame, LargeFile, SEGMENT_HEADER_BYTES, read_segment_header, scan};
use super::index::Place;
use super::log::Sealed;
use super::removals::Removals;
use super::{blocks, sidecar};

/// What a start found beside the index.
pub(super) struct Loaded {
    pub(super) sealed: VecDeque<Sealed>,
    pub(super) removals: Removals,
    /// Greater than every number that was given.
    pub(super) next_seq: u64,
    pub(super) next_segment: u32,
    /// Bytes of segments, sidecars and large files, in whole blocks.
    pub(super) bytes: u64,
}

struct Loading<'a> {
    disk: &'a Disk,
    removed: HashMap<u64, u64>,
    loaded: Loaded,
    large: Vec<(u64, Place, LargeFile)>,
}

/// Reads the directory into an empty index.
pub(super) fn load(disk: &Disk) -> io::Result<Loaded> {
    let (removals, removed, damaged) = Removals::load(&disk.paths)?;
    disk.stats.damaged.more(damaged);
    let next_seq = removed.values().max().map_or(1, |seq| seq + 1);
    let loaded = Loaded { sealed: VecDeque::new(), removals, next_seq, next_segment: 1, bytes: 0 };
    let mut loading = Loading { disk, removed, loaded, large: Vec::new() };
    let segments = numbered(&disk.paths.segments, ".seg", 10)?;
    loading.delete_strays(&segments)?;
    for (number, path) in &segments {
        let Ok(number) = u32::try_from(*number) else { continue };
        loading.take_segment(number, path)?;
    }
    loading.keep_led_to()?;
    loading.forget_removals();
    Ok(loading.loaded)
}

impl Loading<'_> {
    // Sidecars whose segment is gone.
    fn delete_strays(&self, segments: &[(u64, std::path::PathBuf)]) -> io::Result<()> {
        let present: HashSet<u64> = segments.iter().map(|(number, _)| *number).collect();
        for (number, path) in numbered(&self.disk.paths.segments, ".idx", 10)? {
            if !present.contains(&number) {
                self.disk.medium.delete(&path)?;
            }
        }
        Ok(())
    }

    fn take_segment(&mut self, number: u32, path: &Path) -> io::Result<()> {
        self.loaded.next_segment = number.saturating_add(1);
        let file = std::fs::File::open(path)?;
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let is_whole = file.read_exact_at(&mut header, 0).is_ok();
        let id = read_segment_header(&header, number).filter(|_| is_whole);
        let frames = match id {
            Some(id) => self.records(number, id, path)?,
            None => {
                self.disk.stats.damaged.one_more();
                Vec::new()
            }
        };
        let sidecar = self.disk.paths.sidecar(number);
        let Some((_, first)) = frames.first() else {
            self.disk.medium.delete(&sidecar)?;
            return self.disk.medium.delete(path);
        };
        let sidecar_len = std::fs::metadata(&sidecar).map_or(0, |found| found.len());
        let bytes = blocks(file.metadata()?.len()) + blocks(sidecar_len);
        self.loaded.bytes += bytes;
        self.loaded.sealed.push_back(Sealed { number, bytes, first_seq: first.seq });
        self.disk.index.reserve(frames.len());
        frames.iter().for_each(|(at, frame)| self.take(Place { segment: number, at: *at }, frame));
        Ok(())
    }

    fn take(&mut self, place: Place, frame: &Frame) {
        self.loaded.next_seq = self.loaded.next_seq.max(frame.seq.saturating_add(1));
        if self.removed.get(&frame.hash).is_some_and(|seq| *seq > frame.seq) {
            return;
        }
        self.disk.index.insert(frame.slot(place));
        if let Some(large) = frame.large {
            self.large.push((frame.hash, place, large));
        }
    }

    fn records(&self, number: u32, id: u64, path: &Path) -> io::Result<Vec<(u32, Frame)>> {
        let beside = self.disk.paths.sidecar(number);
        if let Ok(bytes) = std::fs::read(&beside)
            && let Some(records) = sidecar::read(bytes, id)
        {
            return Ok(records);
        }
        let scanned = scan(&std::fs::read(path)?, id);
        // What was never finished at the end of the last one is no damage, but counts as one gap.
        self.disk.stats.damaged.more(scanned.gaps);
        self.list(&beside, id, &scanned.frames);
        Ok(scanned.frames)
    }

    // Without it the next start scans again: not worth failing.
    fn list(&self, beside: &Path, id: u64, records: &[(u32, Frame)]) {
        let medium = &*self.disk.medium;
        let bytes = sidecar::to_bytes(id, records);
        let written = medium
            .delete(beside)
            .and_then(|()| medium.create(beside))
            .and_then(|file| medium.write_at(&file, beside, &bytes, 0));
        if written.is_err() {
            self.disk.stats.write_errors.one_more();
        }
    }

    fn keep_led_to(&mut self) -> io::Result<()> {
        let led_to = |(hash, place, large): &(u64, Place, LargeFile)| {
            let slot = self.disk.index.peek(*hash)?;
            (slot.place == *place).then_some(large.id)
        };
        let kept: HashSet<u64> = self.large.iter().filter_map(led_to).collect();
        for (id, path) in numbered(&self.disk.paths.large, ".body", 16)? {
            match kept.contains(&id) {
                true => self.loaded.bytes += blocks(std::fs::metadata(&path)?.len()),
                false => self.disk.medium.delete(&path)?,
            }
        }
        Ok(())
    }

    // What no segment is old enough for has nothing to kill.
    fn forget_removals(&mut self) {
        let oldest = self.loaded.sealed.front().map_or(u64::MAX, |segment| segment.first_seq);
        self.removed.retain(|_, seq| *seq > oldest);
        if self.loaded.removals.replace(&*self.disk.medium, &self.removed).is_err() {
            self.disk.stats.write_errors.one_more();
        }
    }
}
