//! What every tier must keep to, as tests: each tier calls [`keeps_to_it`] with itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use super::*;
use crate::body::{Body, Limits};
use crate::budget::Budget;
use crate::clock::{Clock, Timestamp};
use crate::entry::Head;
use crate::purge::{Belongs, Group};

/// A head that is a number. An entry belongs to the group of its key, and lies there on its path.
impl Head for u32 {
    fn weight_bytes(&self) -> usize {
        0
    }

    fn belongs<'a>(&'a self, key: &'a [u8], to: &mut Belongs<'a>) {
        to.to(Group::of("key", key));
        to.lies_on(Group::of("all", b""), key);
    }
}

const ROOMY: Limits =
    Limits { kept_bytes_max: 1 << 20, tapped_bytes_max: u64::MAX, window_bytes_max: 1 << 10 };

fn key(name: &str) -> Key {
    Key::from(name.as_bytes())
}

fn entry(head: u32, text: &'static str, keep_until: Timestamp) -> Arc<Entry<u32>> {
    let body = Body::whole(&Bytes::from(text), None, &Budget::new(0));
    Arc::new(Entry::new(head, body, keep_until))
}

async fn found(tier: &dyn Tier<u32>, name: &str) -> Option<(u32, Bytes)> {
    let entry = tier.look_up(&key(name)).await.unwrap()?;
    let (mut reader, mut all) = (entry.body().reader().unwrap(), Vec::new());
    while let Some(slice) = reader.next().await {
        all.extend_from_slice(&slice.unwrap());
    }
    Some((*entry.head(), all.into()))
}

/// How time passes while a tier is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    /// As it is told, in a paused runtime.
    Told,
    #[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "only Redis is behind a socket"))]
    /// By itself: for a tier behind a socket, which no paused runtime can wait for.
    Real,
}

impl Time {
    async fn pass(self, span: Duration) {
        match self {
            Time::Told => tokio::time::advance(span).await,
            Time::Real => tokio::time::sleep(span).await,
        }
    }
}

/// Runs the contract against an empty tier that follows this clock, in a paused runtime.
pub(crate) async fn keeps_to_it(tier: &dyn Tier<u32>, clock: &Clock) {
    all_of_it(tier, clock, Time::Told).await;
}

/// Runs the contract against an empty tier that follows this clock, while real time passes.
#[cfg(feature = "redis")]
pub(crate) async fn keeps_to_it_in_real_time(tier: &dyn Tier<u32>, clock: &Clock) {
    all_of_it(tier, clock, Time::Real).await;
}

async fn all_of_it(tier: &dyn Tier<u32>, clock: &Clock, time: Time) {
    holds_what_was_put_and_only_that(tier).await;
    holds_nothing_longer_than_it_may(tier, clock, time).await;
    takes_an_arriving_body_when_it_is_whole(tier).await;
    is_left_as_it_was_by_a_body_that_broke(tier).await;
    holds_all_or_nothing_of_a_put_that_was_dropped(tier).await;
}

async fn holds_what_was_put_and_only_that(tier: &dyn Tier<u32>) {
    assert_eq!(found(tier, "a").await, None);
    assert_eq!(
        tier.put(&key("a"), entry(1, "one", Timestamp::FAR), None).await,
        Ok(Admitted::Kept)
    );
    assert_eq!(found(tier, "a").await, Some((1, "one".into())));
    assert_eq!(found(tier, "A").await, None);
    assert_eq!(tier.put(&key("a"), entry(2, "", Timestamp::FAR), None).await, Ok(Admitted::Kept));
    assert_eq!(found(tier, "a").await, Some((2, "".into())));
    tier.remove(&key("a")).await.unwrap();
    tier.remove(&key("a")).await.unwrap();
    assert_eq!(found(tier, "a").await, None);
}

async fn holds_nothing_longer_than_it_may(tier: &dyn Tier<u32>, clock: &Clock, time: Time) {
    let soon = clock.now().plus(Duration::from_secs(1));
    assert_eq!(tier.put(&key("b"), entry(1, "one", soon), None).await, Ok(Admitted::Kept));
    assert_eq!(found(tier, "b").await, Some((1, "one".into())));
    time.pass(Duration::from_secs(1)).await;
    assert_eq!(found(tier, "b").await, None);
    assert_eq!(tier.put(&key("b"), entry(2, "two", soon), None).await, Ok(Admitted::Expired));
    assert_eq!(found(tier, "b").await, None);
}

async fn takes_an_arriving_body_when_it_is_whole(tier: &dyn Tier<u32>) {
    let (mut writer, body) = Body::arriving(ROOMY, &Budget::new(9_999), None);
    let arriving = Arc::new(Entry::new(3, body, Timestamp::FAR));
    let name = key("c");
    let write = async {
        writer.push(Bytes::from_static(b"thr")).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        writer.push(Bytes::from_static(b"ee")).unwrap();
        writer.finish(None);
    };
    let (admitted, ()) = tokio::join!(tier.put(&name, arriving, None), write);
    assert_eq!(admitted, Ok(Admitted::Kept));
    assert_eq!(found(tier, "c").await, Some((3, "three".into())));
}

async fn is_left_as_it_was_by_a_body_that_broke(tier: &dyn Tier<u32>) {
    assert_eq!(
        tier.put(&key("d"), entry(3, "three", Timestamp::FAR), None).await,
        Ok(Admitted::Kept)
    );
    let (mut writer, body) = Body::arriving(ROOMY, &Budget::new(9_999), None);
    writer.push(Bytes::from_static(b"half")).unwrap();
    drop(writer);
    let broken = Arc::new(Entry::new(4, body, Timestamp::FAR));
    assert_eq!(tier.put(&key("d"), broken, None).await, Ok(Admitted::NotWhole));
    assert_eq!(found(tier, "d").await, Some((3, "three".into())));
}

