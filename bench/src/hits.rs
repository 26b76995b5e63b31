//! What a hit costs, with one thread and with two, of one key and of many.

use std::hint::black_box;
use std::sync::Arc;

use crate::Effort;
use crate::caches::{MAKERS, OursAtOnce, Peer};
use crate::table::{Table, goal, median};

const MANY: u64 = 100_000;
/// Room enough that nothing is evicted.
const ROOM: usize = 4;
const SHAPES: [(usize, u64); 4] = [(1, 1), (1, MANY), (2, 1), (2, MANY)];
const RATIO_MAX: f64 = 1.3;

/// The tables and goals.
pub(crate) fn run(effort: Effort) -> String {
    let mut table = Table::new(&[
        "ns a hit",
        "1 thread, 1 key",
        "1, 100 000",
        "2 threads, 1 key",
        "2, 100 000",
    ]);
    let room = ROOM * MANY as usize;
    let at_once: Arc<dyn Peer> = Arc::new(OursAtOnce::of(room));
    let others = MAKERS.iter().map(|make| Arc::from(make(room)));
    let caches: Vec<_> = std::iter::once(at_once).chain(others).collect();
    caches.iter().for_each(|cache| (0..MANY).for_each(|key| cache.insert(key)));
    let mut nanos = vec![[0.0; SHAPES.len()]; caches.len()];
    for (shape, (threads, keys)) in SHAPES.iter().enumerate() {
        let mut all = vec![Vec::new(); caches.len()];
        for _ in 0..effort.rounds {
            for (cache, all) in caches.iter().zip(&mut all) {
                all.push(measured(cache, *threads, *keys, effort.hits));
            }
        }
        for (nanos, all) in nanos.iter_mut().zip(&mut all) {
            nanos[shape] = median(all);
        }
    }
    for (cache, nanos) in caches.iter().zip(&nanos) {
        let cells = nanos.iter().map(|nanos| format!("{nanos:.0}"));
        table.row(&[vec![cache.name().to_owned()], cells.collect()].concat());
    }
    // The first two are ours.
    let peers: Vec<_> = (2..caches.len()).filter(|at| caches[*at].evicts()).collect();
    let goals = SHAPES.iter().enumerate().map(|(shape, (threads, keys))| {
        let fastest = peers.iter().map(|at| nanos[*at][shape]).fold(f64::MAX, f64::min);
        let [at_once, awaited] = [0, 1].map(|ours| nanos[ours][shape] / fastest);
        let what = format!(
            "{threads} threads, {keys} keys: `fresh` {at_once:.2} and `get` {awaited:.2} times the fastest \
             that evicts, at most {RATIO_MAX}"
        );
        goal(&what, || at_once <= RATIO_MAX)
    });
    format!("{}\n{}", table.text(), goals.collect::<String>())
}

/// Nanoseconds of a thread's time on a processor for one hit.
fn measured(cache: &Arc<dyn Peer>, threads: usize, keys: u64, hits: u64) -> f64 {
    let running: Vec<_> = (0..threads as u64)
        .map(|thread| {
            let (cache, handle) = (Arc::clone(cache), tokio::runtime::Handle::current());
            std::thread::spawn(move || {
                let _within = handle.enter();
                let began = processor_nanos();
                for number in 0..hits {
                    // A stride of a large prime: neighbours in time are not neighbours in memory.
                    black_box(cache.has((number + thread * 31).wrapping_mul(7_919) % keys));
                }
                (processor_nanos() - began) as f64 / hits as f64
            })
        })
        .collect();
    let all = running.into_iter().map(|one| one.join().expect("a hit does not panic"));
    all.sum::<f64>() / threads as f64
}

fn processor_nanos() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    status.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}
