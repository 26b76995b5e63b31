//! A whole stored entry: front, key, head, trailer, and the body where it follows.

use bytes::Bytes;

use super::checksum::{Checksum, checksum};
use super::compression::decompressed;
use super::damage::Damage;
use super::front::{FRONT_BYTES, Front, Layout};
use crate::clock::Timestamp;
use crate::entry::Stamp;
use crate::purge::Epoch;

/// An entry that is about to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The whole key.
    pub key: &'a [u8],
    /// The head as its codec wrote it.
    pub head: &'a [u8],
    /// What followed the body.
    pub trailer: Option<&'a [u8]>,
    /// The body.
    pub body: StoredBody<'a>,
    /// Until when it is kept.
    pub keep_until: Timestamp,
    /// What tells it from every other under its key.
    pub stamp: Stamp,
    /// The purges that were known when its fetch began.
    pub epoch: Epoch,
}

/// A body that is about to be stored.
#[derive(Clone, Copy, Debug)]
pub enum StoredBody<'a> {
    /// As it is.
    Plain(&'a [u8]),
    /// Compressed.
    Compressed {
        /// The compressed bytes; fewer than the body has.
        bytes: &'a [u8],
        /// The length of the body.
        body_len: u64,
    },
    /// Elsewhere.
    Elsewhere {
        /// The length of the body.
        body_len: u64,
    },
}

/// A stored entry that reads.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// Its front.
    pub front: Front,
    /// Its key.
    pub key: Bytes,
    /// Its head, for its codec.
    pub head: Bytes,
    /// What followed the body.
    pub trailer: Option<Bytes>,
    /// The body as it is stored; empty where it lies elsewhere.
    pub stored: Bytes,
}

impl Record<'_> {
    /// Its front; what is too long to be read again is not to be stored.
    pub fn front(&self) -> Result<Front, Damage> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(|_| Damage::TooLong);
        let mut middle = Checksum::new();
        [self.key, self.head, self.trailer.unwrap_or_default()]
            .iter()
            .for_each(|piece| middle.add(piece));
        let (layout, stored, body_len) = match self.body {
            StoredBody::Plain(bytes) => (Layout::Plain, bytes, bytes.len() as u64),
            StoredBody::Compressed { bytes, body_len } => (Layout::Compressed, bytes, body_len),
            StoredBody::Elsewhere { body_len } => (Layout::Elsewhere, &[][..], body_len),
        };
        Front {
            stamp: self.stamp,
            epoch: self.epoch,
            keep_until: self.keep_until,
            layout,
            body_len,
            stored_len: stored.len() as u64,
            key_len: length(self.key)?,
            head_len: length(self.head)?,
            trailer_len: self.trailer.map(length).transpose()?,
            middle_sum: middle.value(),
            body_sum: checksum(stored),
        }
        .checked()
    }

    /// Appends it. Nothing is written of what is too long.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Damage> {
        let front = self.front()?;
        // A record in memory is no longer than memory.
        out.reserve(front.total_len() as usize);
        out.extend_from_slice(&front.to_bytes());
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.head);
        out.extend_from_slice(self.trailer.unwrap_or_default());
        match self.body {
            StoredBody::Plain(bytes) | StoredBody::Compressed { bytes, .. } => {
                out.extend_from_slice(bytes);
            }
            StoredBody::Elsewhere { .. } => {}
        }
        Ok(())
    }
}

impl StoredRecord {
    /// Reads a record that is exactly these bytes, and shares them.
    pub fn read(bytes: &Bytes) -> Result<Self, Damage> {
        let front = Front::read(bytes)?;
        if front.total_len() != bytes.len() as u64 {
            return Err(Damage::Length);
        }
        let record = Self::read_middle(front, &bytes.slice(FRONT_BYTES..))?;
        if checksum(&record.stored) != front.body_sum {
            return Err(Damage::Checksum);
        }
        Ok(record)
    }

    /// Reads what follows a front: key, head and trailer, and what there is of the body, unchecked.
    pub fn read_middle(front: Front, bytes: &Bytes) -> Result<Self, Damage> {
        let (key_len, head_len) = (front.key_len as usize, front.head_len as usize);
        let middle_len = front.middle_len();
        if bytes.len() < middle_len {
            return Err(Damage::Length);
        }
        if checksum(&bytes[..middle_len]) != front.middle_sum {
            return Err(Damage::Checksum);
        }
        let trailer = bytes.slice(key_len + head_len..middle_len);
        Ok(StoredRecord {
            front,
            key: bytes.slice(..key_len),
            head: bytes.slice(key_len..key_len + head_len),
            trailer: front.trailer_len.map(|_| trailer),
            stored: bytes.slice(middle_len..),
        })
    }

    /// The body, decompressed if it must be; empty where it lies elsewhere. No more is allocated
    /// than `body_bytes_max`.
    pub fn body(&self, body_bytes_max: u64) -> Result<Bytes, Damage> {
        if self.front.body_len > body_bytes_max {
            return Err(Damage::TooLong);
        }
        match self.front.layout {
            Layout::Plain => Ok(self.stored.clone()),
            Layout::Compressed => decompressed(&self.stored, self.front.body_len).map(Bytes::from),
            Layout::Elsewhere => Ok(Bytes::new()),
        }
    }
}
