//! The segments: one that grows, and those that are sealed, the oldest first.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::{Name, Opened};
use super::frame::{Frame, SEGMENT_HEADER_BYTES, aligned, segment_header};
use super::index::Place;
use super::sidecar::{self, sidecar_bytes};
use super::{Disk, blocks};

/// Records of one segment; bounds what is remembered of it until it is sealed.
const RECORDS_MAX: usize = 65_536;

/// A segment that only shrinks in worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    pub(super) number: u32,
    /// Of it and of its sidecar, in whole blocks.
    pub(super) bytes: u64,
    pub(super) first_seq: u64,
}

/// The segment that grows.
struct Active {
    number: u32,
    id: u64,
    opened: Arc<Opened>,
    file: File,
    path: PathBuf,
    len: u64,
    /// Of the large files that its records lead to.
    large_bytes: u64,
    large: usize,
    records: Vec<(u32, Frame)>,
}

/// All segments. Its writer alone has it.
pub(super) struct Log {
    disk: Arc<Disk>,
    active: Option<Active>,
    pub(super) sealed: VecDeque<Sealed>,
    next_segment: u32,
    pub(super) next_seq: u64,
    is_dirty: bool,
    names_are_dirty: bool,
}

impl Log {
    pub(super) fn new(
        disk: Arc<Disk>,
        sealed: VecDeque<Sealed>,
        next_segment: u32,
        next_seq: u64,
    ) -> Self {
        Self {
            disk,
            active: None,
            sealed,
            next_segment,
            next_seq,
            is_dirty: false,
            names_are_dirty: false,
        }
    }

    /// The next number in the order of all writes.
    pub(super) fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    /// Whether the growing segment takes so long a record as it is.
    pub(super) fn takes(&self, record_bytes: u64) -> bool {
        self.active
            .as_ref()
            .is_some_and(|active| active.takes(record_bytes, self.disk.segment_bytes))
    }

    /// The bytes of the growing segment, which count in full from its begin.
    pub(super) fn active_bytes(&self) -> u64 {
        if self.active.is_some() { self.disk.segment_bytes } else { 0 }
    }

