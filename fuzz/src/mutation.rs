//! New bytes from old ones: flips, cuts, repeats, words, and two inputs spliced.
//!
//! The same seed and corpus give the same inputs in the same order.

/// Bytes of an input; a longer one is cut.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// Changes stacked on one input.
const CHANGES_MAX: usize = 6;

/// Numbers that look like chance (xorshift, Marsaglia 2003).
pub struct Dice(u64);

impl Dice {
    /// The same seed, the same numbers.
    pub fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`, or 0 when that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as usize).checked_rem(bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    fn pick<'a>(&mut self, from: &[&'a [u8]]) -> &'a [u8] {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }
}

/// An input made from one of the corpus.
pub fn mutate(corpus: &[Vec<u8>], words: &[&[u8]], dice: &mut Dice) -> Vec<u8> {
    let mut input = corpus.get(dice.below(corpus.len())).cloned().unwrap_or_default();
    for _ in 0..=dice.below(CHANGES_MAX) {
        change(&mut input, corpus, words, dice);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&[u8]], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = at + dice.below(input.len() + 1 - at);
    match dice.below(8) {
        0 => flip(input, dice),
        1 => input.insert(at, dice.byte()),
        2 => drop(input.drain(at..end)),
        3 => {
            let part = input[at..end].to_vec();
            insert(input, end, &part);
        }
        4 => insert(input, at, dice.pick(words)),
        5 => {
            let word = dice.pick(words);
            input.splice(at..end, word.iter().copied());
        }
        6 => {
            // The beginning of this one, the end of another.
            let other = corpus.get(dice.below(corpus.len())).cloned().unwrap_or_default();
            input.truncate(at);
            input.extend_from_slice(&other[dice.below(other.len() + 1)..]);
        }
        _ => set(input, dice),
    }
}

fn flip(input: &mut [u8], dice: &mut Dice) {
    let at = dice.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
}

fn set(input: &mut [u8], dice: &mut Dice) {
    // Bytes that parsers take for ends, beginnings or nothing.
    const TELLING: &[u8] = b"\0\t\n\r \"%,/:;=\\\x7f\x80\xff09azAZ*-";
    let at = dice.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte = TELLING[dice.below(TELLING.len())];
    }
}

fn insert(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    input.splice(at..at, part.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(seed: u64) -> Vec<Vec<u8>> {
        let corpus = [b"max-age=1".to_vec(), b"no-store".to_vec()];
        let mut dice = Dice::new(seed);
        (0..200).map(|_| mutate(&corpus, &[b", "], &mut dice)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_inputs_again_and_another_seed_others() {
        assert_eq!(some(7), some(7));
        assert_ne!(some(7), some(8));
    }

    #[test]
    fn an_empty_corpus_and_no_words_still_give_inputs() {
        let mut dice = Dice::new(0);
        assert!((0..200).any(|_| !mutate(&[], &[], &mut dice).is_empty()));
    }
}
