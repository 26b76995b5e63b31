//! Traces of keys, the same each time.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Keys that are asked for by chance.
pub(crate) const KEYS: usize = 100_000;
/// One in so many accesses begins a scan, of so many keys that are never asked for again.
const SCAN_EVERY: usize = 20_000;
const SCAN_KEYS: usize = 10_000;

/// By popularity: the n-th key is asked for in proportion to `1 / n^skew`.
pub(crate) fn zipf(skew: f64, accesses: usize) -> Vec<u64> {
    let mut sum = 0.0;
    let sums: Vec<f64> = (1..=KEYS)
        .map(|rank| {
            sum += (rank as f64).powf(-skew);
            sum
        })
        .collect();
    let mut random = StdRng::seed_from_u64(7);
    let key = |_| sums.partition_point(|below| *below < random.random::<f64>() * sum) as u64;
    (0..accesses).map(key).collect()
}

/// Popularity, and now and then a walk over much that nobody wants again.
pub(crate) fn scanned(accesses: usize) -> Vec<u64> {
    let mut trace = Vec::with_capacity(accesses * 2);
    let mut next = KEYS as u64;
    for (at, key) in zipf(1.0, accesses).into_iter().enumerate() {
        if at % SCAN_EVERY == SCAN_EVERY - 1 {
            trace.extend(next..next + SCAN_KEYS as u64);
            next += SCAN_KEYS as u64;
        }
        trace.push(key);
    }
    trace
}

/// The same keys over and over, a quarter more than there is room for.
pub(crate) fn looped(room: usize, accesses: usize) -> Vec<u64> {
    (0..accesses).map(|at| (at % (room + room / 4)) as u64).collect()
}