    /// Begins a segment; the one before it was sealed.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let number = self.next_segment;
        let following = number.checked_add(1);
        self.next_segment = following.ok_or_else(|| io::Error::other("no number is left"))?;
        let (path, id) = (self.disk.paths.segment(number), rand::random());
        let file = self.disk.medium.create(&path)?;
        self.names_are_dirty = true;
        let header = segment_header(id, number);
        if let Err(failed) = self.disk.medium.write_at(&file, &path, &header, 0) {
            let _ = self.disk.medium.delete(&path);
            return Err(failed);
        }
        let opened = Arc::new(Opened::new(file.try_clone()?, id, 0));
        self.disk.files.hold(Name::Segment(number), &opened);
        self.active = Some(Active {
            number,
            id,
            opened,
            file,
            path,
            len: SEGMENT_HEADER_BYTES as u64,
            large_bytes: 0,
            large: 0,
            records: Vec::new(),
        });
        Ok(())
    }

    /// Appends a record, which begins with room for its frame. The growing segment takes it: the
    /// caller saw to that.
    pub(super) fn append(&mut self, record: &mut Vec<u8>, frame: Frame) -> io::Result<Place> {
        let Some(active) = &mut self.active else {
            return Err(io::Error::other("no segment grows"));
        };
        let at = u32::try_from(active.len).map_err(|_| io::Error::other("segment is too long"))?;
        record[..super::frame::FRAME_BYTES].copy_from_slice(&frame.to_bytes(active.id, at));
        record.resize(aligned(record.len() as u64) as usize, 0);
        self.is_dirty = true;
        self.disk.medium.write_at(&active.file, &active.path, record, active.len)?;
        // The file stays open for readers, whoever else was let go.
        if self.disk.files.opened(Name::Segment(active.number)).is_none() {
            self.disk.files.hold(Name::Segment(active.number), &active.opened);
        }
        active.len += record.len() as u64;
        active.records.push((at, frame));
        if let Some(large) = frame.large {
            active.large_bytes += large.bytes;
            active.large += 1;
        }
        Ok(Place { segment: active.number, at })
    }

    /// Ends the growing segment: all of it is durable, and listed beside it. If that fails it is
    /// ended all the same: nothing that failed to become durable is appended to. Says what it takes.
    pub(super) fn seal(&mut self) -> (u64, io::Result<()>) {
        let Some(active) = self.active.take() else { return (0, Ok(())) };
        let Some((_, first)) = active.records.first() else {
            self.disk.files.close(Name::Segment(active.number));
            return (0, self.disk.medium.delete(&active.path));
        };
        let first_seq = first.seq;
        let synced = self.disk.medium.sync(&active.file, &active.path);
        let listed = self.list(&active);
        let bytes = blocks(active.len) + *listed.as_ref().unwrap_or(&0);
        self.sealed.push_back(Sealed { number: active.number, bytes, first_seq });
        self.is_dirty = false;
        (bytes, synced.and(listed.map(|_| ())).and_then(|()| self.sync_names()))
    }

    /// What was appended is durable when this returns well.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.is_dirty
            && let Some(active) = &self.active
        {
            self.disk.medium.sync(&active.file, &active.path)?;
        }
        self.is_dirty = false;
        self.sync_names()
    }

    /// Whether what was deleted may be back after a crash.
    pub(super) fn names_are_dirty(&self) -> bool {
        self.names_are_dirty
    }

    /// Whether a crash now would lose something.
    pub(super) fn is_dirty(&self) -> bool {
        self.is_dirty || self.names_are_dirty
    }

    /// The first number of the oldest segment that is still there.
    pub(super) fn oldest_seq(&self) -> u64 {
        let active = self.active.as_ref().and_then(|active| active.records.first());
        let active = active.map_or(self.next_seq, |(_, frame)| frame.seq);
        self.sealed.front().map_or(active, |oldest| oldest.first_seq)
    }

    /// Deletes a sealed segment, and says how many bytes it had. It may be back after a crash until
    /// names are synced.
    pub(super) fn delete(&mut self, number: u32) -> io::Result<u64> {
        let at = self.sealed.iter().position(|sealed| sealed.number == number);
        let Some(at) = at else { return Ok(0) };
        self.names_are_dirty = true;
        self.disk.medium.delete(&self.disk.paths.segment(number))?;
        self.disk.medium.delete(&self.disk.paths.sidecar(number))?;
        self.disk.files.close(Name::Segment(number));
        Ok(self.sealed.remove(at).map_or(0, |sealed| sealed.bytes))
    }

    pub(super) fn sync_names(&mut self) -> io::Result<()> {
        if self.names_are_dirty {
            self.disk.medium.sync_names(&self.disk.paths.segments)?;
            self.disk.medium.sync_names(&self.disk.paths.large)?;
        }
        self.names_are_dirty = false;
        Ok(())
    }

    fn list(&self, active: &Active) -> io::Result<u64> {
        let path = self.disk.paths.sidecar(active.number);
        let bytes = sidecar::to_bytes(active.id, &active.records);
        let file = self.disk.medium.create(&path)?;
        let written = self.disk.medium.write_at(&file, &path, &bytes, 0);
        if let Err(failed) = written.and_then(|()| self.disk.medium.sync(&file, &path)) {
            let _ = self.disk.medium.delete(&path);
            return Err(failed);
        }
        Ok(blocks(bytes.len() as u64))
    }
}

impl Active {
    // Its sidecar counts within its bytes. What its records lead to outside of it counts too: so
    // that what goes at once is never much more than a segment.
    fn takes(&self, record_bytes: u64, segment_bytes: u64) -> bool {
        let listed = sidecar_bytes(self.records.len() + 1, self.large + 1);
        self.records.len() < RECORDS_MAX
            && self.large_bytes < segment_bytes
            && blocks(self.len + aligned(record_bytes)) + blocks(listed) <= segment_bytes
    }
}
