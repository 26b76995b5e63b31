//! Nanoseconds a memory hit and bytes an entry: `cargo run --release -p forebay-cache --example hit`.

use std::hint::black_box;

use bytes::Bytes;
use forebay_cache::mechanism::{Body, Clock, Entry, Head, Key, Options, Tiers, Timestamp};

struct Plain;

impl Head for Plain {
    fn weight_bytes(&self) -> usize {
        0
    }
}

const HITS: usize = 5_000_000;

fn key(number: usize) -> Key {
    Key::from(format!("GET https://www.example.com:443/articles/{number:08}").as_bytes())
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4_096
}

/// Time on a processor, so that a busy machine does not count; 0 where there is no such file.
fn processor_nanos() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    status.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

fn measure(entries: usize) {
    let before = resident_bytes();
    let options = Options { memory_bytes_max: 1 << 30, ..Options::default() };
    let cache: Tiers<Plain, ()> = Tiers::new(&options, Clock::system());
    for number in 0..entries {
        let body = Body::whole(&Bytes::from(vec![1; 1_024]), None, cache.budget());
        cache.insert(&key(number), &Entry::new(Plain, body, Timestamp::FAR).into());
    }
    let resident = (resident_bytes() - before) / entries;
    let counted = cache.snapshot().memory_bytes as usize / entries;
    let keys: Vec<_> = (0..entries).map(key).collect();
    let began = processor_nanos();
    for hit in 0..HITS {
        // A stride of a large prime: neighbours in time are not neighbours in memory.
        black_box(cache.look_up_memory(keys[hit * 7_919 % entries].as_bytes()));
    }
    let nanos = (processor_nanos() - began) as f64 / HITS as f64;
    println!(
        "{entries} entries: {nanos:.0} ns a hit, {resident} bytes resident, {counted} counted"
    );
}

fn main() {
    [1, 1_000, 10_000, 100_000].into_iter().for_each(measure);
}
