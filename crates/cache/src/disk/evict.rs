//! Making room: the oldest segment goes, whole, if there is none that purges have emptied. What was used since it was written is written anew
//! before that, up to half of the segment; what has expired never is.

use super::frame::{FRAME_BYTES, Frame};
use super::index::{Form, Slot};
use super::purged::Cleared;
use super::writer::{Refused, Writer};

/// Whether what was used is carried forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carry {
    Used,
    Nothing,
}

impl Writer {
    /// Room for a record in the growing segment, which is another one afterwards if need be.
    pub(super) fn room_for_record(&mut self, record_bytes: u64) -> Result<(), Refused> {
        if self.log.takes(record_bytes) {
            return Ok(());
        }
        self.seal();
        self.make_room(self.disk.segment_bytes)?;
        // What was carried forward may have begun one.
        if !self.log.takes(record_bytes) {
            self.seal();
            self.log.begin()?;
        }
        Ok(())
    }

    /// Evicts until so many more bytes fit, and a segment beside them, to carry into.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<(), Refused> {
        let size_bytes = self.disk.size_bytes - self.disk.segment_bytes;
        // Who keeps using everything must not make this endless.
        let mut carries = self.log.sealed.len();
        if self.used().saturating_add(bytes) > size_bytes {
            self.sweep();
        }
        while self.used().saturating_add(bytes) > size_bytes {
            if self.clear_purged()? == Cleared::Yes {
                continue;
            }
            if self.log.sealed.is_empty() {
                self.seal();
            }
            if self.log.sealed.is_empty() {
                return Err(Refused::NoRoom);
            }
            let carry = if carries > 0 { Carry::Used } else { Carry::Nothing };
            carries = carries.saturating_sub(1);
            self.evict_oldest(carry)?;
        }
        Ok(())
    }

    fn evict_oldest(&mut self, carry: Carry) -> Result<(), Refused> {
        let Some(oldest) = self.log.sealed.front().copied() else { return Ok(()) };
        match carry {
            Carry::Used => self.carry_from(oldest.number, oldest.bytes / 2),
            Carry::Nothing => {}
        }
        for slot in self.disk.index.take_out(|slot| slot.place.segment == oldest.number) {
            match slot.is_expired(self.now) {
                true => self.disk.stats.expired.one_more(),
                false => self.disk.stats.evicted.one_more(),
            }
            self.release(&slot);
        }
        self.delete(oldest.number)
    }

    /// Deletes a sealed segment, to which no slot leads any more.
    pub(super) fn delete(&mut self, segment: u32) -> Result<(), Refused> {
        let bytes = self.log.delete(segment)?;
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Err(failed) = self.log.sync_names() {
            self.note_failure("sync names in", &failed);
        }
        self.forget_removals();
        Ok(())
    }

    // Half of the large ones, and of the bytes of the others.
    fn carry_from(&mut self, segment: u32, bytes_max: u64) {
        let mut used = self.disk.index.of_segment(segment);
        let large = used.iter().filter(|slot| slot.form() == Form::Large).count();
        let mut large_left = large.div_ceil(2);
        used.retain(|slot| slot.is_used() && !slot.is_expired(self.now));
        used.sort_unstable_by_key(|slot| slot.place.at);
        let mut bytes_left = bytes_max;
        for slot in used {
            match slot.form() {
                Form::Small if bytes_left < u64::from(slot.len()) => continue,
                Form::Large if large_left == 0 => continue,
                Form::Small => bytes_left -= u64::from(slot.len()),
                Form::Large => large_left -= 1,
            }
            match self.carry(&slot) {
                Ok(()) => {}
                // It goes uncarried, as do those behind it.
                Err(Refused::NoRoom) => return,
                Err(Refused::System(failed)) => {
                    self.note_failure("write to", &failed);
                    return;
                }
            }
        }
    }

    fn carry(&mut self, slot: &Slot) -> Result<(), Refused> {
        let Some((record, frame)) = self.disk.record_at(slot) else { return Ok(()) };
        // However often it was used.
        if self.disk.judge.get().is_some_and(|judge| judge.is_gone(&record)) {
            return Ok(());
        }
        self.carry_record(slot, record, frame)
    }

    /// Writes a record anew, and tells the index where it lies from now on.
    pub(super) fn carry_record(
        &mut self,
        slot: &Slot,
        mut record: Vec<u8>,
        frame: Frame,
    ) -> Result<(), Refused> {
        if !self.log.takes(record.len() as u64) {
            self.seal();
            // This may take the segment that is kept free for it, and no more.
            if self.used() + self.disk.segment_bytes > self.disk.size_bytes {
                return Err(Refused::NoRoom);
            }
            self.log.begin()?;
        }
        let frame = Frame { seq: self.log.take_seq(), ..frame };
        let place = self.log.append(&mut record, frame)?;
        // A remover may have hidden it meanwhile; his word will be newer than this copy.
        if self.disk.index.relocate(slot.hash, slot.place, place).is_some() {
            self.disk.stats.carried.one_more();
        }
        Ok(())
    }

    // Those that are older than all that is there. Only when nothing can come back that they kill.
    fn forget_removals(&mut self) {
        if !self.removals.is_grown() || self.log.names_are_dirty() {
            return;
        }
        let oldest = self.log.oldest_seq();
        let replaced = self.removals.read_back().and_then(|mut removed| {
            removed.retain(|_, seq| *seq > oldest);
            self.removals.replace(&*self.disk.medium, &removed)
        });
        if let Err(failed) = replaced {
            self.note_failure("forget removals in", &failed);
        }
    }
}

impl super::Disk {
    /// The whole record that a slot leads to, and its frame, if that is sound and the slot's.
    pub(super) fn record_at(&self, slot: &Slot) -> Option<(Vec<u8>, Frame)> {
        let mut record = vec![0; slot.len() as usize];
        let opened = self.files.open(super::files::Name::Segment(slot.place.segment)).ok()?;
        opened.read(&mut [&mut record[..]], u64::from(slot.place.at)).ok()?;
        let frame = Frame::read(&record, opened.id, slot.place.at)?;
        (frame.hash == slot.hash && frame.record_bytes() == record.len() as u64)
            .then_some((record, frame))
    }

    /// The frame that a slot leads to, if it is sound.
    pub(super) fn frame_at(&self, slot: &Slot) -> Option<Frame> {
        let mut bytes = [0; FRAME_BYTES];
        let opened = self.files.open(super::files::Name::Segment(slot.place.segment)).ok()?;
        opened.read(&mut [&mut bytes[..]], u64::from(slot.place.at)).ok()?;
        Frame::read(&bytes, opened.id, slot.place.at).filter(|frame| frame.hash == slot.hash)
    }
}
