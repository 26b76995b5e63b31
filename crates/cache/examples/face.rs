//! Nanoseconds a hit through the face; `cargo xtask bench crate` has others beside it:
//! `cargo run --release -p forebay-cache --example face [KEYS]`.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use forebay_cache::{Cache, Error, MIB, minutes};

const HITS: u64 = 4_000_000;
const ROUNDS: usize = 5;

/// Time on a processor, so that a busy machine does not count; 0 where there is no such file.
fn processor_nanos() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    status.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

fn nanos_a_hit(keys: u64, mut hit: impl FnMut(u64)) -> f64 {
    let began = processor_nanos();
    // A stride of a large prime: neighbours in time are not neighbours in memory.
    (0..HITS).for_each(|number| hit(number.wrapping_mul(7_919) % keys));
    (processor_nanos() - began) as f64 / HITS as f64
}

async fn cache(keys: u64) -> Cache<u64, u64> {
    let cache = Cache::builder("numbers").memory(64 * MIB).ttl(minutes(60)).build().await;
    let cache = cache.expect("its settings are good");
    for key in 0..keys {
        cache.set(&key, key).await.expect("it is set");
    }
    cache
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let only = std::env::args().nth(1).and_then(|keys| keys.parse().ok());
    for keys in only.map_or_else(|| vec![1, 1_000, 100_000], |keys| vec![keys]) {
        let cache = cache(keys).await;
        let mut all = Vec::new();
        for _ in 0..ROUNDS {
            all.push(nanos_a_hit(keys, |key| {
                let load = || async { Ok::<_, Error>(0) };
                let mut cx = Context::from_waker(Waker::noop());
                let Poll::Ready(found) = pin!(cache.get_or_load(&key, load)).poll(&mut cx) else {
                    unreachable!("a hit waits for nothing")
                };
                black_box(found.is_ok_and(|found| found.value.is_some_and(|it| *it == key)));
            }));
        }
        all.sort_by(f64::total_cmp);
        println!("{keys} keys: {:.1} ns a hit", all[ROUNDS / 2]);
    }
}
