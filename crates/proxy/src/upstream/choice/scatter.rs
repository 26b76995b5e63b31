//! Numbers that are spread evenly: digests that are the same on every node, and a generator that
//! needs no lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// SplitMix64's increment: the golden ratio in 64 bits.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A digest of bytes that every node and every release agrees on (FNV-1a, then mixed). It tells
/// keys apart, and is no proof of anything.
pub fn digest(bytes: &[u8]) -> u64 {
    let folded = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(folded)
}

/// Two digests as one.
pub(super) fn joined(one: u64, other: u64) -> u64 {
    mix(one ^ other.wrapping_mul(STEP))
}

/// A number from 0 to 1, neither of them included.
pub(super) fn unit(number: u64) -> f64 {
    ((number >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// SplitMix64 (Steele, Lea and Flood): every thread may draw.
#[derive(Debug)]
pub(super) struct Dice(AtomicU64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(AtomicU64::new(seed))
    }

    /// Another that goes its own way.
    pub(super) fn child(&self) -> Dice {
        Dice(AtomicU64::new(mix(self.0.fetch_add(STEP, Ordering::Relaxed))))
    }

    /// The next number from 0 to 1, neither of them included.
    pub(super) fn draw(&self) -> f64 {
        unit(mix(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP)))
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
