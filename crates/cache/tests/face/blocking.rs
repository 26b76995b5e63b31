//! Threads that run no async code.

use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_cache::{Blocking, Error, Level, Loaded, secs};
use tokio::runtime::Runtime;

use crate::stage::names;

type Names = Blocking<u64, String>;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn blocking(runtime: &Runtime) -> (Names, forebay_cache::ClockHand) {
    let (builder, hand) = names();
    let builder = builder.negative_ttl(secs(2)).stale_on_error(secs(60));
    (runtime.block_on(builder.build()).unwrap().blocking(runtime.handle()), hand)
}

#[test]
fn threads_get_load_set_delete_and_purge_as_tasks_do() {
    let runtime = runtime();
    let (cache, hand) = blocking(&runtime);
    let word = |word: &str| {
        let word = word.to_owned();
        move || Ok::<_, std::io::Error>(Loaded::of(word).tag("eu"))
    };
    let value = |key| cache.get(&key).unwrap().map(|found| found.value.unwrap().to_string());
    assert!(cache.get(&1).unwrap().is_none());
    assert_eq!(cache.get_or_load(&1, word("a")).unwrap().from, Level::Loader);
    assert_eq!(cache.get_or_load(&1, word("b")).unwrap().value.unwrap().as_str(), "a");
    cache.set(&1, "c".to_owned()).unwrap();
    assert_eq!(value(1).as_deref(), Some("c"));
    cache.delete(&1).unwrap();
    assert_eq!(value(1), None);
    cache.get_or_load(&1, word("d")).unwrap();
    cache.set(&2, "e".to_owned()).unwrap();
    cache.purge_tag("eu").unwrap();
    assert_eq!((value(1), value(2)), (None, Some("e".to_owned())));
    cache.invalidate(&2).unwrap();
    assert_eq!(value(2), None);
    cache.set(&2, Loaded::of("e".to_owned()).tag("us")).unwrap();
    cache.invalidate_tag("us").unwrap();
    assert_eq!(value(2), None);
    cache.set(&2, "e".to_owned()).unwrap();
    cache.invalidate_all().unwrap();
    assert_eq!(value(2), None);
    let fails = || Err::<String, _>(std::io::Error::other("down"));
    assert_eq!(cache.get_or_load(&2, fails).unwrap().value.unwrap().as_str(), "e", "it stands in");
    cache.purge_all().unwrap();
    assert!(matches!(cache.get_or_load(&2, fails), Err(Error::Load(_))));
    let nothing = || Ok::<_, std::io::Error>(None);
    assert!(cache.get_or_load(&3, nothing).unwrap().value.is_none());
    hand.advance(secs(2));
    assert!(cache.get(&3).unwrap().is_none());
    let panics = || -> Result<String, std::io::Error> { panic!("an empty word") };
    let told = cache.get_or_load(&4, panics);
    assert!(matches!(&told, Err(Error::Panicked(why)) if &**why == "an empty word"), "{told:?}");
}

#[test]
fn of_many_threads_one_calls_its_loader() {
    let runtime = runtime();
    let (cache, _) = blocking(&runtime);
    let (calls, all) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(8)));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (cache, calls, all) = (cache.clone(), Arc::clone(&calls), Arc::clone(&all));
            std::thread::spawn(move || {
                all.wait();
                cache.get_or_load(&1, move || {
                    // A loader that blocks holds up no worker: there are fewer than callers.
                    std::thread::sleep(forebay_cache::millis(50));
                    let call = calls.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, std::io::Error>(format!("a{call}"))
                })
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().unwrap().value.unwrap().as_str(), "a0");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn where_it_cannot_block_it_says_so() {
    let runtime = runtime();
    let (cache, _) = blocking(&runtime);
    cache.set(&1, "a".to_owned()).unwrap();
    let refused = |told: Result<_, Error>| match told {
        Err(Error::CannotBlock(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(()) => panic!("it did"),
    };
    runtime.block_on(async {
        let why = refused(cache.get(&1).map(drop));
        assert!(why.contains("await the cache itself"), "{why}");
        refused(cache.get_or_load(&1, || Ok::<_, Error>("b".to_owned())).map(drop));
        refused(cache.set(&1, "b".to_owned()));
        refused(cache.purge_all());
    });
    let one = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (builder, _) = names();
    let alone = one.block_on(builder.build()).unwrap().blocking(one.handle());
    let why = refused(alone.get(&1).map(drop));
    assert!(why.contains("multi-threaded"), "{why}");
    runtime.shutdown_background();
    assert!(matches!(cache.get(&2), Err(Error::RuntimeEnded)));
    assert!(cache.get(&1).unwrap().is_some(), "memory needs no runtime");
}
