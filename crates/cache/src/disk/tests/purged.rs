//! What purges have killed goes before what lives.

use super::*;
use crate::log::{Log, MemoryLog};
use crate::purge::{Group, Kind, Prefix, Rule, Scope};

struct Stage {
    directory: Scratch,
    tier: Arc<Tier32>,
    log: MemoryLog,
}

const BODY_BYTES: usize = 20_000;
/// About so many make a segment.
/// One in so many lives: few enough that of eight that are looked at hardly ever three do.
const LIVING: usize = 64;

const SEGMENT: usize = (1 << 20) / BODY_BYTES;

impl Stage {
    fn new() -> Self {
        let directory = Scratch::new();
        let log = MemoryLog::new("here", Default::default(), Clock::system());
        let tier = directory.open();
        tier.heed(log.purges());
        Self { directory, tier, log }
    }

    async fn put(&self, name: &str, head: u32) {
        let body = crate::body::Body::whole(
            &bytes::Bytes::from(vec![head as u8; BODY_BYTES]),
            None,
            &crate::budget::Budget::new(0),
        );
        let entry = Entry::new(head, body, Timestamp::FAR).since(self.log.purges().epoch());
        let admitted = self.tier.put(&key(name), Arc::new(entry), None).await;
        assert_eq!(admitted, Ok(Admitted::Kept));
    }

    async fn fill(&self, name: &str, count: usize) {
        for number in 0..count {
            self.put(&format!("{name}/{number}"), 1).await;
        }
    }

    async fn purge(&self, path: &[u8]) {
        let scope = Scope::Prefix(Prefix::new(Group::of("all", b""), path).unwrap());
        self.log.append(vec![Rule { scope, kind: Kind::Hard }]).await.unwrap();
    }

    async fn left(&self, name: &str, count: usize) -> usize {
        let mut left = 0;
        for number in 0..count {
            let slot = self
                .tier
                .disk
                .index
                .peek(self.tier.disk.hash(key(&format!("{name}/{number}")).as_bytes()));
            left += usize::from(slot.is_some());
        }
        left
    }
}

#[tokio::test]
async fn a_segment_that_purges_have_emptied_goes_before_an_older_one_that_lives() {
    let stage = Stage::new();
    let (old, dead) = (SEGMENT, SEGMENT * 4);
    stage.fill("old", old).await;
    stage.fill("dead", dead).await;
    stage.purge(b"dead").await;
    assert_eq!((stage.tier.snapshot().evicted, stage.tier.snapshot().purged), (0, 0));
    stage.fill("more", SEGMENT * 4).await;
    let counts = stage.tier.snapshot();
    assert_eq!((stage.left("old", old).await, counts.evicted), (old, 0), "{counts:?}");
    assert!(counts.purged >= SEGMENT as u64 * 2, "{counts:?}");
    assert!(bytes_in(stage.directory.path()) <= SIZE_BYTES_MIN);
    assert_eq!((counts.damaged, counts.write_errors), (0, 0));
}

#[tokio::test]
async fn what_lives_among_what_was_purged_stays_and_nothing_that_was_replaced_comes_back() {
    let stage = Stage::new();
    // Replaced by what is purged later, and older than all of that.
    for number in 0..SEGMENT {
        stage.put(&format!("dead/{number}"), 7).await;
    }
    for number in 0..SEGMENT * 3 {
        stage.put(&format!("dead/{number}"), 8).await;
        if number % LIVING == 0 {
            stage.put(&format!("lives/{number}"), 9).await;
        }
    }
    stage.purge(b"dead").await;
    while stage.left("dead", SEGMENT).await > 0 {
        let number = stage.tier.snapshot().kept;
        stage.put(&format!("new/{number}"), 1).await;
        assert_eq!(stage.tier.snapshot().evicted, 0);
    }
    stage.tier.sync().await.unwrap();
    let Stage { directory, tier, log: _ } = stage;
    drop(tier);
    // Without the purges: what they killed is gone, and so is what it had replaced.
    let tier = directory.open();
    let mut came_back = 0;
    for number in 0..SEGMENT * 3 {
        let found = found(&tier, &format!("dead/{number}")).await;
        came_back += usize::from(found.is_some_and(|(head, _)| head == 7));
        if number % LIVING == 0 {
            let found = support::found(&tier, &format!("lives/{number}")).await;
            assert_eq!(found.map(|(head, _)| head), Some(9), "{number}");
        }
    }
    assert_eq!(came_back, 0);
}
