//! About how often keys were asked for that are not held: four bits a count, none of the keys.
//!
//! A count-min sketch in blocks of one line: a key has four counts in its block, and the least of them
//! counts. So an answer is never too low, and seldom too high.

/// The highest count.
pub(super) const FREQUENCY_MAX: u8 = 15;

const BLOCK_WORDS: usize = 8;
const COUNTS: u32 = 4;
const COUNT_BITS: u32 = 4;
/// The upper bits of every count, which halving must not hand down to its neighbour.
const HALVED: u64 = 0x7777_7777_7777_7777;

pub(super) struct Sketch {
    words: Vec<u64>,
}

impl Sketch {
    /// One that tells so many keys apart, about.
    pub(super) fn of(keys: usize) -> Self {
        let words = keys.next_power_of_two().max(BLOCK_WORDS);
        Self { words: vec![0; words] }
    }

    /// How many keys it tells apart.
    pub(super) fn keys(&self) -> usize {
        self.words.len()
    }

    /// About how often this key was asked for.
    pub(super) fn frequency(&self, hash: u32) -> u8 {
        let places = Places::of(hash, self.words.len());
        let counts = places.iter().map(|(word, shift)| self.words[word] >> shift);
        counts.map(|count| count as u8 & FREQUENCY_MAX).min().unwrap_or_default()
    }

    /// Remembers that this key was asked for so often at least.
    pub(super) fn raise(&mut self, hash: u32, frequency: u8) {
        for (word, shift) in Places::of(hash, self.words.len()).iter() {
            let word = &mut self.words[word];
            let count = (*word >> shift) as u8 & FREQUENCY_MAX;
            let raised = count.max(frequency.min(FREQUENCY_MAX));
            *word += u64::from(raised - count) << shift;
        }
    }

    /// Forgets half of all.
    pub(super) fn halve(&mut self) {
        self.words.iter_mut().for_each(|word| *word = (*word >> 1) & HALVED);
    }

    /// Tells twice as many keys apart. What each is remembered for stays.
    pub(super) fn double(&mut self) {
        self.words.extend_from_within(..);
    }
}

/// Where the counts of one key lie.
struct Places {
    begin: usize,
    bits: u32,
}

impl Places {
    // A block is chosen by what doubling leaves in place; the index goes by other bits.
    fn of(hash: u32, words: usize) -> Self {
        let mixed = u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let blocks = words / BLOCK_WORDS;
        Self {
            begin: ((mixed >> 32) as usize & (blocks - 1)) * BLOCK_WORDS,
            bits: mixed as u32 >> 12,
        }
    }

    /// Each in two words of its own: the word, and how far it is shifted.
    fn iter(&self) -> impl Iterator<Item = (usize, u32)> {
        (0..COUNTS).map(|count| {
            let bits = self.bits >> (5 * count);
            (self.begin + (2 * count + (bits & 1)) as usize, (bits >> 1 & 15) * COUNT_BITS)
        })
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    const HASHES: [u32; 5] = [0, 1, 0x8000_0000, 0xdead_beef, u32::MAX];

    #[test]
    fn a_key_is_remembered_for_no_less_than_it_was_asked_for() {
        let mut sketch = Sketch::of(1);
        for (frequency, hash) in (1..).zip(HASHES) {
            sketch.raise(hash, frequency);
            sketch.raise(hash, 1);
        }
        for (frequency, hash) in (1..).zip(HASHES) {
            assert!(sketch.frequency(hash) >= frequency, "{hash}");
        }
        sketch.raise(7, u8::MAX);
        assert_eq!(sketch.frequency(7), FREQUENCY_MAX);
    }

    #[test]
    fn few_keys_are_taken_for_others() {
        let mut sketch = Sketch::of(4_096);
        let hash = |number: u32| number.wrapping_mul(0x85eb_ca6b);
        (0..4_096).for_each(|number| sketch.raise(hash(number), 9));
        let wrong = (4_096..8_192).filter(|number| sketch.frequency(hash(*number)) > 0).count();
        assert!(wrong < 4_096 / 20, "{wrong}");
    }

    #[test]
    fn halving_halves_every_count_and_doubling_changes_none() {
        let mut sketch = Sketch::of(64);
        HASHES.iter().for_each(|hash| sketch.raise(*hash, FREQUENCY_MAX));
        sketch.double();
        assert!(HASHES.iter().all(|hash| sketch.frequency(*hash) == FREQUENCY_MAX));
        for left in [7, 3, 1, 0] {
            sketch.halve();
            assert!(HASHES.iter().all(|hash| sketch.frequency(*hash) == left), "{left}");
        }
        assert!(sketch.words.iter().all(|word| *word == 0));
    }
}
