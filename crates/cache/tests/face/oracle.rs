//! Any sequence of calls does what a map with lifetimes would do.

use std::collections::BTreeMap;

use forebay_cache::{Cache, Clock, Error, Freshness, Loaded, Timestamp, secs};
use proptest::prelude::*;

const TTL: u64 = 10;
const ON_ERROR: u64 = 20;
const PAUSE: u64 = 5;

#[derive(Clone, Debug)]
enum Step {
    Load(u8),
    LoadNothing(u8),
    LoadFails(u8),
    Look(u8),
    Set(u8),
    Delete(u8),
    Invalidate(u8),
    PurgeTag(u8),
    PurgeAll,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0_u8..4;
    prop_oneof![
        4 => key.clone().prop_map(Step::Load),
        2 => key.clone().prop_map(Step::LoadNothing),
        3 => key.clone().prop_map(Step::LoadFails),
        4 => key.clone().prop_map(Step::Look),
        1 => key.clone().prop_map(Step::Set),
        1 => key.clone().prop_map(Step::Delete),
        1 => key.clone().prop_map(Step::Invalidate),
        1 => (0_u8..2).prop_map(Step::PurgeTag),
        1 => Just(Step::PurgeAll),
        4 => (1_u64..15).prop_map(Step::Wait),
    ]
}

/// One value as the oracle knows it.
#[derive(Clone, Debug)]
struct Held {
    value: Option<u64>,
    lifetime_until: u64,
    fresh_until: u64,
}

#[derive(Default)]
struct Oracle {
    held: BTreeMap<u8, Held>,
    resting: BTreeMap<u8, u64>,
    now: u64,
    made: u64,
}

/// What a look gives: the value, and whether it is stale.
type Seen = Option<(Option<u64>, Freshness)>;

impl Oracle {
    fn usable(&self, key: u8) -> Option<(Held, Freshness)> {
        let held = self.held.get(&key)?;
        let freshness = match self.now {
            now if now < held.fresh_until => Freshness::Fresh,
            now if now < held.fresh_until + ON_ERROR => Freshness::Stale,
            _ => return None,
        };
        Some((held.clone(), freshness))
    }

    fn is_resting(&self, key: u8) -> bool {
        self.resting.get(&key).is_some_and(|until| self.now < *until)
    }

    fn look(&self, key: u8) -> Seen {
        let (held, freshness) = self.usable(key)?;
        let is_given = freshness == Freshness::Fresh || self.is_resting(key);
        is_given.then_some((held.value, freshness))
    }

    fn fresh(&self, key: u8) -> Option<u64> {
        let (held, freshness) = self.usable(key)?;
        held.value.filter(|_| freshness == Freshness::Fresh)
    }

    /// What memory holds, of use or not, and the milliseconds that are left of its lifetime.
    fn peek(&self, key: u8) -> Option<(Option<u64>, Freshness, i64)> {
        let held = self.held.get(&key).filter(|held| self.now < held.lifetime_until + ON_ERROR)?;
        let is_fresh = self.now < held.fresh_until;
        let freshness = if is_fresh { Freshness::Fresh } else { Freshness::Stale };
        Some((held.value, freshness, (held.fresh_until as i64 - self.now as i64) * 1_000))
    }

    /// What a call with this loader gives.
    fn load(&mut self, key: u8, loads: Result<Option<u64>, ()>) -> Result<Seen, ()> {
        if let Some(seen) = self.look(key) {
            return Ok(Some(seen));
        }
        match (loads, self.usable(key)) {
            (Ok(value), _) => {
                self.keep(key, value);
                self.resting.remove(&key);
                Ok(Some((value, Freshness::Fresh)))
            }
            (Err(()), Some((held, _))) => {
                self.resting.insert(key, self.now + PAUSE);
                Ok(Some((held.value, Freshness::Stale)))
            }
            (Err(()), None) => Err(()),
        }
    }

    fn keep(&mut self, key: u8, value: Option<u64>) {
        let lifetime_until = self.now + TTL;
        self.held.insert(key, Held { value, lifetime_until, fresh_until: lifetime_until });
    }
}

async fn run(steps: Vec<Step>) {
    let (clock, hand) = Clock::by_hand(Timestamp::from_millis(1_000_000));
    let builder = Cache::<u8, u64>::builder("oracle").clock(clock).ttl(secs(TTL));
    let builder = builder.negative_ttl(secs(TTL)).stale_on_error(secs(ON_ERROR));
    let cache = builder.retry_pause(secs(PAUSE)).build().await.unwrap();
    let mut oracle = Oracle::default();
    let tag = |key: u8| if key.is_multiple_of(2) { "even" } else { "odd" };
    for step in steps {
        oracle.made += 1;
        let made = oracle.made;
        let loads = match step {
            Step::Load(_) => Ok(Some(made)),
            Step::LoadNothing(_) => Ok(None),
            _ => Err(()),
        };
        match step {
            Step::Load(key) | Step::LoadNothing(key) | Step::LoadFails(key) => {
                let load = || async move {
                    let value = loads.map_err(|()| std::io::Error::other("down"))?;
                    let loaded = value.map_or(Loaded::nothing(), Loaded::of);
                    Ok::<_, std::io::Error>(loaded.tag(tag(key)))
                };
                let found = cache.get_or_load(&key, load).await;
                let found = found.map(|it| Some((it.value.as_deref().copied(), it.freshness)));
                let found = found.map_err(|error| assert!(matches!(error, Error::Load(_))));
                assert_eq!(found, oracle.load(key, loads), "{step:?}");
            }
            Step::Look(key) => {
                let fresh = cache.fresh(&key).map(|value| *value);
                assert_eq!(fresh, oracle.fresh(key), "{step:?}");
                let found = cache.get(&key).await.unwrap();
                let found = found.map(|it| (it.value.as_deref().copied(), it.freshness));
                assert_eq!(found, oracle.look(key), "{step:?}");
                let shown = cache
                    .peek(&key)
                    .map(|it| (it.value.as_deref().copied(), it.freshness, it.left().as_millis()));
                assert_eq!(shown, oracle.peek(key), "{step:?}");
            }
            Step::Set(key) => {
                cache.set(&key, Loaded::of(made).tag(tag(key))).await.unwrap();
                oracle.keep(key, Some(made));
            }
            Step::Delete(key) => {
                cache.delete(&key).await.unwrap();
                oracle.held.remove(&key);
            }
            Step::Invalidate(key) => {
                cache.invalidate(&key).await.unwrap();
                let now = oracle.now;
                if let Some(held) = oracle.held.get_mut(&key) {
                    // Of two invalidations the later counts: the rules keep the newest of a scope.
                    held.fresh_until = held.lifetime_until.min(now);
                }
            }
            Step::PurgeTag(parity) => {
                cache.purge_tag(tag(parity)).await.unwrap();
                oracle.held.retain(|key, _| key % 2 != parity % 2);
            }
            Step::PurgeAll => {
                cache.purge_all().await.unwrap();
                oracle.held.clear();
            }
            Step::Wait(seconds) => {
                hand.advance(secs(seconds));
                oracle.now += seconds;
            }
        }
    }
}

proptest! {
    #[test]
    fn any_calls_do_what_a_map_with_lifetimes_would(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
