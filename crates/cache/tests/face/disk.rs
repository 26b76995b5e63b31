//! A disk below memory: what is promoted, transformed, of another shape, and what survives a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use forebay_cache::{
    BoxError, Builder, Cache, Clock, ClockHand, Codec, Error, Event, KIB, Left, Level, Loaded, MIB,
    Postcard, Transformed, Ttl, Undecoded, minutes, secs,
};
use serde::{Deserialize, Serialize};

use crate::servers::own_directory;
use crate::stage::{Calls, until};

/// A directory that goes with the test, and a clock that all caches in it share.
struct Ground {
    path: PathBuf,
    clock: Clock,
    hand: ClockHand,
}

impl Ground {
    fn new() -> Self {
        let (clock, hand) = Clock::by_hand(crate::stage::start());
        Self { path: own_directory().join("cache"), clock, hand }
    }

    fn builder<V: Send + Sync + 'static>(&self) -> Builder<u64, V, Postcard> {
        Cache::builder("names").clock(self.clock.clone()).ttl(secs(10))
    }

    async fn cache(&self) -> Cache<u64, String> {
        self.builder().disk(&self.path, 16 * MIB).build().await.unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.path.parent().unwrap());
    }
}

async fn stored<K, V: Send + Sync + 'static>(cache: &Cache<K, V>, count: u64) {
    until("it is on the disk", async || cache.stats().tiers.tiers[0].stored >= count).await;
}

#[tokio::test]
async fn p3_1_a_value_found_lower_is_promoted_with_the_rest_of_its_lifetime() {
    let ground = Ground::new();
    let cache = ground.cache().await;
    let calls = Calls::default();
    let first = cache.get_or_load(&1, || calls.word("a")).await.unwrap();
    assert_eq!(first.from, Level::Loader);
    stored(&cache, 1).await;
    cache.close().await;
    ground.hand.advance(secs(4));
    let cache = ground.cache().await;
    let found = cache.get_or_load(&1, || calls.word("b")).await.unwrap();
    assert_eq!((found.from, found.left(), found.age()), (Level::Disk, Left::For(secs(6)), secs(4)));
    let again = cache.get(&1).await.unwrap().unwrap();
    assert_eq!((again.from, again.value.unwrap().as_str()), (Level::Memory, "a1"));
    ground.hand.advance(secs(6));
    assert!(cache.get(&1).await.unwrap().is_none());
    assert_eq!(calls.now(), 1);
}

#[tokio::test]
async fn p3_5_that_something_does_not_exist_is_known_after_a_restart() {
    let ground = Ground::new();
    let cache = ground.cache().await;
    let load = || async { Ok::<_, Error>(None) };
    let found = cache.get_or_load(&1, load).await.unwrap();
    assert_eq!((found.left(), found.from, found.value), (Left::For(secs(5)), Level::Loader, None));
    stored(&cache, 1).await;
    cache.close().await;
    ground.hand.advance(secs(2));
    let cache = ground.cache().await;
    for level in [Level::Disk, Level::Memory] {
        let found = cache.get(&1).await.unwrap().unwrap();
        assert_eq!((found.left(), found.from, found.value), (Left::For(secs(3)), level, None));
    }
    ground.hand.advance(secs(3));
    assert!(cache.get(&1).await.unwrap().is_none());
}

#[tokio::test]
async fn p3_10_peeking_below_promotes_nothing() {
    let ground = Ground::new();
    let open = async || {
        let builder = ground.builder::<String>().stale_on_error(minutes(5));
        builder.disk(&ground.path, 16 * MIB).build().await.unwrap()
    };
    let cache = open().await;
    cache.set(&1, "a".to_owned()).await.unwrap();
    cache.set(&2, None).await.unwrap();
    cache.close().await;
    let cache = open().await;
    // Fresh, and then stale.
    for left in [[10_000, 5_000], [-1_000, -6_000]] {
        for (key, value, left) in [(1, Some("a"), left[0]), (2, None, left[1])] {
            let shown = cache.peek_levels(&key).await;
            assert_eq!((shown.len(), shown[0].from), (1, Level::Disk));
            assert_eq!(shown[0].value.as_ref().map(|value| value.as_str()), value);
            assert_eq!(shown[0].left().as_millis(), left);
            assert!(cache.peek(&key).is_none());
        }
        ground.hand.advance(secs(11));
    }
}

