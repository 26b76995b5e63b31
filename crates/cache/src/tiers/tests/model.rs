//! The cache against an oracle: a plain map of all that was ever kept, with its time.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What is done to the cache; keys and times are few, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    Insert { key: u8, keep_secs: u64, body_bytes: usize },
    Fill { key: u8, keep_secs: u64, chunks: Vec<usize>, end: Finish },
    Freshen { key: u8, keep_secs: u64 },
    Extend { key: u8, keep_secs: u64 },
    Remove { key: u8 },
    LookUp { key: u8 },
    LookUpMemory { key: u8 },
    Advance { secs: u64 },
    Sweep,
    Below { mood: Mood },
}

#[derive(Clone, Copy, Debug)]
enum Finish {
    Well,
    Broken,
}

fn step() -> impl Strategy<Value = Step> {
    let (key, keep_secs) = (0..12_u8, 0..20_u64);
    let chunks = prop::collection::vec(1..40_000_usize, 0..6);
    let end = prop_oneof![3 => Just(Finish::Well), 1 => Just(Finish::Broken)];
    let mood = prop_oneof![3 => Just(Mood::Well), 1 => Just(Mood::Fails), 1 => Just(Mood::Late)];
    prop_oneof![
        4 => (key.clone(), keep_secs.clone(), 0..60_000_usize)
            .prop_map(|(key, keep_secs, body_bytes)| Step::Insert { key, keep_secs, body_bytes }),
        4 => (key.clone(), keep_secs.clone(), chunks, end)
            .prop_map(|(key, keep_secs, chunks, end)| Step::Fill { key, keep_secs, chunks, end }),
        1 => (key.clone(), keep_secs.clone())
            .prop_map(|(key, keep_secs)| Step::Freshen { key, keep_secs }),
        1 => (key.clone(), keep_secs).prop_map(|(key, keep_secs)| Step::Extend { key, keep_secs }),
        1 => key.clone().prop_map(|key| Step::Remove { key }),
        4 => key.clone().prop_map(|key| Step::LookUp { key }),
        4 => key.prop_map(|key| Step::LookUpMemory { key }),
        2 => (0..5_u64).prop_map(|secs| Step::Advance { secs }),
        1 => Just(Step::Sweep),
        1 => mood.prop_map(|mood| Step::Below { mood }),
    ]
}

/// What the oracle knows: every value put under a key since it was last removed.
#[derive(Default)]
struct Oracle {
    put: HashMap<u8, Vec<Put>>,
}

struct Put {
    head: u32,
    body: Vec<u8>,
    keep_until: Timestamp,
}

struct World {
    cache: Small,
    map: Arc<MapTier>,
    oracle: Oracle,
    heads: u32,
}

