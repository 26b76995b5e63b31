//! How soon a table forgets what was wanted once, and how many young it keeps: by which of those that it
//! drove out come back.
//!
//! Where what is wanted changes, the young that were not let into main come back, and what main gave up
//! does not: then history counts for too much. Where it stays the same, it is the other way round.

/// The first is the slowest: for what is always wanted alike, among much that is wanted once.
const STEPS: [Step; 6] =
    [step(64, 10), step(64, 6), step(20, 4), step(10, 3), step(4, 2), step(2, 2)];
/// Where a table begins.
const BEGIN: usize = 1;
/// In a thousand: by so much more must the young come back, beside half as often again as the others.
const MARGIN: u64 = 50;
/// So many that main gave up must there be, to be compared with.
const GONE_MIN: u64 = 4;
/// What was driven out between two judgements: a fourth of what is held, and no fewer than that.
const GONE_SHARE: usize = 4;
const GONE_PERIOD_MIN: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// One in so many bytes is of the young.
    pub(super) young_share: u64,
    /// Uses for each entry that make an age.
    pub(super) age_uses: usize,
}

/// From where something was driven out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Young,
    Main,
}

pub(super) struct Pace {
    step: usize,
    /// Hashes of what was driven out, the last bit of each for from where; 0 for none.
    ghosts: Vec<u32>,
    young: Gone,
    main: Gone,
    since: usize,
}

/// How many were driven out lately, and how many of them came back.
#[derive(Clone, Copy, Debug, Default)]
struct Gone {
    all: u64,
    back: u64,
}

impl Pace {
    pub(super) fn new() -> Self {
        let (young, main) = (Gone::default(), Gone::default());
        Self { step: BEGIN, ghosts: vec![0], young, main, since: 0 }
    }

    pub(super) fn now(&self) -> Step {
        STEPS[self.step.min(STEPS.len() - 1)]
    }

    /// Something with this hash was driven out, of so many that were held.
    pub(super) fn note_gone(&mut self, hash: u32, from: From, held: usize) {
        // None before that: where nothing goes, nothing needs to be remembered.
        if self.ghosts.len() < held {
            self.ghosts.resize(held.next_power_of_two(), 0);
        }
        let place = hash as usize & (self.ghosts.len() - 1);
        self.ghosts[place] = ghost(hash, from);
        self.gone(from).all += 1;
        self.since += 1;
    }

    /// Something with this hash came in; so many are held now.
    pub(super) fn note_come(&mut self, hash: u32, held: usize) {
        let place = hash as usize & (self.ghosts.len() - 1);
        for from in [From::Young, From::Main] {
            if self.ghosts[place] == ghost(hash, from) {
                self.ghosts[place] = 0;
                self.gone(from).back += 1;
            }
        }
        if self.since >= (held / GONE_SHARE).max(GONE_PERIOD_MIN) {
            self.judge();
        }
    }

    fn judge(&mut self) {
        let (young, main) = (self.young.in_a_thousand(), self.main.in_a_thousand());
        if self.main.all >= GONE_MIN {
            if young > main * 3 / 2 + MARGIN {
                self.step = (self.step + 1).min(STEPS.len() - 1);
            } else if young * 3 / 2 < main {
                self.step = self.step.saturating_sub(1);
            }
        }
        self.since = 0;
        self.young.halve();
        self.main.halve();
    }

    fn gone(&mut self, from: From) -> &mut Gone {
        match from {
            From::Young => &mut self.young,
            From::Main => &mut self.main,
        }
    }
}

impl Gone {
    // Of few, nothing is said: half of them may come back.
    fn in_a_thousand(self) -> u64 {
        1_000 * (self.back + 1) / (self.all + 2)
    }

    fn halve(&mut self) {
        self.all /= 2;
        self.back /= 2;
    }
}

const fn step(young_share: u64, age_uses: usize) -> Step {
    Step { young_share, age_uses }
}

// No hash is that of none: what has it is taken for another, which is rare and does no harm.
fn ghost(hash: u32, from: From) -> u32 {
    match from {
        From::Young => (hash & !1).max(2),
        From::Main => hash | 1,
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    /// The step after so many were driven out from each part, where all of one part come back.
    fn step_after(rounds: u32, comes_back: From) -> usize {
        let mut pace = Pace::new();
        for hash in (0..rounds).map(|number| number * 4) {
            pace.note_gone(hash, From::Young, 100);
            pace.note_gone(hash + 2, From::Main, 100);
            let back = match comes_back {
                From::Young => hash,
                From::Main => hash + 2,
            };
            pace.note_come(back, 100);
        }
        pace.step
    }

    #[test]
    fn it_goes_faster_where_the_young_come_back_and_slower_where_others_do() {
        assert_eq!(step_after(1_000, From::Young), STEPS.len() - 1);
        assert_eq!(step_after(1_000, From::Main), 0);
        assert_eq!(step_after(10, From::Young), BEGIN);
    }

    #[test]
    fn what_comes_back_later_than_all_else_is_not_known() {
        let mut pace = Pace::new();
        (0..8).for_each(|hash| pace.note_gone(hash, From::Young, 4));
        (0..8).for_each(|hash| pace.note_come(hash, 4));
        assert_eq!((pace.young.all, pace.young.back, pace.ghosts.len()), (8, 4, 4));
    }
}
