//! One number that all threads count at once, in places of their own.
//!
//! A thread that has a place to itself adds without a locked instruction: nobody else writes there. Threads
//! beyond that share places, and add atomically.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Places that belong to one thread at a time, one for each bit of `TAKEN`.
const OWNED: usize = 32;
/// Places for the others.
const SHARED: usize = 16;
/// A thread that has not counted yet.
const NONE: usize = usize::MAX;

/// The owned places that are taken. A thread gives its own back when it ends.
static TAKEN: AtomicU64 = AtomicU64::new(0);
static NEXT_SHARED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(NONE) };
    static CLAIM: Claim = Claim::new();
}

/// One number that only grows.
#[derive(Debug)]
pub(crate) struct StripedCount(Box<[Stripe]>);

// As wide as what processors fetch at once.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe(AtomicU64);

impl Default for StripedCount {
    fn default() -> Self {
        Self((0..OWNED + SHARED).map(|_| Stripe::default()).collect())
    }
}

impl StripedCount {
    #[inline]
    pub(crate) fn one_more(&self) {
        let mut place = PLACE.get();
        if place == NONE {
            place = claim();
        }
        let stripe = &self.0[place].0;
        if place < OWNED {
            stripe.store(stripe.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        } else {
            stripe.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }
}

#[cold]
fn claim() -> usize {
    // A thread that is ending already shares.
    let place = CLAIM.try_with(|claim| claim.place).unwrap_or_else(|_| shared_place());
    PLACE.set(place);
    place
}

fn shared_place() -> usize {
    OWNED + NEXT_SHARED.fetch_add(1, Ordering::Relaxed) % SHARED
}

struct Claim {
    place: usize,
}

impl Claim {
    fn new() -> Self {
        let free = |taken: u64| {
            let bit = (!taken).trailing_zeros();
            ((bit as usize) < OWNED).then(|| taken | 1 << bit)
        };
        // Acquired, so that what the last owner of the place has counted is seen.
        match TAKEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, free) {
            Ok(taken) => Self { place: (!taken).trailing_zeros() as usize },
            Err(_) => Self { place: shared_place() },
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What this thread still counts while it ends, it counts among others.
        PLACE.set(shared_place());
        if self.place < OWNED {
            TAKEN.fetch_and(!(1 << self.place), Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    #[test]
    fn no_count_is_lost_among_more_threads_than_places_nor_when_places_are_given_on() {
        let count = Arc::new(StripedCount::default());
        let threads = OWNED + SHARED + 3;
        for _ in 0..3 {
            let all = Arc::new(Barrier::new(threads));
            let counting: Vec<_> = (0..threads)
                .map(|_| {
                    let (count, all) = (Arc::clone(&count), Arc::clone(&all));
                    std::thread::spawn(move || {
                        all.wait();
                        (0..1_000).for_each(|_| count.one_more());
                        all.wait();
                    })
                })
                .collect();
            counting.into_iter().for_each(|one| one.join().unwrap());
        }
        assert_eq!(count.now(), 3 * 1_000 * threads as u64);
    }
}