#[tokio::test]
async fn p3_9_many_look_ups_find_each_value_where_it_lies() {
    let ground = Ground::new();
    let cache = ground.cache().await;
    let word = |key: u64| (key % 2 == 1).then(|| format!("old {key}"));
    for key in 3..=4 {
        cache.set(&key, Loaded::from(word(key)).ttl(minutes(5))).await.unwrap();
    }
    cache.close().await;
    let cache = ground.cache().await;
    // The first two in memory, two on the disk, two nowhere, two whose lifetime is over.
    for key in [1, 2, 7, 8] {
        let lifetime = if key > 6 { secs(1) } else { minutes(5) };
        cache.set(&key, Loaded::from(word(key)).ttl(lifetime)).await.unwrap();
    }
    ground.hand.advance(secs(1));
    let load =
        |key: u64| move || async move { Ok::<_, Error>((key % 2 == 1).then(|| "new".into())) };
    let calls = (1..=8).map(|key| cache.fetch(&key).load(load(key)));
    let found = cache.get_many(calls, 3).await;
    let levels = [Level::Memory, Level::Disk, Level::Loader, Level::Loader];
    for (key, found) in (1..=8).zip(found) {
        let (found, level) = (found.unwrap(), levels[(key as usize - 1) / 2]);
        let value =
            if level == Level::Loader { word(key).map(|_| "new".into()) } else { word(key) };
        assert_eq!(found.value.map(|value| value.to_string()), value, "{key}");
        assert_eq!(found.from, level, "{key}");
    }
}

#[tokio::test]
async fn what_is_stale_on_the_disk_is_given_at_once_while_one_loads_behind() {
    let ground = Ground::new();
    let open = async || {
        let builder = ground.builder::<String>().stale_while_refresh(minutes(5));
        builder.disk(&ground.path, 16 * MIB).build().await.unwrap()
    };
    let cache = open().await;
    cache.set(&1, "old".to_owned()).await.unwrap();
    cache.close().await;
    ground.hand.advance(secs(11));
    let (cache, calls) = (open().await, Calls::default());
    let found = cache.get_or_load(&1, || calls.word("new")).await.unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.from), ("old", Level::Disk));
    until("it is new", async || cache.get(&1).await.unwrap().unwrap().is_fresh()).await;
    assert_eq!(cache.get(&1).await.unwrap().unwrap().value.unwrap().as_str(), "new1");
}

/// Stores a value, and finds it below and then in memory.
async fn comes_back<V>(value: V)
where
    V: Serialize + for<'a> Deserialize<'a> + Clone + PartialEq + std::fmt::Debug,
    V: Send + Sync + 'static,
{
    let ground = Ground::new();
    let open = async || ground.builder::<V>().disk(&ground.path, 16 * MIB).build().await.unwrap();
    let cache = open().await;
    let loaded = value.clone();
    let found =
        cache.get_or_load(&1, || async { Ok::<_, Error>(Loaded::of(loaded)) }).await.unwrap();
    assert_eq!((&*found.value.unwrap(), found.from), (&value, Level::Loader));
    stored(&cache, 1).await;
    cache.close().await;
    let cache = open().await;
    for level in [Level::Disk, Level::Memory] {
        let found = cache.get(&1).await.unwrap().unwrap();
        assert_eq!((&*found.value.unwrap(), found.from), (&value, level));
    }
}

#[tokio::test]
async fn p3_3_values_of_any_type_that_serde_knows_come_back_from_below_as_they_were() {
    comes_back(-1_234_i64).await;
    comes_back(0.1_f64).await;
    comes_back(true).await;
    comes_back(false).await;
    comes_back("hello".to_owned()).await;
    let table = std::collections::BTreeMap::from([
        ("a".to_owned(), vec![Some(Second { age: 7, name: "ann".to_owned() }), None]),
        (String::new(), vec![]),
    ]);
    comes_back(table).await;
}

