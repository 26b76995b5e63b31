//! The front of a stored entry: a fixed size, little endian, with a checksum of its own.

use super::checksum::checksum;
use super::damage::Damage;
use crate::clock::Timestamp;
use crate::entry::Stamp;
use crate::purge::Epoch;

/// Bytes of a front.
pub const FRONT_BYTES: usize = 96;

/// Where the stamp lies in it, in eight bytes.
pub const STAMP_OFFSET: usize = 8;

/// What a stored entry begins with.
const MAGIC: [u8; 4] = *b"FBAY";

/// Raised with every change of the form, of a front or of a head.
const VERSION: u16 = 1;

/// What every front of this version begins with.
pub const OPENING: [u8; 6] = {
    let ([a, b, c, d], [low, high]) = (MAGIC, VERSION.to_le_bytes());
    [a, b, c, d, low, high]
};

/// The longest key that reads.
const KEY_BYTES_MAX: u32 = 256 << 10;

/// The longest head that reads.
const HEAD_BYTES_MAX: u32 = 1 << 20;

/// The longest trailer that reads.
const TRAILER_BYTES_MAX: u32 = 64 << 10;

/// The longest body that reads, wherever it lies.
const BODY_BYTES_MAX: u64 = 1 << 40;

const HAS_TRAILER: u16 = 1;
const ELSEWHERE: u16 = 2;
const COMPRESSED: u16 = 4;
const LAYOUTS: u16 = HAS_TRAILER | ELSEWHERE | COMPRESSED;

/// How a body lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Behind the rest, as it is.
    Plain,
    /// Behind the rest, compressed.
    Compressed,
    /// Elsewhere; the tier knows where.
    Elsewhere,
}

/// What is known of a stored entry before anything else of it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    /// What tells the entry from every other under its key.
    pub stamp: Stamp,
    /// The purges that were known when its fetch began.
    pub epoch: Epoch,
    /// Until when it is kept.
    pub keep_until: Timestamp,
    /// How its body lies.
    pub layout: Layout,
    /// The length of its body.
    pub body_len: u64,
    /// The bytes of its body that follow: none of one that lies elsewhere.
    pub stored_len: u64,
    /// The length of its key.
    pub key_len: u32,
    /// The length of its head.
    pub head_len: u32,
    /// The length of its trailer.
    pub trailer_len: Option<u32>,
    /// The checksum of key, head and trailer.
    pub middle_sum: u64,
    /// The checksum of the body as it follows.
    pub body_sum: u64,
}

impl Front {
    /// Its stored form.
    pub fn to_bytes(&self) -> [u8; FRONT_BYTES] {
        let mut out = Vec::with_capacity(FRONT_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.flags().to_le_bytes());
        let epoch = self.epoch.to_longs();
        let longs = [
            self.stamp.number(),
            epoch[0],
            epoch[1],
            self.keep_until.as_millis(),
            self.body_len,
            self.stored_len,
        ];
        longs.iter().for_each(|long| out.extend_from_slice(&long.to_le_bytes()));
        let shorts = [self.key_len, self.head_len, self.trailer_len.unwrap_or(0), 0];
        shorts.iter().for_each(|short| out.extend_from_slice(&short.to_le_bytes()));
        out.extend_from_slice(&self.middle_sum.to_le_bytes());
        out.extend_from_slice(&self.body_sum.to_le_bytes());
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        out.try_into().expect("the fields above have this length together")
    }

    /// Reads a front from the begin of these bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let Some((bytes, _)) = bytes.split_first_chunk::<FRONT_BYTES>() else {
            return Err(Damage::Length);
        };
        if bytes[..4] != MAGIC {
            return Err(Damage::Foreign);
        }
        let mut rest = Rest(&bytes[4..]);
        let version = u16::from_le_bytes(rest.take());
        if version != VERSION {
            return Err(Damage::OtherVersion);
        }
        if checksum(&bytes[..FRONT_BYTES - 8]).to_le_bytes() != bytes[FRONT_BYTES - 8..] {
            return Err(Damage::Checksum);
        }
        let flags = u16::from_le_bytes(rest.take());
        let stamp = Stamp::from_number(rest.long());
        let epoch = Epoch::from_longs([rest.long(), rest.long()]);
        let keep_until = Timestamp::from_millis(rest.long());
        let (body_len, stored_len) = (rest.long(), rest.long());
        let (key_len, head_len, trailer_len) = (rest.short(), rest.short(), rest.short());
        let unused = rest.short();
        let (middle_sum, body_sum) = (rest.long(), rest.long());
        let front = Front {
            stamp,
            epoch,
            keep_until,
            layout: layout_of(flags)?,
            body_len,
            stored_len,
            key_len,
            head_len,
            trailer_len: (flags & HAS_TRAILER != 0).then_some(trailer_len),
            middle_sum,
            body_sum,
        };
        // What stands where nothing is said was not written by us.
        let is_ours = unused == 0 && (front.trailer_len.is_some() || trailer_len == 0);
        if is_ours { front.checked() } else { Err(Damage::Foreign) }
    }

    /// The bytes of key, head and trailer.
    pub fn middle_len(&self) -> usize {
        // Each is bounded when it is read or written.
        self.key_len as usize + self.head_len as usize + self.trailer_len.unwrap_or(0) as usize
    }

    /// The bytes of the whole, with the body if it follows.
    pub fn total_len(&self) -> u64 {
        (FRONT_BYTES + self.middle_len()) as u64 + self.stored_len
    }

    pub(super) fn checked(self) -> Result<Self, Damage> {
        let is_too_long = self.key_len > KEY_BYTES_MAX
            || self.head_len > HEAD_BYTES_MAX
            || self.trailer_len.is_some_and(|len| len > TRAILER_BYTES_MAX)
            || self.body_len > BODY_BYTES_MAX
            || self.stored_len > BODY_BYTES_MAX;
        if is_too_long {
            return Err(Damage::TooLong);
        }
        let agrees = match self.layout {
            Layout::Plain => self.stored_len == self.body_len,
            Layout::Compressed => self.stored_len < self.body_len,
            Layout::Elsewhere => self.stored_len == 0,
        };
        if agrees { Ok(self) } else { Err(Damage::Length) }
    }

    fn flags(&self) -> u16 {
        let trailer = if self.trailer_len.is_some() { HAS_TRAILER } else { 0 };
        trailer
            | match self.layout {
                Layout::Plain => 0,
                Layout::Compressed => COMPRESSED,
                Layout::Elsewhere => ELSEWHERE,
            }
    }
}

fn layout_of(flags: u16) -> Result<Layout, Damage> {
    if flags & !LAYOUTS != 0 {
        return Err(Damage::Foreign);
    }
    match flags & (COMPRESSED | ELSEWHERE) {
        0 => Ok(Layout::Plain),
        COMPRESSED => Ok(Layout::Compressed),
        ELSEWHERE => Ok(Layout::Elsewhere),
        _ => Err(Damage::Foreign),
    }
}

/// What is left to read of a front, which has its whole length.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((taken, rest)) = self.0.split_first_chunk() else { return [0; N] };
        self.0 = rest;
        *taken
    }

    fn long(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    fn short(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}
