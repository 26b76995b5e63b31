//! A disk that refuses: counted, told, never in the way of what can still be read.

use super::*;

fn impatient(options: &mut DiskOptions) {
    options.retry_pause = Duration::from_millis(1);
}

async fn until_it_writes_again(tier: &Tier32) {
    while tier.snapshot().paused {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_disk_is_counted_and_written_again_later() {
    for len in [100, 500_000] {
        let directory = Scratch::new();
        let recorder = Arc::new(Recorder::default());
        let tier = directory.open_on_as(recorder.clone(), impatient);
        put(&tier, "a", 1, b"one").await;
        put(&tier, "b", 1, b"older").await;
        recorder.fail_with(Some(io::ErrorKind::StorageFull));
        let refused = tier.put(&key("b"), entry(2, &vec![2; len]), None).await;
        assert!(matches!(refused, Err(_) | Ok(Admitted::Busy)), "{refused:?}");
        assert!(tier.snapshot().write_errors >= 1);
        assert_eq!(found(&tier, "a").await, Some((1, b"one".to_vec())), "reading goes on");
        assert_eq!(found(&tier, "b").await, None, "nothing older is found");
        recorder.fail_with(None);
        until_it_writes_again(&tier).await;
        put(&tier, "b", 3, b"three").await;
        drop(tier);
        let tier = directory.open();
        assert_eq!(found(&tier, "a").await, Some((1, b"one".to_vec())));
        assert_eq!(found(&tier, "b").await, Some((3, b"three".to_vec())));
    }
}

#[tokio::test]
async fn while_writing_rests_nothing_is_taken_and_that_is_counted() {
    let directory = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let tier = directory.open_on(recorder.clone());
    recorder.fail_with(Some(io::ErrorKind::StorageFull));
    tier.put(&key("a"), entry(1, b"one"), None).await.unwrap_err();
    assert!(tier.snapshot().paused);
    recorder.fail_with(None);
    let admitted = tier.put(&key("a"), entry(1, b"one"), None).await;
    assert_eq!((admitted, tier.snapshot().dropped_paused), (Ok(Admitted::Busy), 1));
}

#[tokio::test]
async fn a_removal_that_is_not_durable_is_not_confirmed_but_holds_and_is_made_up_for() {
    let directory = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let tier = directory.open_on_as(recorder.clone(), impatient);
    put(&tier, "a", 1, b"one").await;
    tier.sync().await.unwrap();
    recorder.fail_with(Some(io::ErrorKind::Other));
    tier.remove(&key("a")).await.unwrap_err();
    assert_eq!(found(&tier, "a").await, None);
    // Nothing is under the key, yet the removal is still owed.
    tier.remove(&key("a")).await.unwrap_err();
    recorder.fail_with(None);
    tier.remove(&key("a")).await.unwrap();
    let copy = copied(&directory);
    assert_eq!(found(&copy.open(), "a").await, None);
}

#[tokio::test]
async fn what_was_evicted_but_may_come_back_is_removed_with_a_word() {
    let directory = Scratch::new();
    let recorder = Arc::new(Recorder::default());
    let tier = directory.open_on_as(recorder.clone(), impatient);
    put(&tier, "victim", 1, b"one").await;
    put(&tier, "other", 1, b"one").await;
    tier.remove(&key("other")).await.unwrap();
    tier.sync().await.unwrap();
    let before = copied(&directory);
    recorder.names_fail.store(true, Ordering::Relaxed);
    for number in 0.. {
        until_it_writes_again(&tier).await;
        let _ = tier.put(&key(&format!("{number}")), entry(1, &[1; 200_000]), None).await;
        if tier.snapshot().evicted > 0 {
            break;
        }
    }
    assert_eq!(found(&tier, "victim").await, None);
    tier.remove(&key("victim")).await.unwrap();
    // Its segment had no name any more, but that was not durable.
    let after = copied(&directory);
    let segment = "segments/00000001.seg";
    assert!(!after.path().join(segment).exists());
    std::fs::copy(before.path().join(segment), after.path().join(segment)).unwrap();
    assert_eq!(found(&after.open(), "victim").await, None);
}

#[tokio::test]
async fn a_directory_that_goes_away_is_a_count() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, b"one").await;
    put(&tier, "large", 1, &[1; 400_000]).await;
    std::fs::remove_dir_all(directory.path()).unwrap();
    assert_eq!(found(&tier, "a").await, Some((1, b"one".to_vec())), "its file is open");
    assert_eq!(found(&tier, "large").await, None);
    let refused = tier.put(&key("b"), entry(2, &[2; 400_000]), None).await;
    assert!(matches!(refused, Err(_) | Ok(Admitted::Busy)), "{refused:?}");
    assert!(tier.snapshot().write_errors >= 1);
}

#[tokio::test]
async fn a_damaged_record_is_a_miss_once_and_for_all() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, b"one").await;
    put(&tier, "b", 2, b"two").await;
    tier.sync().await.unwrap();
    let path = directory.path().join("segments/00000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(3).position(|window| window == b"one").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(found(&tier, "a").await, None);
    tier.sync().await.unwrap();
    assert_eq!((tier.snapshot().damaged, tier.snapshot().objects), (1, 1));
    assert_eq!(found(&tier, "a").await, None);
    assert_eq!(tier.snapshot().damaged, 1);
    assert_eq!(found(&tier, "b").await, Some((2, b"two".to_vec())));
}
