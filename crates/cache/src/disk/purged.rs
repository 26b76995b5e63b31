//! Room that purges have made: a segment of which most was killed goes before all others, whatever
//! its age. A purge itself does nothing here; it is asked for when there is no room.
//!
//! Of each segment a few records are read, once after the purges have changed. What lives in the one
//! that goes is written anew, all of it. What does not is *removed*: a segment older than this may
//! hold what it had replaced.

use std::sync::Arc;

use bytes::Bytes;

use super::frame::FRAME_BYTES;
use super::index::Slot;
use super::removals::Removal;
use super::writer::{Refused, Writer};
use crate::codec::{FRONT_BYTES, Front, HeadCodec};
use crate::entry::Head;
use crate::log::Purges;
use crate::purge::{Belongs, Verdict};

/// Segments that are looked at, the oldest.
const SEGMENTS_MAX: usize = 64;

/// Records of each that are read.
const SAMPLES: usize = 8;

/// So many of them must be gone for the segment to go.
const GONE_MIN: usize = 6;

/// What says whether purges have killed a record.
pub(super) struct Judge {
    purges: Purges,
    is_gone: Box<dyn Fn(&Front, &[u8], &Bytes) -> bool + Send + Sync>,
}

impl Judge {
    pub(super) fn new<H: Head>(purges: &Purges, codec: Arc<dyn HeadCodec<H>>) -> Self {
        let purges = purges.clone();
        let asked = purges.clone();
        let is_gone = move |front: &Front, key: &[u8], head: &Bytes| {
            let Some(head) = codec.decode(head) else { return false };
            let mut belongs = Belongs::new();
            head.belongs(key, &mut belongs);
            matches!(asked.judge(front.epoch, &belongs), Verdict::Gone { .. })
        };
        Self { purges, is_gone: Box::new(is_gone) }
    }

    /// Whether they have killed this record. What does not read is not known to be.
    pub(super) fn is_gone(&self, record: &[u8]) -> bool {
        let Some(stored) = record.get(FRAME_BYTES..) else { return false };
        let Ok(front) = Front::read(stored) else { return false };
        let (key_end, head_end) = (front.key_len as usize, front.middle_len());
        let middle = stored.get(FRONT_BYTES..).and_then(|rest| rest.get(..head_end));
        let Some((key, rest)) = middle.map(|middle| middle.split_at(key_end)) else { return false };
        let head = Bytes::copy_from_slice(&rest[..front.head_len as usize]);
        (self.is_gone)(&front, key, &head)
    }
}

/// What was found out about the segments.
#[derive(Default)]
pub(super) struct Survey {
    /// The version of the purges that it is of.
    version: u64,
    /// Segments of which most is gone, the one that goes first last.
    doomed: Vec<u32>,
}

/// Whether a segment has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cleared {
    Yes,
    /// There is none, or more of it lives than was thought.
    No,
}

impl Writer {
    /// Lets a segment go of which purges have killed most, if there is one.
    pub(super) fn clear_purged(&mut self) -> Result<Cleared, Refused> {
        let disk = Arc::clone(&self.disk);
        let Some(judge) = disk.judge.get() else { return Ok(Cleared::No) };
        let version = judge.purges.version();
        if self.survey.version != version {
            self.survey = Survey { version, doomed: self.doomed(judge) };
        }
        while let Some(segment) = self.survey.doomed.pop() {
            if self.clear(segment, judge)? == Cleared::Yes {
                return Ok(Cleared::Yes);
            }
        }
        Ok(Cleared::No)
    }

    fn doomed(&self, judge: &Judge) -> Vec<u32> {
        let oldest = self.log.sealed.iter().take(SEGMENTS_MAX).map(|sealed| sealed.number);
        let mut shares = Vec::new();
        for (segment, slots) in self.disk.index.samples(oldest, SAMPLES) {
            let is_gone = |slot: &&Slot| {
                self.disk.record_at(slot).is_some_and(|(record, _)| judge.is_gone(&record))
            };
            let gone = slots.iter().filter(is_gone).count();
            if gone >= GONE_MIN {
                shares.push((gone, segment));
            }
        }
        shares.sort_unstable_by_key(|(gone, segment)| (*gone, u32::MAX - segment));
        shares.into_iter().map(|(_, segment)| segment).collect()
    }

    fn clear(&mut self, segment: u32, judge: &Judge) -> Result<Cleared, Refused> {
        let sealed = self.log.sealed.iter().find(|sealed| sealed.number == segment).copied();
        let Some(sealed) = sealed else { return Ok(Cleared::No) };
        let mut living_left = sealed.bytes / 2;
        for slot in self.disk.index.of_segment(segment) {
            let Some((record, frame)) = self.disk.record_at(&slot) else { continue };
            if slot.is_expired(self.now) || judge.is_gone(&record) {
                continue;
            }
            let Some(left) = living_left.checked_sub(record.len() as u64) else {
                return Ok(Cleared::No);
            };
            living_left = left;
            match self.carry_record(&slot, record, frame) {
                Ok(()) => {}
                // The copies that were made are good; the rest stays where it is.
                Err(Refused::NoRoom) => return Ok(Cleared::No),
                Err(failed) => return Err(failed),
            }
        }
        // Before the segment goes: what it had replaced must not be the newest after a crash.
        self.log.sync()?;
        self.remove_rest(segment)?;
        self.delete(segment)?;
        Ok(Cleared::Yes)
    }

    fn remove_rest(&mut self, segment: u32) -> Result<(), Refused> {
        let rest = self.disk.index.take_out(|slot| slot.place.segment == segment);
        let mut removals = Vec::with_capacity(rest.len());
        for slot in &rest {
            match slot.is_expired(self.now) {
                true => self.disk.stats.expired.one_more(),
                false => self.disk.stats.purged.one_more(),
            }
            self.release(slot);
            removals.push(Removal { hash: slot.hash, seq: self.log.take_seq() });
        }
        if !removals.is_empty() {
            self.removals.append(&*self.disk.medium, &removals)?;
        }
        Ok(())
    }
}
