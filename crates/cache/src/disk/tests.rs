//! The disk tier: by the contract of all tiers, against an oracle, and with a disk that lies.

mod bounds;
mod crash;
mod failing;
mod large_bodies;
mod model;
mod purged;
mod start;
mod support;

use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::tier::contract;
use support::*;

#[tokio::test(start_paused = true)]
async fn the_disk_tier_keeps_to_the_contract() {
    let directory = Scratch::new();
    let clock = clock();
    let tier = directory.open_with(&clock);
    contract::keeps_to_it(&*tier, &clock).await;
    contract::takes_what_passes_by(&*tier).await;
}

#[tokio::test]
async fn what_was_stored_and_only_that_is_found_after_a_restart() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, b"one").await;
    put(&tier, "b", 2, &[7; 300_000]).await;
    put(&tier, "c", 3, b"three").await;
    put(&tier, "a", 4, b"four").await;
    tier.remove(&key("c")).await.unwrap();
    drop(tier);
    let tier = directory.open();
    assert_eq!(found(&tier, "a").await, Some((4, b"four".to_vec())));
    assert_eq!(found(&tier, "b").await, Some((2, vec![7; 300_000])));
    assert_eq!(found(&tier, "c").await, None);
    assert_eq!(tier.snapshot().objects, 2);
    assert_eq!(tier.snapshot().damaged, 0);
}

#[tokio::test]
async fn stamp_epoch_trailer_and_time_come_back_as_they_were() {
    let directory = Scratch::new();
    let tier = directory.open();
    let until = Timestamp::from_millis(u64::MAX / 2);
    let epoch = crate::purge::Epoch::new(5, 6, 7);
    let stamp = crate::entry::Stamp::from_number(77);
    for (name, len) in [("small", 10), ("large", 400_000)] {
        let bytes = bytes::Bytes::from(vec![1; len]);
        let budget = crate::budget::Budget::new(0);
        let body = crate::body::Body::whole(&bytes, Some("trailer".into()), &budget);
        let entry = Arc::new(Entry::stored(9_u32, body, until, stamp, epoch));
        assert_eq!(tier.put(&key(name), entry, None).await, Ok(Admitted::Kept));
        let entry = tier.look_up(&key(name)).await.unwrap().unwrap();
        let was = (*entry.head(), entry.keep_until(), entry.stamp(), entry.epoch());
        assert_eq!(was, (9, until, stamp, epoch));
        let mut reader = entry.body().reader().unwrap();
        assert_eq!(read_all(&mut reader).await.unwrap().len(), len);
        assert_eq!(reader.trailer().unwrap(), "trailer");
    }
}

#[tokio::test]
async fn a_new_head_over_a_large_body_writes_no_body() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, &[3; 600_000]).await;
    let before = files_in(&directory.path().join("large"));
    let held = tier.look_up(&key("a")).await.unwrap().unwrap();
    let renewed = Arc::new(Entry::new(2, held.body().clone(), Timestamp::FAR));
    assert_eq!(tier.put(&key("a"), renewed, None).await, Ok(Admitted::Kept));
    assert_eq!(files_in(&directory.path().join("large")), before);
    drop(held);
    drop(tier);
    let tier = directory.open();
    assert_eq!(found(&tier, "a").await, Some((2, vec![3; 600_000])));
    // Once the body is another's, its head alone is nothing.
    let held = tier.look_up(&key("a")).await.unwrap().unwrap();
    tier.remove(&key("a")).await.unwrap();
    let late = Arc::new(Entry::new(3, held.body().clone(), Timestamp::FAR));
    assert_eq!(tier.put(&key("a"), late, None).await, Ok(Admitted::NotWhole));
    assert_eq!(found(&tier, "a").await, None);
    let mut reader = held.body().reader().unwrap();
    assert_eq!(read_all(&mut reader).await, Some(vec![3; 600_000]), "who reads it reads on");
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_older() {
    let directory = Scratch::new();
    let tier = directory.open_as(|options| options.body_bytes_max = 1_000);
    put(&tier, "a", 1, b"one").await;
    let long = entry(2, &[0; 1_001]);
    assert_eq!(tier.put(&key("a"), long, None).await, Ok(Admitted::TooLarge));
    assert_eq!(found(&tier, "a").await, None);
    drop(tier);
    assert_eq!(found(&directory.open(), "a").await, None);
}

#[tokio::test]
async fn what_the_page_cache_has_is_read_at_once() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, b"one").await;
    let name = key("a");
    let mut looking = tier.look_up(&name);
    let found = futures_util::poll!(&mut looking);
    let counts = tier.snapshot();
    // A file system that cannot say what it has at hand is read on another thread.
    assert_eq!(found.is_ready(), counts.reads_at_once == 1);
    assert_eq!(counts.reads_at_once + counts.reads_behind, 1);
}

#[tokio::test]
async fn removers_share_a_sync_and_what_never_was_needs_none() {
    let directory = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let tier = directory.open_on(recorder.clone());
    tier.remove(&key("never")).await.unwrap();
    assert_eq!(recorder.syncs(), 0);
    for name in 0..50 {
        put(&tier, &format!("{name}"), 1, b"x").await;
    }
    let keys: Vec<_> = (0..50).map(|name| key(&format!("{name}"))).collect();
    let all = keys.iter().map(|key| tier.remove(key));
    for removed in futures_util::future::join_all(all).await {
        removed.unwrap();
    }
    assert!((2..50).contains(&recorder.syncs()), "{}", recorder.syncs());
}

#[tokio::test]
async fn an_entry_that_comes_from_before_a_removal_is_not_stored_after_it() {
    let directory = Scratch::new();
    let tier = directory.open();
    let (mut writer, body) = arriving(None);
    let name = key("a");
    let mut storing = tier.put(&name, Arc::new(Entry::new(1, body, Timestamp::FAR)), None);
    assert!(futures_util::poll!(&mut storing).is_pending());
    writer.push(bytes::Bytes::from_static(b"old")).unwrap();
    tier.remove(&name).await.unwrap();
    writer.finish(None);
    assert_eq!(storing.await, Ok(Admitted::Fenced));
    assert_eq!(found(&tier, "a").await, None);
}

#[tokio::test]
async fn unsynced_writes_are_synced_when_their_interval_is_over() {
    let directory = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let sync_interval = Duration::from_millis(1);
    let tier = directory.open_on_as(recorder.clone(), |it| it.sync_interval = sync_interval);
    put(&tier, "a", 1, b"one").await;
    while recorder.syncs() == 0 {
        tokio::task::yield_now().await;
    }
}
