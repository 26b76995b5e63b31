//! The part of a body that its writer and its readers share while it arrives, under one lock.

use std::collections::VecDeque;
use std::ops::Range;
use std::task::Waker;

use bytes::Bytes;

use super::End;
use super::whole::Piece;
use crate::budget::{CHUNK_OVERHEAD, Reservation};
use crate::slots::Slots;

/// Chunks up to this size are put together while they arrive, so that a sender of single bytes
/// does not make us keep a list of them. The larger ones are pages as they are.
const PAGE_BYTES: usize = 16 << 10;

/// What is to be done when the body ends.
pub(crate) type Hook = Box<dyn FnOnce(&End) + Send>;

pub(super) struct Arriving {
    pub(super) expected_len: Option<u64>,
    pub(super) len: u64,
    /// How far readers may read: not to the end of a body that is as long as was announced.
    shown: u64,
    pub(super) held_bytes: usize,
    pub(super) end: Option<End>,
    pub(super) trailer: Option<Bytes>,
    pub(super) hooks: Vec<Hook>,
    pub(super) outgrown: bool,
    pub(super) outgrown_hooks: Vec<Box<dyn FnOnce() + Send>>,
    pub(super) waiting: Slots<Waker>,
    pub(super) writer: Option<Waker>,
    chunks: VecDeque<Chunk>,
    readers: Slots<Place>,
}

struct Chunk {
    piece: Piece,
    // Pages count themselves; what merely passes through is counted here while it is held.
    _reservation: Option<Reservation>,
}

/// Whether a slow reader may hold up the writer, and so the other readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// For as long as it reads.
    Endless,
    /// Until another reader has had all that is held, and waits; then it is cut off.
    UntilAnotherWaits,
}

/// Where a reader is, and how to tell it that there is more.
struct Place {
    at: u64,
    waker: Option<Waker>,
    patience: Patience,
    cut_off: bool,
}

impl Arriving {
    pub(super) fn new(expected_len: Option<u64>) -> Self {
        Self {
            expected_len,
            len: 0,
            shown: 0,
            held_bytes: 0,
            end: None,
            trailer: None,
            hooks: Vec::new(),
            outgrown: false,
            outgrown_hooks: Vec::new(),
            waiting: Slots::new(),
            writer: None,
            chunks: VecDeque::new(),
            readers: Slots::new(),
        }
    }

    /// A reader's place, if all from `start` on is held or to come.
    pub(super) fn join(&mut self, start: u64, patience: Patience) -> Option<usize> {
        let place = Place { at: start, waker: None, patience, cut_off: false };
        self.still_holds_from(start).then(|| self.readers.insert(place))
    }

    pub(super) fn is_cut_off(&mut self, place: usize) -> bool {
        self.readers.at(place).is_some_and(|reader| reader.cut_off)
    }

    pub(super) fn holds_from(&self, start: u64) -> bool {
        self.end.is_none() && start >= self.first()
    }

    // Also of a body that has passed by, for as long as another has yet to read it.
    fn still_holds_from(&self, start: u64) -> bool {
        match self.end {
            None | Some(End::PassedThrough) => start >= self.first(),
            Some(End::Whole | End::Broken(_)) => false,
        }
    }

    fn first(&self) -> u64 {
        self.chunks.front().map_or(self.len, |chunk| chunk.piece.start)
    }

    pub(super) fn leave(&mut self, place: usize) -> Option<Waker> {
        self.readers.remove(place);
        self.let_go_after_the_end();
        self.writer.take()
    }

    pub(super) fn is_unread(&self) -> bool {
        self.readers.iter().all(|reader| reader.cut_off)
    }

    /// What a reader may have next; it has had it then.
    pub(super) fn take_slice(&mut self, place: usize, range: &Range<u64>) -> Option<Bytes> {
        if range.start >= self.shown {
            return None;
        }
        let index = self.chunks.partition_point(|chunk| chunk.piece.end() <= range.start);
        let slice = self.chunks.get(index)?.piece.cut(&(range.start..range.end.min(self.shown)));
        if let Some(reader) = self.readers.at(place) {
            reader.at = range.start + slice.len() as u64;
        }
        self.let_go_after_the_end();
        Some(slice)
    }

    pub(super) fn tell_reader(&mut self, place: usize, waker: &Waker) {
        if let Some(reader) = self.readers.at(place) {
            reader.waker = Some(waker.clone());
        }
    }

    /// The last chunks that a chunk of this length is to be put together with, in order. Each is
    /// no longer than what follows it, so a byte is copied about as often as its page doubles.
    pub(super) fn small_tail(&self, len: usize) -> Vec<Bytes> {
        let mut sum = len;
        let mut tail: Vec<_> = self
            .chunks
            .iter()
            .rev()
            .map(|chunk| &chunk.piece.bytes)
            .take_while(|bytes| {
                let fits = bytes.len() <= sum && bytes.len() + sum <= PAGE_BYTES;
                sum += bytes.len();
                fits
            })
            .cloned()
            .collect();
        tail.reverse();
        tail
    }