#[tokio::test]
async fn what_was_deleted_or_purged_stays_so_over_a_restart() {
    let ground = Ground::new();
    let cache = ground.cache().await;
    for key in 1..=5 {
        let tag = if key == 3 { "eu" } else { "us" };
        cache.set(&key, Loaded::of(key.to_string()).tag(tag)).await.unwrap();
    }
    cache.delete(&1).await.unwrap();
    cache.set(&2, "newer".to_owned()).await.unwrap();
    cache.purge_tag("eu").await.unwrap();
    cache.invalidate(&4).await.unwrap();
    cache.close().await;
    let cache = ground.cache().await;
    let value = async |key| cache.get(&key).await.unwrap().map(|it| it.value.unwrap().to_string());
    let held = [value(1).await, value(2).await, value(3).await, value(4).await, value(5).await];
    assert_eq!(held, [None, Some("newer".into()), None, None, Some("5".into())]);
    cache.purge_all().await.unwrap();
    cache.close().await;
    assert!(ground.cache().await.get(&5).await.unwrap().is_none());
}

/// Rules as they are stored, and as they are used.
struct Compiled(Vec<u32>);

static PARSED: AtomicUsize = AtomicUsize::new(0);

fn compiled(text: String) -> Result<Compiled, BoxError> {
    PARSED.fetch_add(1, Ordering::SeqCst);
    Ok(Compiled(text.split(' ').map(str::parse).collect::<Result<_, _>>()?))
}

fn as_text(rules: &Compiled) -> Result<String, BoxError> {
    // What no reader will make a value of.
    let word = |number: &u32| if *number == 7 { "seven".to_owned() } else { number.to_string() };
    Ok(rules.0.iter().map(word).collect::<Vec<_>>().join(" "))
}

#[tokio::test]
async fn p3_13_the_stored_form_is_transformed_once_when_it_is_promoted_and_its_error_is_told() {
    let ground = Ground::new();
    let codec = || Transformed::new(Postcard, as_text as fn(&_) -> _, compiled as fn(_) -> _);
    let open = async || {
        let builder = ground.builder::<Compiled>().codec(codec());
        builder.disk(&ground.path, 16 * MIB).build().await.unwrap()
    };
    let cache = open().await;
    for (key, numbers) in [(1, Some(vec![1, 2, 3])), (2, Some(vec![6, 7])), (3, None)] {
        let load = || async { Ok::<_, Error>(numbers.map(Compiled)) };
        cache.get_or_load(&key, load).await.unwrap();
    }
    stored(&cache, 3).await;
    cache.close().await;
    let cache = open().await;
    for _ in 0..5 {
        assert_eq!(cache.get(&1).await.unwrap().unwrap().value.unwrap().0, [1, 2, 3]);
    }
    assert_eq!(PARSED.load(Ordering::SeqCst), 1);
    assert!(cache.get(&3).await.unwrap().unwrap().value.is_none());
    assert_eq!(PARSED.load(Ordering::SeqCst), 1, "there is nothing to be made of nothing");
    let load = || async { Ok::<_, Error>(Compiled(vec![])) };
    let Err(Error::NotTransformed(why)) = cache.get_or_load(&2, load).await else {
        panic!("its error reaches the caller")
    };
    assert!(why.downcast_ref::<std::num::ParseIntError>().is_some());
    assert!(matches!(cache.get(&2).await, Err(Error::NotTransformed(_))));
    assert!(cache.peek(&2).is_none(), "nothing is cached");
    assert_eq!(cache.stats().not_transformed, 2);
}

/// Counts what it writes and reads; some values it cannot write.
#[derive(Clone, Default)]
pub(crate) struct Shouting(pub(crate) Arc<AtomicUsize>);