async fn holds_all_or_nothing_of_a_put_that_was_dropped(tier: &dyn Tier<u32>) {
    let (mut writer, body) = Body::arriving(ROOMY, &Budget::new(9_999), None);
    let arriving = Arc::new(Entry::new(5, body, Timestamp::FAR));
    let name = key("e");
    let gave_up = tokio::time::timeout(Duration::from_secs(1), tier.put(&name, arriving, None));
    writer.push(Bytes::from_static(b"five")).unwrap();
    gave_up.await.unwrap_err();
    writer.finish(None);
    assert!(matches!(found(tier, "e").await.as_ref(), None | Some((5, _))));
}

/// Runs the part of the contract that holds for a tier which takes longer bodies than memory does.
pub(crate) async fn takes_what_passes_by(tier: &dyn Tier<u32>) {
    let limits = Limits { kept_bytes_max: 2, ..ROOMY };
    let (mut writer, body) = Body::arriving(limits, &Budget::new(9_999), None);
    writer.push(Bytes::from_static(b"pass")).unwrap_err();
    drop(writer);
    assert!(body.tap().is_none());
    let (mut writer, body) = Body::arriving(limits, &Budget::new(9_999), Some(7));
    let passing = Arc::new(Entry::new(6, body, Timestamp::FAR));
    let name = key("f");
    let mut put = tier.put(&name, passing, None);
    assert!(futures_util::poll!(&mut put).is_pending());
    writer.push(Bytes::from_static(b"passing")).unwrap();
    writer.finish(None);
    assert_eq!(put.await, Ok(Admitted::Kept));
    assert_eq!(found(tier, "f").await, Some((6, "passing".into())));
}

/// How a [`MapTier`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// It waits for nothing.
    AtHand,
    Fails,
    /// Within any limit.
    Slow,
    /// Beyond any limit.
    Late,
}

/// The simplest tier below memory: a map, which can be told to fail or to be late.
pub(crate) struct MapTier {
    pub(crate) entries: Mutex<HashMap<Key, Arc<Entry<u32>>>>,
    pub(crate) mood: Mutex<Mood>,
    pub(crate) reach: Mutex<Reach>,
    pub(crate) look_ups: AtomicUsize,
    clock: Clock,
}

impl MapTier {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        let (entries, mood) = (Mutex::new(HashMap::new()), Mutex::new(Mood::Well));
        let (reach, look_ups) = (Mutex::new(Reach::Node), AtomicUsize::new(0));
        Arc::new(Self { entries, mood, reach, look_ups, clock })
    }

    async fn as_told<T>(&self, act: impl Future<Output = T>) -> Result<T, TierFailure> {
        let mood = *self.mood.lock();
        match mood {
            Mood::Well | Mood::AtHand => {}
            Mood::Fails => return Err(TierFailure::new("cannot ask the map: it was told to fail")),
            Mood::Late => tokio::time::sleep(Duration::from_secs(60)).await,
            Mood::Slow => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        Ok(act.await)
    }
}

fn stored(entry: &Entry<u32>, body: Body) -> Arc<Entry<u32>> {
    let (until, stamp) = (entry.keep_until(), entry.stamp());
    Arc::new(Entry::stored(*entry.head(), body, until, stamp, entry.epoch()))
}

fn copy_of(entry: &Entry<u32>) -> Arc<Entry<u32>> {
    stored(entry, entry.body().clone())
}

impl Tier<u32> for MapTier {
    fn name(&self) -> &'static str {
        "map"
    }

    fn reach(&self) -> Reach {
        *self.reach.lock()
    }

    fn look_up<'a>(&'a self, key: &'a Key) -> Looked<'a, u32> {
        self.look_ups.fetch_add(1, Ordering::SeqCst);
        let find = || {
            let now = self.clock.now();
            let held = self.entries.lock().get(key).filter(|it| !it.is_expired(now)).cloned()?;
            // What several nodes see, each reads for itself.
            Some(if self.reach() == Reach::Cluster { copy_of(&held) } else { held })
        };
        match self.answers_at_once() {
            true => Looked::AtOnce(Ok(find())),
            false => Looked::later(self.as_told(async move { find() })),
        }
    }

    fn answers_at_once(&self) -> bool {
        *self.mood.lock() == Mood::AtHand
    }

    fn body_bytes_max(&self) -> u64 {
        u64::MAX
    }

    fn put<'a>(
        &'a self,
        key: &'a Key,
        entry: Arc<Entry<u32>>,
        _: Option<&'a Fence>,
    ) -> Answer<'a, Admitted> {
        Box::pin(self.as_told(async move {
            let Some(mut reader) = entry.body().tap() else { return Admitted::NotWhole };
            let mut all = Vec::new();
            while let Some(slice) = reader.next().await {
                let Ok(slice) = slice else { return Admitted::NotWhole };
                all.extend_from_slice(&slice);
            }
            if entry.is_expired(self.clock.now()) {
                return Admitted::Expired;
            }
            let body = Body::whole(&all.into(), None, &Budget::new(0));
            self.entries.lock().insert(key.clone(), stored(&entry, body));
            Admitted::Kept
        }))
    }

    fn remove<'a>(&'a self, key: &'a Key) -> Answer<'a, ()> {
        Box::pin(self.as_told(async move {
            self.entries.lock().remove(key);
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn the_map_tier_keeps_to_the_contract() {
    let clock = Clock::virtual_from(Timestamp::from_millis(1));
    let map = MapTier::new(clock.clone());
    keeps_to_it(&*map, &clock).await;
    takes_what_passes_by(&*map).await;
}
