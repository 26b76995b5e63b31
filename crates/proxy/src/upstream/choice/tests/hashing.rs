//! The owner of a key: how many keys move, and how much an owner bears.

use super::*;

const KEYS: u64 = 10_000;

fn choice(members: &[&str], weights: &[u32]) -> Arc<Choice> {
    let members = members.iter().copied().zip(weights.iter().copied());
    Choice::new(terms(Balance::Hash), members, SEED, Instant::now())
}

/// The name of each key's owner, while nobody has anything to do.
fn owners<'a>(choice: &Arc<Choice>, names: &[&'a str]) -> Vec<&'a str> {
    let (now, nobody) = (Instant::now(), Tried::default());
    let key = |number: u64| digest(format!("https://example.com/{number}").as_bytes());
    let owner = |number| names[choice.choose(now, key(number), &nobody).unwrap().member()];
    (0..KEYS).map(owner).collect()
}

fn moved(before: &[&str], after: &[&str]) -> f64 {
    let moved = before.iter().zip(after).filter(|(before, after)| before != after).count();
    moved as f64 / KEYS as f64
}

#[test]
fn a_key_has_one_owner_in_whatever_order_members_are_written() {
    let (names, turned) = (["a:80", "b:80", "c:80"], ["c:80", "a:80", "b:80"]);
    let before = owners(&choice(&names, &[1, 1, 1]), &names);
    assert_eq!(before, owners(&choice(&names, &[1, 1, 1]), &names));
    assert_eq!(before, owners(&choice(&turned, &[1, 1, 1]), &turned));
}

#[test]
fn a_member_that_joins_takes_its_part_and_moves_nothing_else() {
    let names = ["a:80", "b:80", "c:80", "d:80"];
    let before = owners(&choice(&names[..3], &[1, 1, 1]), &names);
    let after = owners(&choice(&names, &[1, 1, 1, 1]), &names);
    let part = moved(&before, &after);
    assert!((part - 0.25).abs() < 0.02, "{part}");
    let elsewhere = before.iter().zip(&after).filter(|(was, is)| was != is && **is != "d:80");
    assert_eq!(elsewhere.count(), 0);
}

#[test]
fn a_member_that_leaves_gives_its_keys_to_all_and_no_other_key_moves() {
    let names = ["a:80", "b:80", "c:80", "d:80"];
    let all = choice(&names, &[1, 1, 1, 1]);
    let before = owners(&all, &names);
    all.mark(1, Health::Down, Instant::now());
    let after = owners(&all, &names);
    assert!((moved(&before, &after) - 0.25).abs() < 0.02);
    let strays = before.iter().zip(&after).filter(|(was, is)| was != is && **was != "b:80");
    assert_eq!(strays.count(), 0);
    for heir in ["a:80", "c:80", "d:80"] {
        let got = before.iter().zip(&after).filter(|(was, is)| was != is && **is == heir).count();
        assert!((got as f64 / KEYS as f64 - 0.25 / 3.0).abs() < 0.02, "{heir} got {got}");
    }
}

#[test]
fn a_heavier_weight_takes_only_what_it_gains() {
    let names = ["a:80", "b:80"];
    let before = owners(&choice(&names, &[1, 1]), &names);
    let after = owners(&choice(&names, &[3, 1]), &names);
    assert!((moved(&before, &after) - 0.25).abs() < 0.02);
    assert!(before.iter().zip(&after).all(|(was, is)| was == is || *is == "a:80"));
}

#[test]
fn a_member_that_is_named_twice_has_two_parts() {
    let names = ["a:80", "b:80", "a:80"];
    let owned = owners(&choice(&names, &[1, 1, 1]), &names);
    let part = owned.iter().filter(|owner| **owner == "a:80").count() as f64 / KEYS as f64;
    assert!((part - 2.0 / 3.0).abs() < 0.02, "{part}");
}

#[test]
fn nobody_bears_much_more_than_its_part_of_one_hot_key() {
    let choice = choice(&["a:80", "b:80", "c:80", "d:80"], &[1, 1, 1, 1]);
    let now = Instant::now();
    let turns: Vec<Turn> =
        (0..1000).map(|_| choice.choose(now, 7, &Tried::default()).unwrap()).collect();
    let held: Vec<u32> = choice.snapshot(now).iter().map(|one| one.in_flight).collect();
    assert!(held.iter().all(|held| *held <= 313), "{held:?} is above five quarters of 250");
    // The owner has all that it may.
    assert!(held.iter().any(|held| *held >= 310), "{held:?}");
    drop(turns);
    assert!(choice.snapshot(now).iter().all(|one| one.in_flight == 0));
}

#[test]
fn a_few_requests_at_once_do_not_drive_a_key_from_its_owner() {
    let choice = choice(&["a:80", "b:80", "c:80"], &[1, 1, 1]);
    let now = Instant::now();
    let turns: Vec<Turn> =
        (0..8).map(|_| choice.choose(now, 7, &Tried::default()).unwrap()).collect();
    assert!(turns.iter().all(|turn| turn.member() == turns[0].member()));
    assert_ne!(choice.choose(now, 7, &Tried::default()).unwrap().member(), turns[0].member());
}