impl Codec<String> for Shouting {
    fn encode(&self, value: &String, out: &mut Vec<u8>) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        if value.contains('\0') {
            return Err("cannot shout a zero".into());
        }
        out.extend_from_slice(value.to_uppercase().as_bytes());
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<String, Undecoded> {
        String::from_utf8(bytes.to_vec()).map_err(|cause| Undecoded::Foreign(cause.into()))
    }
}

#[tokio::test]
async fn p3_14_a_codec_of_ones_own_writes_what_lies_below() {
    let ground = Ground::new();
    let open = async |codec: &Shouting| {
        let builder = ground.builder().codec(codec.clone());
        builder.disk(&ground.path, 16 * MIB).build().await.unwrap()
    };
    let codec = Shouting::default();
    let cache = open(&codec).await;
    cache.set(&1, "quiet".to_owned()).await.unwrap();
    let found = cache.get(&1).await.unwrap().unwrap();
    assert_eq!(found.value.unwrap().as_str(), "quiet", "memory holds the value, not its bytes");
    cache.close().await;
    let found = open(&codec).await.get(&1).await.unwrap().unwrap();
    assert_eq!((found.value.unwrap().as_str(), found.from), ("QUIET", Level::Disk));
    assert_eq!(codec.0.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn p3_3_a_value_that_cannot_be_encoded_is_given_counted_and_told() {
    let ground = Ground::new();
    let builder = ground.builder().codec(Shouting::default());
    let cache = builder.disk(&ground.path, 16 * MIB).build().await.unwrap();
    cache.set(&1, "old".to_owned()).await.unwrap();
    let mut events = cache.events();
    cache.set(&1, "\0".to_owned()).await.unwrap();
    let load = || async { Ok::<_, Error>("\0".to_owned()) };
    assert_eq!(cache.get_or_load(&2, load).await.unwrap().value.unwrap().as_str(), "\0");
    assert_eq!(cache.get(&1).await.unwrap().unwrap().value.unwrap().as_str(), "\0");
    until("both are counted", async || cache.stats().not_encoded == 2).await;
    let mut words = Vec::new();
    while words.len() < 2 {
        if let Event::NotEncoded { error, .. } = events.next().await.unwrap().unwrap() {
            words.push(error.to_string());
        }
    }
    assert_eq!(words, ["cannot shout a zero"; 2]);
    cache.close().await;
    let builder = ground.builder().codec(Shouting::default());
    let cache = builder.disk(&ground.path, 16 * MIB).build().await.unwrap();
    assert!(cache.get(&1).await.unwrap().is_none(), "what was there before is gone");
}

#[tokio::test]
async fn p3_13_a_codec_that_panics_is_an_error_and_no_panic() {
    let ground = Ground::new();
    let to_stored = |text: &String| -> Result<String, BoxError> {
        assert_ne!(text, "unwritable", "it cannot be written");
        Ok(text.clone())
    };
    let from_stored = |text: String| -> Result<String, BoxError> {
        assert_ne!(text, "unreadable", "it cannot be read");
        Ok(text)
    };
    let open = async || {
        let codec = Transformed::new(Postcard, to_stored, from_stored);
        let builder = ground.builder::<String>().codec(codec);
        builder.disk(&ground.path, 16 * MIB).build().await.unwrap()
    };
    let cache = open().await;
    cache.set(&1, "unreadable".to_owned()).await.unwrap();
    cache.set(&2, "unwritable".to_owned()).await.unwrap();
    assert_eq!(cache.get(&2).await.unwrap().unwrap().value.unwrap().as_str(), "unwritable");
    assert_eq!(cache.stats().not_encoded, 1);
    cache.close().await;
    let cache = open().await;
    let Err(Error::NotTransformed(why)) = cache.get(&1).await else { panic!("it is told") };
    assert!(why.to_string().contains("its codec panicked") && why.to_string().contains("be read"));
    assert!(cache.get(&2).await.unwrap().is_none());
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct First {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Second {
    age: u32,
    name: String,
}

#[tokio::test]
async fn a_stored_form_of_another_shape_is_a_miss_and_not_an_error() {
    let ground = Ground::new();
    let cache = ground.builder().schema("1").disk(&ground.path, 16 * MIB).build().await.unwrap();
    for key in 1..=2 {
        cache.set(&key, First { name: "ann".to_owned() }).await.unwrap();
    }
    cache.close().await;
    for schema in ["1", "2"] {
        let builder = ground.builder::<Second>().schema(schema);
        let cache = builder.disk(&ground.path, 16 * MIB).build().await.unwrap();
        let mut events = cache.events();
        assert!(cache.get(&1).await.unwrap().is_none(), "{schema}");
        assert_eq!(cache.stats().not_decoded, 1);
        assert!(matches!(events.next().await, Some(Ok(Event::NotDecoded { .. }))));
        cache.close().await;
    }
}

#[tokio::test]
async fn p3_15_caches_of_two_names_in_one_directory_do_not_meet() {
    let ground = Ground::new();
    let cache = ground.cache().await;
    cache.set(&1, "a".to_owned()).await.unwrap();
    let builder = Cache::<u64, String>::builder("others").clock(ground.clock.clone());
    let refused = builder.disk(&ground.path, 16 * MIB).build().await.unwrap_err();
    assert!(refused.to_string().contains("has it"), "a directory is of one cache: {refused}");
    cache.close().await;
    let builder = Cache::<u64, String>::builder("others").clock(ground.clock.clone());
    let others = builder.disk(&ground.path, 16 * MIB).build().await.unwrap();
    assert!(others.get(&1).await.unwrap().is_none());
}

#[tokio::test]
async fn p3_17_a_long_value_lies_below_though_memory_does_not_take_it() {
    let ground = Ground::new();
    let builder = ground.builder().weigh(String::capacity).memory(2 * MIB);
    let cache = builder.disk(&ground.path, 64 * MIB).build().await.unwrap();
    let long: String = (0..700_000).map(|number| char::from(b'a' + (number % 26) as u8)).collect();
    for key in 0..6 {
        let loaded = format!("{key}{long}{long}{long}");
        cache.get_or_load(&key, || async { Ok::<_, Error>(loaded) }).await.unwrap();
        stored(&cache, key + 1).await;
    }
    assert!(cache.stats().tiers.memory_bytes <= 2 * MIB);
    for key in 0..6 {
        let found = cache.get(&key).await.unwrap().unwrap();
        assert_eq!(found.from, Level::Disk);
        assert_eq!(found.value.unwrap().as_str(), format!("{key}{long}{long}{long}"));
    }
}

#[tokio::test]
async fn p3_18_what_is_found_below_in_the_last_moment_of_its_life_is_not_kept_for_ever() {
    let ground = Ground::new();
    let cache = ground.cache().await;
    cache.set(&1, "a".to_owned()).await.unwrap();
    cache.close().await;
    let cache = ground.cache().await;
    ground.hand.advance(secs(10) - forebay_cache::millis(1));
    let found = cache.get(&1).await.unwrap().unwrap();
    assert_eq!((found.from, found.left().as_millis()), (Level::Disk, 1));
    assert_eq!(cache.get(&1).await.unwrap().unwrap().from, Level::Memory);
    ground.hand.advance(forebay_cache::millis(1));
    assert!(cache.get(&1).await.unwrap().is_none());
    ground.hand.advance(minutes(1_000));
    assert!(cache.get(&1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_value_that_never_expires_survives_a_restart() {
    let ground = Ground::new();
    let build = async || {
        let builder = ground.builder::<String>().ttl(Ttl::Forever).negative_ttl(Ttl::Forever);
        builder.memory(64 * KIB).disk(&ground.path, 16 * MIB).build().await.unwrap()
    };
    let cache = build().await;
    cache.set(&1, "a".to_owned()).await.unwrap();
    cache.set(&2, None).await.unwrap();
    cache.close().await;
    ground.hand.advance(minutes(60 * 24 * 365));
    let cache = build().await;
    for (key, exists) in [(1, true), (2, false)] {
        let found = cache.get(&key).await.unwrap().unwrap();
        assert_eq!((found.left(), found.value.is_some()), (Left::Forever, exists));
    }
}