    /// Holds a page in place of the last few chunks, which it contains. Where it is the last of an
    /// announced length, readers have it when the body ends: who has read all that was announced
    /// takes the body for whole, and then it must be so, and lie where it is kept.
    pub(super) fn keep(&mut self, page: Bytes, merged: usize, fresh: usize) {
        let first = self.chunks.len() - merged;
        for chunk in self.chunks.drain(first..) {
            self.held_bytes -= chunk.piece.bytes.len() + CHUNK_OVERHEAD;
        }
        let start = self.len + fresh as u64 - page.len() as u64;
        self.hold(Piece { start, bytes: page }, None);
        if self.expected_len != Some(self.len) {
            self.shown = self.len;
        }
    }

    /// Whether readers have nothing to wait for but the end.
    pub(super) fn holds_back(&self) -> bool {
        self.shown < self.len
    }

    /// Passes bytes on to those who read now.
    pub(super) fn pass(&mut self, bytes: Bytes, reservation: Reservation) {
        let start = self.len;
        self.hold(Piece { start, bytes }, Some(reservation));
        self.shown = self.len;
    }

    pub(super) fn end_here(&mut self, end: End, trailer: Option<Bytes>) {
        (self.end, self.trailer, self.shown) = (Some(end), trailer, self.len);
        self.let_go_after_the_end();
    }

    /// Lets go of what every reader has had, or begins behind, until no more than this is held.
    /// Not sooner than the room is needed: who was told of the body a moment ago still finds its
    /// begin.
    pub(super) fn make_room(&mut self, held_bytes_max: usize) {
        let slowest = self.slowest(|reader| !reader.cut_off);
        while self.held_bytes > held_bytes_max {
            let Some(chunk) = self.chunks.pop_front_if(|chunk| chunk.piece.end() <= slowest) else {
                return;
            };
            self.held_bytes -= chunk.piece.bytes.len() + CHUNK_OVERHEAD;
        }
    }

    /// Whether a writer may go on although more than the window is held: what is held too much is
    /// only for readers that hold up no other. Those that are too far behind are cut off.
    pub(super) fn outruns(&mut self, window_bytes_max: usize, lag_bytes_max: usize) -> bool {
        let slowest = self.slowest(|reader| reader.patience == Patience::Endless);
        if slowest == u64::MAX || self.behind(slowest) > window_bytes_max {
            return false;
        }
        if self.held_bytes > window_bytes_max.saturating_add(lag_bytes_max) {
            self.cut_off(|reader| reader.at < slowest);
            self.make_room(window_bytes_max);
        }
        true
    }

    /// Ends all readers that hold up no other: the body is too long for them.
    pub(super) fn cut_off_taps(&mut self) {
        self.cut_off(|reader| reader.patience == Patience::UntilAnotherWaits);
    }

    fn cut_off(&mut self, which: impl Fn(&Place) -> bool) {
        for reader in self.readers.iter_mut().filter(|reader| which(reader)) {
            reader.cut_off = true;
            if let Some(waker) = reader.waker.take() {
                waker.wake();
            }
        }
    }

    fn slowest(&self, counts: impl Fn(&Place) -> bool) -> u64 {
        let counted = self.readers.iter().filter(|reader| counts(reader));
        counted.map(|reader| reader.at).min().unwrap_or(u64::MAX)
    }

    fn behind(&self, at: u64) -> usize {
        let held = self.chunks.iter().rev().take_while(|chunk| chunk.piece.end() > at);
        held.map(|chunk| chunk.piece.bytes.len() + CHUNK_OVERHEAD).sum()
    }

    // Nobody joins a body that broke, nor one that passed by when all have read it.
    fn let_go_after_the_end(&mut self) {
        if self.end.is_some() {
            self.make_room(0);
        }
    }

    pub(super) fn pieces(&self) -> Vec<Piece> {
        self.chunks.iter().map(|chunk| chunk.piece.clone()).collect()
    }

    pub(super) fn take_reader_wakers(&mut self) -> Vec<Waker> {
        self.readers.iter_mut().filter_map(|reader| reader.waker.take()).collect()
    }

    pub(super) fn take_all_wakers(&mut self) -> Vec<Waker> {
        let mut wakers = self.take_reader_wakers();
        wakers.extend(std::mem::replace(&mut self.waiting, Slots::new()).into_values());
        wakers
    }

    fn hold(&mut self, piece: Piece, reservation: Option<Reservation>) {
        self.held_bytes += piece.bytes.len() + CHUNK_OVERHEAD;
        self.len = piece.end();
        self.chunks.push_back(Chunk { piece, _reservation: reservation });
    }
}
