//! The disk tier against an oracle: the last put of each key since it was removed.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// What is done to the tier; keys and times are few, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    Put {
        key: u8,
        len: usize,
        keep_secs: u64,
    },
    Renew {
        key: u8,
    },
    Remove {
        key: u8,
    },
    LookUp {
        key: u8,
    },
    Advance {
        secs: u64,
    },
    Sync,
    Restart,
    /// The process ends at once; what it wrote is there.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..10_u8;
    let len =
        prop_oneof![0..300_usize, 0..100_000_usize, 262_000..263_000_usize, 0..1_500_000_usize];
    prop_oneof![
        8 => (key.clone(), len, 1..60_u64)
            .prop_map(|(key, len, keep_secs)| Step::Put { key, len, keep_secs }),
        1 => key.clone().prop_map(|key| Step::Renew { key }),
        2 => key.clone().prop_map(|key| Step::Remove { key }),
        6 => key.prop_map(|key| Step::LookUp { key }),
        1 => (0..10_u64).prop_map(|secs| Step::Advance { secs }),
        1 => Just(Step::Sync),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

struct Put {
    head: u32,
    len: usize,
    seed: u32,
    keep_until: Timestamp,
}

struct World {
    directory: Scratch,
    tier: Option<Arc<Tier32>>,
    clock: Clock,
    last: HashMap<u8, Put>,
    heads: u32,
}

fn body(seed: u32, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u32 ^ at as u32 >> 9).wrapping_mul(seed) as u8).collect()
}

fn name(key: u8) -> String {
    format!("key {key}")
}

impl World {
    fn new() -> Self {
        let (directory, clock) = (Scratch::new(), clock());
        let tier = Some(directory.open_with(&clock));
        Self { directory, tier, clock, last: HashMap::new(), heads: 0 }
    }

    fn tier(&self) -> &Tier32 {
        self.tier.as_ref().unwrap()
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Put { key, len, keep_secs } => self.put(*key, *len, *keep_secs).await,
            Step::Renew { key } => self.renew(*key).await,
            Step::Remove { key } => {
                self.tier().remove(&super::key(&name(*key))).await.unwrap();
                self.last.remove(key);
                assert_eq!(found(self.tier(), &name(*key)).await, None);
            }
            Step::LookUp { key } => {
                self.look_up(*key).await;
            }
            Step::Advance { secs } => tokio::time::advance(Duration::from_secs(*secs)).await,
            Step::Sync => self.tier().sync().await.unwrap(),
            Step::Restart => {
                self.tier = None;
                self.tier = Some(self.directory.open_with(&self.clock));
            }
            Step::Kill => {
                let copy = copied(&self.directory);
                self.tier = None;
                self.directory = copy;
                self.tier = Some(self.directory.open_with(&self.clock));
            }
        }
        let (bytes, snapshot) = (bytes_in(self.directory.path()), self.tier().snapshot());
        assert!(bytes <= SIZE_BYTES_MIN, "{bytes}: {snapshot:?}");
        assert_eq!((snapshot.write_errors, snapshot.read_errors), (0, 0));
    }

    async fn put(&mut self, key: u8, len: usize, keep_secs: u64) {
        self.heads += 1;
        let (head, keep_until) =
            (self.heads, self.clock.now().plus(Duration::from_secs(keep_secs)));
        let entry = entry_until(head, &body(head, len), keep_until);
        let admitted = self.tier().put(&super::key(&name(key)), entry, None).await;
        assert_eq!(admitted, Ok(Admitted::Kept));
        self.last.insert(key, Put { head, len, seed: head, keep_until });
        assert!(self.look_up(key).await, "what was just stored is found");
    }

    // A new head over the body that is found.
    async fn renew(&mut self, key: u8) {
        let Some(old) = self.tier().look_up(&super::key(&name(key))).await.unwrap() else { return };
        self.heads += 1;
        let (head, keep_until) = (self.heads, self.clock.now().plus(Duration::from_secs(30)));
        let entry = Arc::new(Entry::new(head, old.body().clone(), keep_until));
        let admitted = self.tier().put(&super::key(&name(key)), entry, None).await;
        // Room for the new record may have cost the old one its body.
        assert!(matches!(admitted, Ok(Admitted::Kept | Admitted::NotWhole)), "{admitted:?}");
        if admitted == Ok(Admitted::Kept) {
            let last = self.last.get_mut(&key).unwrap();
            (last.head, last.keep_until) = (head, keep_until);
        }
    }

    async fn look_up(&self, key: u8) -> bool {
        let Some((head, found)) = found(self.tier(), &name(key)).await else { return false };
        let last = self.last.get(&key).expect("nothing was put since it was removed");
        assert_eq!(head, last.head, "older than the last put");
        assert!(found == body(last.seed, last.len), "another body");
        assert!(last.keep_until > self.clock.now(), "found beyond its time");
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn only_the_last_put_is_found_whole_and_in_time(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new();
            for step in &steps {
                world.take(step).await;
            }
        });
    }
}
