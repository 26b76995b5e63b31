//! How much an entry is wanted: how often it was asked for lately, as its slot remembers it.
//!
//! A hit counts in the entry alone. What a slot knows of it is caught up when the entry is looked at, and
//! halved once for each age that has gone by since.

use super::sketch::FREQUENCY_MAX;

/// What the slot knows: how often, in which age, and how many uses the entry had by then.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    frequency: u8,
    age: u8,
    seen: u16,
}

impl Wanted {
    /// Of an entry that comes in, with so many uses.
    pub(super) fn new(frequency: u8, age: u8, uses: u32) -> Self {
        Self { frequency: frequency.min(FREQUENCY_MAX), age, seen: uses as u16 }
    }

    /// How often at least, without a look at the entry.
    pub(super) fn at_least(self, age: u8) -> u8 {
        let gone_by = u32::from(age.wrapping_sub(self.age));
        self.frequency.checked_shr(gone_by).unwrap_or_default()
    }

    /// Takes in what the entry was used since the last look. Says by how much that is more.
    pub(super) fn catch_up(&mut self, uses: u32, age: u8) -> u8 {
        let before = self.at_least(age);
        // Uses that stand at their end have been many.
        let since = match uses {
            u32::MAX => u16::from(FREQUENCY_MAX),
            _ => (uses as u16).wrapping_sub(self.seen),
        };
        let more = since.min(u16::from(FREQUENCY_MAX - before)) as u8;
        *self = Self { frequency: before + more, age, seen: uses as u16 };
        more
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn uses_count_up_to_the_highest_and_ages_halve() {
        let mut wanted = Wanted::new(1, 0, 100);
        assert_eq!((wanted.catch_up(102, 0), wanted.at_least(0)), (2, 3));
        assert_eq!((wanted.catch_up(102, 1), wanted.at_least(1)), (0, 1));
        assert_eq!((wanted.catch_up(9_000, 1), wanted.at_least(1)), (14, FREQUENCY_MAX));
        assert_eq!([1, 2, 3, 4, 5, 200].map(|age| wanted.at_least(age)), [15, 7, 3, 1, 0, 0]);
    }

    #[test]
    fn uses_and_ages_begin_anew_after_their_last_number() {
        let mut wanted = Wanted::new(4, u8::MAX, u32::from(u16::MAX));
        assert_eq!((wanted.catch_up(u32::from(u16::MAX) + 3, 0), wanted.at_least(0)), (3, 5));
        wanted.catch_up(u32::MAX, 0);
        assert_eq!(wanted.at_least(0), FREQUENCY_MAX);
        assert_eq!((wanted.catch_up(u32::MAX, 1), wanted.at_least(1)), (8, FREQUENCY_MAX));
    }
}
