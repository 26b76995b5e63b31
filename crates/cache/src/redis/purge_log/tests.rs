use super::*;

fn by(source: Option<u64>, millis: u64) -> Teller {
    Teller { millis, source }
}

#[test]
fn a_clock_that_goes_ahead_is_told_from_one_that_goes() {
    let (begun, millis) = (Instant::now(), Duration::from_millis);
    // When it was asked and when it had answered, what it said, and what that means.
    let answers = [
        (0, 10, 1_000, Shaken::No),
        (100, 110, 1_100, Shaken::No),
        // It may have been read late the first time, and early the second.
        (200, 300, 1_310, Shaken::No),
        (400, 410, 1_410 + 300, Shaken::Yes),
        (500, 510, 1_510 + 300, Shaken::No),
        // Behind: what was heard looks newer than it is, and is waited for.
        (600, 610, 900, Shaken::No),
        (700, 710, 1_000, Shaken::No),
        (800, 810, u64::MAX, Shaken::Yes),
    ];
    let mut told = Told::nothing();
    for (asked, answered, said, shaken) in answers {
        let (asked, answered) = (begun + millis(asked), begun + millis(answered));
        assert_eq!(told.tell(0, by(None, said), asked, answered), shaken, "{said}");
    }
}

#[test]
fn another_connection_may_lead_to_a_server_that_knows_less() {
    let (now, mut told) = (Instant::now(), Told::nothing());
    for (connects, shaken) in [(1, Shaken::Yes), (1, Shaken::No), (2, Shaken::Yes)] {
        assert_eq!(told.tell(connects, by(None, 1_000), now, now), shaken);
    }
}

#[test]
fn a_server_that_does_not_know_of_the_last_beat_has_lost_others_too() {
    let mut told = Told::nothing();
    for (before, at, shaken) in [
        (None, 10, Shaken::No),
        (Some(10), 20, Shaken::No),
        // One of which the answer was lost.
        (Some(25), 30, Shaken::No),
        (Some(20), 40, Shaken::Yes),
        (Some(40), 50, Shaken::No),
        (None, 60, Shaken::Yes),
    ] {
        assert_eq!(told.beat(before, at), shaken, "{at}");
    }
}

#[test]
fn another_primary_behind_the_same_connection_may_know_less() {
    let (now, mut told) = (Instant::now(), Told::nothing());
    for (source, shaken) in [
        (None, Shaken::No),
        (Some(7), Shaken::No),
        (None, Shaken::No),
        (Some(7), Shaken::No),
        (Some(8), Shaken::Yes),
        (Some(8), Shaken::No),
    ] {
        assert_eq!(told.tell(0, by(source, 1_000), now, now), shaken, "{source:?}");
    }
}
