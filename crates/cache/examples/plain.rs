//! A cache in a plain program, without a server: one load for many callers, and a stale value while the source
//! is down. `cargo run -p forebay-cache --example plain`.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_cache::{Cache, MIB, millis, minutes};

static LOADS: AtomicUsize = AtomicUsize::new(0);

/// A source that fails from its second answer on.
async fn temperature(city: &'static str) -> Result<i32, io::Error> {
    tokio::time::sleep(millis(20)).await;
    match LOADS.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(city.len() as i32),
        _ => Err(io::Error::other("the weather station is down")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temperatures: Cache<String, i32> = Cache::builder("temperatures")
        .memory(16 * MIB)
        .ttl(minutes(5))
        .stale_on_error(minutes(60))
        .build()
        .await?;

    let calls = (0..100).map(|_| temperatures.get_or_load("Oslo", || temperature("Oslo")));
    let found = temperatures.get_many(calls, 100).await;
    let given = found.iter().filter(|found| found.is_ok()).count();
    println!("{given} callers, {} load", LOADS.load(Ordering::Relaxed));

    temperatures.invalidate("Oslo").await?;
    let found = temperatures.get_or_load("Oslo", || temperature("Oslo")).await?;
    println!("{:?} degrees, {:?}", found.value, found.freshness);
    Ok(())
}
