//! How often a loader runs when many want one cold key, and when it fails.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use forebay_cache::Cache;

use crate::table::{Table, goal};

const CALLERS: usize = 64;
const FAILING: usize = 20;
const LOAD: Duration = Duration::from_millis(20);

type Calls = Arc<AtomicUsize>;

async fn loader(calls: Calls, is_failing: Fails) -> Result<u64, String> {
    calls.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(LOAD).await;
    match is_failing {
        Fails::Never => Ok(7),
        Fails::Always => Err("no".to_owned()),
    }
}

#[derive(Clone, Copy)]
enum Fails {
    Never,
    Always,
}

/// The table and goals.
pub(crate) async fn run() -> String {
    let mut table = Table::new(&[
        "a loader of 20 ms",
        "calls for 64 who want one key",
        "calls when it fails 20 who wait",
        "until the last has its error",
    ]);
    let mut ours = (0, 0);
    for name in ["forebay-cache", "moka future", "quick_cache"] {
        let (calls, _) = counted(name, CALLERS, Fails::Never).await;
        let (failed, until) = counted(name, FAILING, Fails::Always).await;
        if name == "forebay-cache" {
            ours = (calls, failed);
        }
        let cells = [name.to_owned(), calls.to_string(), failed.to_string()];
        table.row(&[cells.as_slice(), &[format!("{} ms", until.as_millis())]].concat());
    }
    let goals = [
        goal("one loader call for all who want a key", || ours.0 == 1),
        goal("one call of a loader that fails, for all who wait", || ours.1 == 1),
    ];
    format!("{}\n{}", table.text(), goals.concat())
}

async fn counted(name: &str, callers: usize, fails: Fails) -> (usize, Duration) {
    let calls = Calls::default();
    let began = Instant::now();
    match name {
        "forebay-cache" => {
            let cache: Cache<u64, u64> =
                Cache::builder("loads").build().await.expect("its settings are good");
            all(callers, || {
                let (cache, calls) = (cache.clone(), Arc::clone(&calls));
                async move {
                    let load = || loader(calls, fails);
                    drop(cache.get_or_load(&1, load).await);
                }
            })
            .await;
        }
        "moka future" => {
            let cache = moka::future::Cache::<u64, u64>::new(100);
            all(callers, || {
                let (cache, calls) = (cache.clone(), Arc::clone(&calls));
                async move { drop(cache.try_get_with(1, loader(calls, fails)).await) }
            })
            .await;
        }
        _ => {
            let cache = Arc::new(quick_cache::sync::Cache::<u64, u64>::new(100));
            all(callers, || {
                let (cache, calls) = (Arc::clone(&cache), Arc::clone(&calls));
                async move { drop(cache.get_or_insert_async(&1, loader(calls, fails)).await) }
            })
            .await;
        }
    }
    (calls.load(Ordering::Relaxed), began.elapsed())
}

async fn all<F: Future<Output = ()> + Send + 'static>(callers: usize, call: impl Fn() -> F) {
    let running: Vec<_> = (0..callers).map(|_| tokio::spawn(call())).collect();
    for one in running {
        one.await.expect("no call panics");
    }
}
