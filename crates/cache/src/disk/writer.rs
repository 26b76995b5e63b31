//! The one thread that writes. It takes what waits in order, appends it, and then tells the index;
//! whatever was removed becomes durable before the remover hears of it.
//!
//! What the system refuses is counted and told to whoever asked; writing then rests for a while.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::frame::{FRAME_BYTES, Frame, LargeFile};
use super::index::{Form, Slot};
use super::load::Loaded;
use super::log::Log;
use super::purged::Survey;
use super::queue::{Lies, Message, Reply, Reserved, Store};
use super::removals::{Removal, Removals};
use super::{Disk, blocks};
use crate::clock::Timestamp;
use crate::error::TierFailure;
use crate::tier::Admitted;

/// How long writing rests at most after a failure; each one in a row doubles it.
const REST_MAX: Duration = Duration::from_secs(30);

/// Removals that could not be written yet. Over it, a removal fails.
const UNSAVED_MAX: usize = 65_536;

/// A walk over the whole index comes no sooner after the last.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Lock, version file and directories.
const FIXED_BYTES: u64 = 32 << 10;

/// Why something was not written.
pub(super) enum Refused {
    /// There is no room that eviction could make.
    NoRoom,
    /// The system said so.
    System(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// A remover who waits, and whether what he removed must be written down.
struct Remover {
    reply: Reply<()>,
    is_owed: bool,
}

/// Everything that changes the disk.
pub(super) struct Writer {
    pub(super) disk: Arc<Disk>,
    pub(super) log: Log,
    pub(super) removals: Removals,
    unsaved: Vec<Removal>,
    removers: Vec<Remover>,
    /// Of sealed segments, sidecars and large files.
    pub(super) bytes: u64,
    reserved: HashMap<u64, (u64, Arc<File>)>,
    pub(super) now: Timestamp,
    swept: Option<Timestamp>,
    pub(super) survey: Survey,
    dirty_since: Option<Instant>,
    rests_until: Option<Instant>,
    rest: Duration,
}

impl Writer {
    pub(super) fn new(disk: Arc<Disk>, loaded: Loaded) -> Self {
        let Loaded { sealed, removals, next_seq, next_segment, bytes } = loaded;
        let now = disk.clock.now();
        let log = Log::new(Arc::clone(&disk), sealed, next_segment, next_seq);
        let rest = disk.retry_pause.min(REST_MAX);
        let writer = Self {
            disk,
            log,
            removals,
            unsaved: Vec::new(),
            removers: Vec::new(),
            bytes,
            reserved: HashMap::new(),
            now,
            swept: None,
            survey: Survey::default(),
            dirty_since: None,
            rests_until: None,
            rest,
        };
        writer.tell_bytes();
        writer
    }

    /// Until the queue is closed and empty.
    pub(super) fn run(mut self) {
        self.sweep();
        if let Err(Refused::System(failed)) = self.make_room(0) {
            self.note_failure("evict", &failed);
        }
        while let Some(messages) = self.disk.queue.clone().take(self.deadline()) {
            self.take(messages);
        }
        self.seal();
        // Counted and told; there is nobody left to answer.
        let _ = self.sync();
        self.tell_bytes();
    }

    fn take(&mut self, messages: VecDeque<Message>) {
        if self.rests_until.is_some_and(|until| until <= Instant::now()) {
            self.rests_until = None;
            self.disk.is_paused.store(false, Ordering::Relaxed);
        }
        let mut syncs = Vec::new();
        for message in messages {
            match message {
                Message::Store(store) => self.store(*store),
                Message::Remove { hash, reply, _permit } => self.remove(hash, reply),
                Message::Forget { hash } => self.forget(hash),
                Message::Reserve { id, bytes, now, reply } => self.reserve(id, bytes, now, reply),
                Message::Discard { id } => self.discard(id),
                Message::Sync(reply) => syncs.push(reply),
            }
        }
        if !self.removers.is_empty() {
            self.answer_removers();
        }
        self.sync_if_due(syncs);
        self.tell_bytes();
    }

    // What failed is not tried again before writing has rested.
    fn deadline(&self) -> Option<Instant> {
        let due = self.dirty_since.map(|since| since + self.disk.sync_interval);
        self.rests_until.or(due)
    }

    fn store(&mut self, store: Store) {
        self.now = self.now.max(store.now);
        let (hash, reply) = (store.hash, store.reply);
        let is_fenced = self.disk.mark(hash) != store.mark;
        let stored = match store.lies {
            _ if is_fenced => Ok(Admitted::Fenced),
            _ if self.rests_until.is_some() => {
                self.disk.stats.dropped_paused.one_more();
                Ok(Admitted::Busy)
            }
            Lies::Within => self.append(store.record, hash, store.keep_until, None),
            Lies::Already(large) => match self.leads_to(hash) == Some(large) {
                true => self.append(store.record, hash, store.keep_until, Some(large)),
                false => Ok(Admitted::NotWhole),
            },
            Lies::Written(draft) => {
                let large = draft.hand_over();
                let stored = self.append(store.record, hash, store.keep_until, Some(large));
                self.settle(large, &stored);
                stored
            }
        };
        drop(store.permit);
        let answer = self.heeded(hash, stored);
        // Who asked may have left.
        let _ = reply.send(answer);
    }

    // What was not stored is newer than what is: that goes.
    fn heeded(
        &mut self,
        hash: u64,
        stored: Result<Admitted, Refused>,
    ) -> Result<Admitted, TierFailure> {
        let answer = match stored {
            Ok(Admitted::Kept) => {
                self.rest = self.disk.retry_pause;
                self.disk.stats.kept.one_more();
                return Ok(Admitted::Kept);
            }
            Ok(refused @ (Admitted::Fenced | Admitted::NotWhole)) => return Ok(refused),
            Ok(
                refused @ (Admitted::Busy
                | Admitted::TooLarge
                | Admitted::Expired
                | Admitted::NotYet),
            ) => Ok(refused),
            Err(Refused::NoRoom) => {
                self.disk.stats.dropped_busy.one_more();
                Ok(Admitted::Busy)
            }
            Err(Refused::System(failed)) => Err(self.note_failure("write to", &failed)),
        };
        self.disk.index.hide(hash);
        self.forget(hash);
        answer
    }

    fn append(
        &mut self,
        mut record: Vec<u8>,
        hash: u64,
        keep_until: Timestamp,
        large: Option<LargeFile>,
    ) -> Result<Admitted, Refused> {
        self.room_for_record(record.len() as u64)?;
        let old = self.disk.index.peek(hash);
        let old_large = old.and_then(|old| self.large_of(&old));
        // Making room may have evicted the very file.
        if large.is_some_and(|large| !self.reserved.contains_key(&large.id)) && large != old_large {
            return Ok(Admitted::NotWhole);
        }
        let len = u32::try_from(record.len() - FRAME_BYTES).map_err(|_| Refused::NoRoom)?;
        let frame = Frame { seq: self.log.take_seq(), hash, len, keep_until, large };
        let place = self.log.append(&mut record, frame)?;
        self.note_dirty();
        self.disk.index.insert(frame.slot(place));
        if let Some(old_large) = old_large.filter(|old_large| Some(*old_large) != large) {
            self.delete_large(old_large);
        }
        Ok(Admitted::Kept)
    }

    // What was reserved for a large file is its bytes now, or nothing.
    fn settle(&mut self, large: LargeFile, stored: &Result<Admitted, Refused>) {
        if !matches!(stored, Ok(Admitted::Kept)) {
            return self.discard(large.id);
        }
        self.reserved.remove(&large.id);
        self.bytes += blocks(large.bytes);
    }

    fn remove(&mut self, hash: u64, reply: Reply<()>) {
        let found = self.disk.index.remove(hash);
        if let Some(slot) = &found {
            self.release(slot);
        }
        // What never was, or was evicted for good, needs no word. What was removed before, and is
        // not written down yet, does.
        let is_owed = found.is_some()
            || self.log.names_are_dirty()
            || self.unsaved.iter().any(|removal| removal.hash == hash);
        if is_owed {
            self.note_removal(hash);
        }
        self.removers.push(Remover { reply, is_owed });
    }

    // Unless it was evicted meanwhile, or replaced by something newer.
    fn forget(&mut self, hash: u64) {
        if !self.disk.index.peek(hash).is_some_and(|slot| slot.is_hidden()) {
            return;
        }
        if let Some(slot) = self.disk.index.remove(hash) {
            self.release(&slot);
        }
        self.note_removal(hash);
        self.note_dirty();
    }

    fn note_removal(&mut self, hash: u64) {
        let seq = self.log.take_seq();
        // Over the bound it is not confirmed: `save` fails.
        if self.unsaved.len() <= UNSAVED_MAX {
            self.unsaved.push(Removal { hash, seq });
        }
    }

    fn answer_removers(&mut self) {
        let saved = self.save();
        for Remover { reply, is_owed } in std::mem::take(&mut self.removers) {
            let _ = reply.send(if is_owed { saved.clone() } else { Ok(()) });
        }
    }

    fn save(&mut self) -> Result<(), TierFailure> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        if self.unsaved.len() > UNSAVED_MAX {
            self.unsaved.truncate(UNSAVED_MAX);
            return Err(TierFailure::new("cannot remove from the disk: too many wait for it"));
        }
        // Removals are few and go first; should there be no room, they are written all the same.
        let _ = self.make_room(self.removals.growth(self.unsaved.len()));
        match self.removals.append(&*self.disk.medium, &self.unsaved) {
            Ok(()) => {
                self.unsaved.clear();
                Ok(())
            }
            Err(failed) => Err(self.note_failure("remove from", &failed)),
        }
    }

    fn reserve(&mut self, id: u64, bytes: u64, now: Timestamp, reply: Reserved) {
        self.now = self.now.max(now);
        let file = match self.room_for_large(id, bytes) {
            Ok(file) => Some(file),
            Err(Refused::NoRoom) => None,
            Err(Refused::System(failed)) => {
                self.note_failure("make a file in", &failed);
                None
            }
        };
        // Who asked may have left: he discards it, as he discards what he does not finish.
        let _ = reply.send(file);
    }

    fn room_for_large(&mut self, id: u64, bytes: u64) -> Result<Arc<File>, Refused> {
        let reserved: u64 = self.reserved.values().map(|(bytes, _)| bytes).sum();
        // What arrives must not drive out all that is there.
        if self.rests_until.is_some() || reserved + bytes > self.disk.size_bytes / 2 {
            return Err(Refused::NoRoom);
        }
        self.make_room(bytes)?;
        if let Some((reserved, file)) = self.reserved.get_mut(&id) {
            *reserved += bytes;
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.disk.medium.create(&self.disk.paths.large(id))?);
        self.reserved.insert(id, (bytes, Arc::clone(&file)));
        Ok(file)
    }

    fn discard(&mut self, id: u64) {
        if self.reserved.remove(&id).is_some()
            && let Err(failed) = self.disk.medium.delete(&self.disk.paths.large(id))
        {
            self.note_failure("delete from", &failed);
        }
    }

    /// What a slot that nothing leads to any more had beside its record.
    pub(super) fn release(&mut self, slot: &Slot) {
        if let Some(large) = self.large_of(slot) {
            self.delete_large(large);
        }
    }

    fn delete_large(&mut self, large: LargeFile) {
        if let Err(failed) = self.disk.medium.delete(&self.disk.paths.large(large.id)) {
            self.note_failure("delete from", &failed);
        }
        self.disk.files.close(super::files::Name::Large(large.id));
        self.bytes = self.bytes.saturating_sub(blocks(large.bytes));
    }

    fn leads_to(&self, hash: u64) -> Option<LargeFile> {
        self.large_of(&self.disk.index.peek(hash)?)
    }

    // A damaged frame hides its file until the next start, which deletes it.
    fn large_of(&self, slot: &Slot) -> Option<LargeFile> {
        match slot.form() {
            Form::Small => None,
            Form::Large => self.disk.frame_at(slot)?.large,
        }
    }

    /// Bytes of all files, in whole blocks, with what they may grow to before room is made again.
    pub(super) fn used(&self) -> u64 {
        let reserved: u64 = self.reserved.values().map(|(bytes, _)| bytes).sum();
        self.bytes + self.log.active_bytes() + reserved + self.removals.bytes() + FIXED_BYTES
    }

    fn tell_bytes(&self) {
        self.disk.bytes.store(self.used(), Ordering::Relaxed);
    }

    /// Ends the growing segment.
    pub(super) fn seal(&mut self) {
        let (bytes, sealed) = self.log.seal();
        self.bytes += bytes;
        if let Err(failed) = sealed {
            self.note_failure("seal a segment in", &failed);
        }
        self.sweep();
    }

    /// Drops what has expired from the index, and its large files: they go before all others.
    pub(super) fn sweep(&mut self) {
        let now = self.now;
        if self.swept.is_some_and(|swept| now.since(swept) < SWEEP_PAUSE) {
            return;
        }
        self.swept = Some(now);
        for slot in self.disk.index.take_out(|slot| slot.is_expired(now)) {
            self.disk.stats.expired.one_more();
            self.release(&slot);
        }
    }

    fn note_dirty(&mut self) {
        self.dirty_since.get_or_insert_with(Instant::now);
    }

    fn sync_if_due(&mut self, asked: Vec<Reply<()>>) {
        let is_due = self.rests_until.is_none()
            && self.dirty_since.is_some_and(|since| since.elapsed() >= self.disk.sync_interval);
        if asked.is_empty() && !is_due {
            return;
        }
        let synced = self.sync();
        for reply in asked {
            let _ = reply.send(synced.clone());
        }
    }

    fn sync(&mut self) -> Result<(), TierFailure> {
        self.dirty_since = None;
        let synced = self.log.sync().map_err(|failed| self.note_failure("sync", &failed));
        if synced.is_err() {
            // What could not be made durable is not appended to.
            self.seal();
        }
        let saved = self.save();
        if self.log.is_dirty() || !self.unsaved.is_empty() {
            self.note_dirty();
        }
        synced.and(saved)
    }

    /// Counts and tells it, and lets writing rest.
    pub(super) fn note_failure(&mut self, tried: &str, failed: &dyn fmt::Display) -> TierFailure {
        self.disk.stats.write_errors.one_more();
        if self.rests_until.is_none() {
            self.rests_until = Some(Instant::now() + self.rest);
            self.rest = (self.rest * 2).min(REST_MAX);
            self.disk.is_paused.store(true, Ordering::Relaxed);
        }
        let failure = TierFailure::new(format!(
            "cannot {tried} `{}`: {failed}",
            self.disk.paths.root.display()
        ));
        tracing::warn!(%failure, rest = ?self.rest, "disk tier failed; writing rests");
        failure
    }
}