impl World {
    fn new(memory_bytes_max: usize) -> Self {
        let clock = clock();
        let map = MapTier::new(clock.clone());
        let options = Options {
            memory_bytes_max,
            arriving_bytes_max: 150_000,
            entry_bytes_typical: 10_000,
            ..Options::default()
        };
        let cache = Tiers::with_tiers(
            &options,
            clock,
            &options.budget(),
            vec![map.clone()],
            None,
            Purges::default(),
        );
        Self { cache, map, oracle: Oracle::default(), heads: 0 }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Insert { key, keep_secs, body_bytes } => {
                self.insert(*key, *keep_secs, *body_bytes)
            }
            Step::Fill { key, keep_secs, chunks, end } => {
                self.fill(*key, *keep_secs, chunks, *end).await;
            }
            Step::Freshen { key, keep_secs } => self.freshen(*key, *keep_secs),
            Step::Extend { key, keep_secs } => self.extend(*key, *keep_secs),
            Step::Remove { key } => self.remove(*key).await,
            Step::LookUp { key } => {
                let found = self.cache.look_up(&name(*key)).await;
                self.judge(*key, found.map(|found| found.entry));
            }
            Step::LookUpMemory { key } => {
                self.judge(*key, self.cache.look_up_memory(name(*key).as_bytes()));
            }
            Step::Advance { secs } => tokio::time::advance(Duration::from_secs(*secs)).await,
            Step::Sweep => while self.cache.memory().sweep().step(1_000, |_, _| false).is_some() {},
            Step::Below { mood } => *self.map.mood.lock() = *mood,
        }
        tokio::task::yield_now().await;
        let snapshot = self.cache.snapshot();
        assert!(self.cache.memory().bytes() <= snapshot_bound(&self.cache), "{snapshot:?}");
        assert_eq!(snapshot.flights, 0);
    }

    fn insert(&mut self, key: u8, keep_secs: u64, body_bytes: usize) {
        let (head, keep_until) = self.next(keep_secs);
        let bytes = vec![head as u8; body_bytes];
        let body = Body::whole(&Bytes::from(bytes.clone()), None, self.cache.budget());
        self.cache.insert(&name(key), &Arc::new(Entry::new(head, body, keep_until)));
        self.note(key, head, bytes, keep_until);
    }

    async fn fill(&mut self, key: u8, keep_secs: u64, chunks: &[usize], end: Finish) {
        let seen = self.cache.peek(name(key).as_bytes());
        let flight = lead(self.cache.join(&name(key), seen.as_ref()));
        let (head, keep_until) = self.next(keep_secs);
        let (mut writer, body) = self.cache.arriving(None);
        let (mut reader, mut sent, mut got) = (body.reader().unwrap(), vec![], vec![]);
        self.cache.fill(flight, head, body, keep_until);
        for chunk in chunks {
            writer.room().await.unwrap();
            writer.push(Bytes::from(vec![head as u8; *chunk])).unwrap();
            sent.extend(vec![head as u8; *chunk]);
            got.extend_from_slice(&reader.next().await.unwrap().unwrap());
        }
        assert_eq!(got, sent);
        match end {
            Finish::Broken => writer.abort("origin closed"),
            Finish::Well => {
                writer.finish(None);
                self.note(key, head, sent, keep_until);
            }
        }
    }

    fn freshen(&mut self, key: u8, keep_secs: u64) {
        let Some(old) = self.cache.peek(name(key).as_bytes()) else { return };
        let (head, keep_until) = self.next(keep_secs);
        let new = self.cache.replace_head(
            &name(key),
            &old,
            head,
            keep_until,
            self.cache.epoch_now(),
            None,
        );
        let body = self.known(key, &old).body.clone();
        if new.is_some() {
            self.note(key, head, body, keep_until);
        }
    }

    fn extend(&mut self, key: u8, keep_secs: u64) {
        let Some(entry) = self.cache.peek(name(key).as_bytes()) else { return };
        let until = self.cache.clock().now().plus(Duration::from_secs(keep_secs));
        entry.extend_keep(until);
        let known = self.oracle.put.get_mut(&key).unwrap();
        let known = known.iter_mut().find(|put| put.head == *entry.head()).unwrap();
        known.keep_until = known.keep_until.max(until);
    }

    // A tier below that fails keeps what it holds, and says so; here that is not the question.
    async fn remove(&mut self, key: u8) {
        *self.map.mood.lock() = Mood::Well;
        self.cache.remove(&name(key)).await;
        self.oracle.put.remove(&key);
    }

    fn judge(&self, key: u8, found: Option<Arc<Entry<u32>>>) {
        let Some(entry) = found else { return };
        let known = self.known(key, &entry);
        assert!(known.keep_until > self.cache.clock().now(), "found beyond its time");
        let whole = entry.body().as_whole().expect("only whole bodies are kept");
        assert_eq!(whole.slices(0..u64::MAX).flatten().collect::<Vec<u8>>(), known.body);
    }

    fn known(&self, key: u8, entry: &Entry<u32>) -> &Put {
        let puts = self.oracle.put.get(&key).expect("nothing was put since it was removed");
        puts.iter().find(|put| put.head == *entry.head()).expect("this was never put")
    }

    fn note(&mut self, key: u8, head: u32, body: Vec<u8>, keep_until: Timestamp) {
        self.oracle.put.entry(key).or_default().push(Put { head, body, keep_until });
    }

    fn next(&mut self, keep_secs: u64) -> (u32, Timestamp) {
        self.heads += 1;
        (self.heads, self.cache.clock().now().plus(Duration::from_secs(keep_secs)))
    }
}

fn name(key: u8) -> Key {
    Key::from(&[b'k', key][..])
}

// One shard may round its share up by a byte.
fn snapshot_bound(cache: &Small) -> usize {
    cache.budget().bytes_max() - 150_000 + 64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_found_that_was_not_put_nor_beyond_its_time_nor_over_the_bound(
        steps in prop::collection::vec(step(), 1..80),
        memory_bytes_max in prop_oneof![Just(0_usize), Just(50_000), Just(200_000), Just(4 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new(memory_bytes_max);
            for step in &steps {
                world.take(step).await;
            }
        });
    }
}
