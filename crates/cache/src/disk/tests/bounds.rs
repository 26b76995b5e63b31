//! The bytes on the disk, what goes when they are too many, and what is not even begun.

use super::*;

fn body(number: u32, len: usize) -> Vec<u8> {
    (0..len).map(|at| (number as usize).wrapping_mul(31).wrapping_add(at) as u8).collect()
}

#[tokio::test]
async fn the_disk_never_holds_more_than_it_may() {
    let directory = Scratch::new();
    let tier = directory.open();
    let lens = [10, 700, 9_000, 60_000, 250_000, 270_000, 900_000, 2_000_000];
    for number in 0..400_u32 {
        let len = lens[number as usize * 7 % lens.len()];
        let name = format!("{}", number % 97);
        let admitted = tier.put(&key(&name), entry(number, &body(number, len)), None).await;
        assert_eq!(admitted, Ok(Admitted::Kept), "{number}");
        if number % 3 == 0 {
            tier.remove(&key(&format!("{}", number % 89))).await.unwrap();
        }
        if number % 2 == 0 {
            found(&tier, &format!("{}", number % 13)).await;
        }
        let bytes = bytes_in(directory.path());
        assert!(bytes + 8_192 <= SIZE_BYTES_MIN, "{number}: {bytes}");
        assert!(bytes <= tier.snapshot().bytes, "{number}: {bytes} of {:?}", tier.snapshot());
    }
    let snapshot = tier.snapshot();
    assert!(snapshot.evicted > 0 && snapshot.carried > 0 && snapshot.objects > 3, "{snapshot:?}");
    assert_eq!((snapshot.damaged, snapshot.write_errors), (0, 0));
    drop(tier);
    // All that is there is counted again, and a smaller size is kept to at once.
    let tier = directory.open();
    tier.sync().await.unwrap();
    assert!(bytes_in(directory.path()) <= tier.snapshot().bytes);
}

#[tokio::test]
async fn a_smaller_size_is_kept_to_from_the_start() {
    let directory = Scratch::new();
    let tier = directory.open_as(|options| options.size_bytes = 3 * SIZE_BYTES_MIN);
    for number in 0..90 {
        put(&tier, &format!("{number}"), number, &body(number, 200_000)).await;
    }
    drop(tier);
    assert!(bytes_in(directory.path()) > SIZE_BYTES_MIN);
    let tier = directory.open();
    tier.sync().await.unwrap();
    assert!(bytes_in(directory.path()) <= SIZE_BYTES_MIN);
    assert_eq!(found(&tier, "89").await, Some((89, body(89, 200_000))));
}

#[tokio::test]
async fn what_is_used_stays_and_what_is_not_goes() {
    for len in [20_000, 300_000] {
        let directory = Scratch::new();
        let tier = directory.open();
        for number in 0..10_000_000 / len as u32 {
            put(&tier, &format!("hot {number}"), number, &body(number, len)).await;
            for hot in 0..2 {
                assert!(found(&tier, &format!("hot {hot}")).await.is_some() || hot > number);
            }
        }
        assert!(tier.snapshot().carried > 0);
        assert_eq!(found(&tier, "hot 5").await, None, "it was used once, long ago");
        assert_eq!(found(&tier, "hot 1").await, Some((1, body(1, len))));
    }
}

#[tokio::test]
async fn all_in_use_still_makes_room() {
    let directory = Scratch::new();
    let tier = directory.open();
    for number in 0..300_u32 {
        put(&tier, &format!("{number}"), number, &body(number, 100_000)).await;
        for other in 0..number {
            tier.look_up(&key(&format!("{other}"))).await.unwrap();
        }
    }
    assert!(bytes_in(directory.path()) <= SIZE_BYTES_MIN);
}

#[tokio::test(start_paused = true)]
async fn expired_large_bodies_go_before_all_others() {
    let directory = Scratch::new();
    let clock = clock();
    let tier = directory.open_with(&clock);
    put(&tier, "first", 1, &body(1, 500_000)).await;
    let soon = clock.now().plus(Duration::from_secs(1));
    for number in 2..5 {
        let short = entry_until(number, &body(number, 1_500_000), soon);
        let name = format!("{number}");
        assert_eq!(tier.put(&key(&name), short, None).await, Ok(Admitted::Kept));
    }
    tokio::time::advance(Duration::from_secs(3)).await;
    put(&tier, "late", 6, &body(6, 1_900_000)).await;
    put(&tier, "later", 7, &body(7, 1_900_000)).await;
    assert_eq!(found(&tier, "first").await, Some((1, body(1, 500_000))));
    assert_eq!((tier.snapshot().expired, tier.snapshot().evicted), (3, 0));
}

#[tokio::test]
async fn a_full_queue_takes_no_more_and_says_so() {
    let directory = Scratch::new();
    let tier = directory.open_as(|options| options.write_queue_bytes = 20_000);
    put(&tier, "a", 1, b"older").await;
    let admitted = tier.put(&key("a"), entry(2, &[0; 20_000]), None).await;
    assert_eq!(admitted, Ok(Admitted::Busy));
    assert_eq!(tier.snapshot().dropped_busy, 1);
    assert_eq!(found(&tier, "a").await, None, "what is older goes");
    put(&tier, "a", 3, &[0; 10_000]).await;
}

#[tokio::test]
async fn removals_are_forgotten_when_nothing_is_left_for_them_to_kill() {
    let directory = Scratch::new();
    let tier = directory.open();
    let gone = |directory: &Scratch| {
        let files = files_in(&directory.path().join("segments"));
        let gone = files.iter().filter(|(path, _)| path.to_string_lossy().contains(".gone-"));
        gone.map(|(_, len)| *len).sum::<u64>()
    };
    for round in 0..60_u32 {
        let keys: Vec<_> = (0..200).map(|name| key(&format!("{round} {name}"))).collect();
        let puts = keys.iter().map(|key| tier.put(key, entry(1, &[1; 4_000]), None));
        futures_util::future::join_all(puts).await;
        let removed = futures_util::future::join_all(keys.iter().map(|key| tier.remove(key))).await;
        assert!(removed.iter().all(Result::is_ok));
    }
    // 12 000 removals of 24 bytes, twice.
    assert!(gone(&directory) < 500_000, "{}", gone(&directory));
    drop(tier);
    let tier = directory.open();
    assert_eq!(tier.snapshot().objects, 0);
    put(&tier, "a", 1, b"one").await;
}
