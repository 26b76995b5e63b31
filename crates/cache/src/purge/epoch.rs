//! Where in the log of purges an entry was fetched.

/// A place in the log of purges, which an entry bears: what was known when its fetch began. Places
/// of two lineages have no order.
///
/// Beside the number it holds a sign of the purge that had this number, so that what was fetched
/// under a purge that the log has lost since is not taken for newer than the one in its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Epoch {
    lineage: u64,
    // The number above, the sign below: an entry is kept in many copies of these two.
    place: u64,
}

impl Epoch {
    /// The highest number that a log gives.
    pub const NUMBER_MAX: u64 = u64::MAX >> SIGN_BITS;

    /// The place of the purge with this number and token; over [`Epoch::NUMBER_MAX`], that.
    pub fn new(lineage: u64, number: u64, token: u64) -> Self {
        let number = number.min(Self::NUMBER_MAX);
        Self { lineage, place: number << SIGN_BITS | u64::from(Self::sign_of(token)) }
    }

    /// Which log it is a place in; nothing is known of the one with 0.
    pub fn lineage(self) -> u64 {
        self.lineage
    }

    /// How many purges the log had had then.
    pub fn number(self) -> u64 {
        self.place >> SIGN_BITS
    }

    /// As it is stored.
    pub fn to_longs(self) -> [u64; 2] {
        [self.lineage, self.place]
    }

    /// The one that was stored as these.
    pub fn from_longs([lineage, place]: [u64; 2]) -> Self {
        Self { lineage, place }
    }

    pub(crate) fn sign(self) -> u32 {
        Self::sign_of(self.place)
    }

    pub(crate) fn sign_of(token: u64) -> u32 {
        // Cut to the bits that there is room for.
        (token & ((1 << SIGN_BITS) - 1)) as u32
    }
}

/// The bits of an epoch that tell which purge had its number.
const SIGN_BITS: u32 = 24;
