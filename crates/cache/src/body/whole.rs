//! A body that is all there: one exact slice where it is small, else its pages in order.

use std::ops::Range;

use bytes::Bytes;

use crate::budget::CHUNK_OVERHEAD;

/// A body that is all there.
#[derive(Debug)]
pub struct Whole {
    pieces: Pieces,
    trailer: Option<Box<Bytes>>,
}

#[derive(Debug)]
enum Pieces {
    One(Bytes),
    Many(Box<[Piece]>),
}

/// A page and the place of its first byte in the body.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl Piece {
    pub(super) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// What this piece has of the range that begins within it.
    pub(super) fn cut(&self, range: &Range<u64>) -> Bytes {
        let from = range.start - self.start;
        let to = range.end.min(self.end()) - self.start;
        // Both are at most the length of a slice in memory.
        self.bytes.slice(from as usize..to as usize)
    }
}

impl Whole {
    pub(super) fn one(bytes: Bytes, trailer: Option<Bytes>) -> Self {
        Self { pieces: Pieces::One(bytes), trailer: trailer.map(Box::new) }
    }

    pub(super) fn many(pieces: Vec<Piece>, trailer: Option<Bytes>) -> Self {
        Self { pieces: Pieces::Many(pieces.into()), trailer: trailer.map(Box::new) }
    }

    /// Its length.
    pub fn len(&self) -> u64 {
        match &self.pieces {
            Pieces::One(bytes) => bytes.len() as u64,
            Pieces::Many(pieces) => pieces.last().map_or(0, Piece::end),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it as one slice: always so up to 1 MiB, unless memory was short.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.pieces {
            Pieces::One(bytes) => Some(bytes),
            Pieces::Many(_) => None,
        }
    }

    /// The slices of a range, in order, cut at the end.
    pub fn slices(&self, range: Range<u64>) -> impl Iterator<Item = Bytes> + '_ {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let slice = self.slice_at(&(at..range.end))?;
            at += slice.len() as u64;
            Some(slice)
        })
    }

    /// What followed it, in the caller's own encoding.
    pub fn trailer(&self) -> Option<&Bytes> {
        self.trailer.as_deref()
    }

    /// The first slice of a range; `None` at its end.
    pub(super) fn slice_at(&self, range: &Range<u64>) -> Option<Bytes> {
        if range.start >= range.end.min(self.len()) {
            return None;
        }
        match &self.pieces {
            Pieces::One(bytes) => {
                Some(bytes.slice(range.start as usize..range.end.min(self.len()) as usize))
            }
            Pieces::Many(pieces) => {
                let index = pieces.partition_point(|piece| piece.end() <= range.start);
                pieces.get(index).map(|piece| piece.cut(range))
            }
        }
    }

    /// The bytes that it keeps alive, with what its pages and its trailer cost.
    pub(crate) fn weight_bytes(&self) -> usize {
        let pages = match &self.pieces {
            Pieces::One(bytes) if bytes.is_empty() => 0,
            Pieces::One(bytes) => bytes.len() + CHUNK_OVERHEAD,
            Pieces::Many(pieces) => {
                pieces.iter().map(|page| page.bytes.len() + CHUNK_OVERHEAD).sum()
            }
        };
        pages + self.trailer.as_ref().map_or(0, |trailer| trailer.len() + CHUNK_OVERHEAD)
    }
}
