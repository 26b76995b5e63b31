use super::*;
use crate::clock::{Clock, Timestamp};
use crate::purge::{Belongs, Bounds, Group, Kind, LogEntry, Rules, Scope, Verdict};
use tokio::time::{Instant, advance};

const LINEAGE: u64 = 7;

fn group() -> Group {
    Group::of("tag", b"a")
}

fn purge() -> Rule {
    Rule { scope: Scope::Group(group()), kind: Kind::Hard }
}

fn entry(number: u64) -> LogEntry {
    let previous = if number == 1 { 0 } else { number + 99 };
    LogEntry { number, token: number + 100, previous, at: Timestamp::default(), rule: purge() }
}

fn entries(numbers: std::ops::RangeInclusive<u64>) -> Vec<LogEntry> {
    numbers.map(entry).collect()
}

fn at(number: u64) -> Position {
    let token = if number == 0 { 0 } else { number + 100 };
    Position { lineage: LINEAGE, number, token }
}

fn judged(purges: &Purges, epoch: crate::purge::Epoch) -> Verdict {
    let mut belongs = Belongs::new();
    belongs.to(group());
    purges.judge(epoch, &belongs)
}

/// One that has followed a log up to its fifth entry.
fn at_five() -> Purges {
    let purges = Purges::followed(Rules::new(Bounds::default()), DOUBT_BOUND);
    let now = Instant::now();
    assert_eq!(purges.take(&[], at(5), now), Taken::Raised(Raise::OtherLineage));
    assert_eq!(purges.take(&entries(1..=5), at(5), now), Taken::Applied);
    purges
}

#[tokio::test(start_paused = true)]
async fn what_follows_is_applied_and_what_does_not_raises_the_floor() {
    let other = |number: u64| Position { token: 1, ..at(number) };
    let unchained = LogEntry { previous: 1, ..entry(6) };
    let foreign = LogEntry { token: 1, ..entry(5) };
    let elsewhere = Position { lineage: LINEAGE + 1, ..at(9) };
    for (name, read, newest, taken, position) in [
        ("nothing new", vec![], at(5), Taken::Applied, at(5)),
        ("its own once more", entries(4..=5), at(5), Taken::Applied, at(5)),
        ("the next", entries(6..=7), at(7), Taken::Applied, at(7)),
        ("a part", entries(5..=7), at(9), Taken::Gap, at(7)),
        ("more than was said", entries(6..=8), at(7), Taken::Applied, at(8)),
        ("a hole", entries(8..=9), at(9), Taken::Raised(Raise::Trimmed), at(9)),
        ("a part behind a hole", entries(8..=9), at(12), Taken::Raised(Raise::Trimmed), at(9)),
        ("all gone", vec![], at(9), Taken::Raised(Raise::Trimmed), at(9)),
        ("no log", vec![], Position::default(), Taken::Gap, at(5)),
    ] {
        let purges = at_five();
        assert_eq!(purges.take(&read, newest, Instant::now()), taken, "{name}");
        assert_eq!(purges.position(), position, "{name}");
        let is_raised = matches!(taken, Taken::Raised(_));
        assert_eq!(purges.snapshot(Instant::now()).floor > 0, is_raised, "{name}");
    }
    // What was read before the break killed what it covers, whatever becomes of that history.
    let killed = Verdict::Gone { by: 7 };
    for (name, read, newest, why, verdict) in [
        ("shorter", vec![], at(4), Raise::Backwards, Verdict::Unproven),
        ("another newest", vec![], other(5), Raise::OtherToken, Verdict::Unproven),
        ("another at its place", vec![foreign], at(5), Raise::OtherToken, Verdict::Unproven),
        ("another end", entries(6..=7), other(7), Raise::OtherToken, killed),
        ("unchained", vec![unchained], at(6), Raise::Unchained, Verdict::Unproven),
    ] {
        let purges = at_five();
        let fetched = purges.epoch();
        assert_eq!(purges.take(&read, newest, Instant::now()), Taken::Raised(why), "{name}");
        assert_eq!(purges.refused(), Some(LINEAGE), "{name}");
        assert_eq!(judged(&purges, fetched), verdict, "{name}");
        assert_eq!(purges.trust(Instant::now()), Trust::Doubt, "{name}");
        // Not even when all is as it was, until it has another lineage.
        let again = purges.take(&entries(1..=5), at(5), Instant::now());
        assert_eq!(again, Taken::Raised(why), "{name}");
        let met = purges.take(&[], elsewhere, Instant::now());
        assert_eq!(met, Taken::Raised(Raise::OtherLineage), "{name}");
        assert_eq!(purges.position(), Position::start_of(LINEAGE + 1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn doubt_is_counted_from_the_question_whose_answer_left_nothing_unknown() {
    let second = Duration::from_secs(1);
    let purges = Purges::followed(Rules::new(Bounds::default()), 2 * second);
    let trust = |purges: &Purges| purges.trust(Instant::now());
    assert_eq!(trust(&purges), Trust::Doubt);
    let asked_at = Instant::now();
    advance(second).await;
    assert_eq!(purges.take(&[], at(2), asked_at), Taken::Raised(Raise::OtherLineage));
    assert_eq!(trust(&purges), Trust::Doubt);
    assert_eq!(purges.take(&entries(1..=1), at(2), asked_at), Taken::Gap);
    assert_eq!(trust(&purges), Trust::Doubt);
    assert_eq!(purges.take(&entries(2..=2), at(2), asked_at), Taken::Applied);
    assert_eq!(trust(&purges), Trust::Sure);
    assert_eq!(purges.snapshot(Instant::now()).heard_ago, Some(second));
    advance(second - Duration::from_millis(1)).await;
    assert_eq!(trust(&purges), Trust::Sure);
    advance(Duration::from_millis(1)).await;
    assert_eq!(trust(&purges), Trust::Doubt);
    // What is read again is newer than what an older question heard.
    assert_eq!(purges.take(&[], at(2), Instant::now()), Taken::Applied);
    assert_eq!(purges.take(&[], at(2), asked_at), Taken::Applied);
    assert_eq!(trust(&purges), Trust::Sure);
    // Who is told to doubt does so until all is known again, not only a part.
    purges.fall_in_doubt();
    assert_eq!(purges.take(&entries(3..=3), at(4), Instant::now()), Taken::Gap);
    assert_eq!(trust(&purges), Trust::Doubt);
    assert_eq!(purges.take(&entries(4..=4), at(4), Instant::now()), Taken::Applied);
    assert_eq!(trust(&purges), Trust::Sure);
}

#[tokio::test(start_paused = true)]
async fn what_was_fetched_while_no_log_was_known_proves_nothing_in_the_next_such_time() {
    let purges = Purges::followed(Rules::new(Bounds::default()), DOUBT_BOUND);
    let fetched = purges.epoch();
    assert_eq!(judged(&purges, fetched), Verdict::Alive);
    purges.take(&[], at(5), Instant::now());
    purges.take(&entries(1..=5), at(5), Instant::now());
    assert_eq!(judged(&purges, fetched), Verdict::Unproven);
    purges.take(&[], at(3), Instant::now());
    assert_eq!(judged(&purges, fetched), Verdict::Unproven);
    let own = purges.epoch();
    assert_eq!(judged(&purges, own), Verdict::Alive);
    assert_ne!(own.lineage(), fetched.lineage());
}

#[tokio::test(start_paused = true)]
async fn a_log_in_memory_numbers_what_it_is_given_and_is_always_sure() {
    let clock = Clock::virtual_from(Timestamp::from_millis(5));
    let log = MemoryLog::new("here", Bounds::default(), clock);
    let before = log.purges().epoch();
    let one = log.append(vec![purge()]).await.unwrap();
    assert_eq!((one.first, one.last.number), (1, 1));
    let more = log.append(vec![purge(); 3]).await.unwrap();
    assert_eq!((more.first, more.last), (2, log.purges().position()));
    assert_eq!(judged(log.purges(), before), Verdict::Gone { by: 4 });
    assert_eq!(judged(log.purges(), log.purges().epoch()), Verdict::Alive);
    advance(Duration::from_secs(1_000_000)).await;
    assert_eq!(log.purges().trust(Instant::now()), Trust::Sure);
    let node = "here".to_owned();
    let standing = Standing::Applied;
    assert_eq!(log.applied(more.last, Duration::ZERO).await, [NodeStanding { node, standing }]);
    for count in [0, APPENDED_MAX + 1] {
        let refused = log.append(vec![purge(); count]).await;
        assert!(matches!(refused, Err(LogFailure::Refused(_))), "{count}");
    }
    assert_eq!((log.snapshot().appended, log.purges().position()), (4, more.last));
}

#[tokio::test(start_paused = true)]
async fn what_a_log_killed_that_is_gone_stays_dead_and_the_rest_is_unproven() {
    let purges = at_five();
    let start = |lineage| Position::start_of(LINEAGE + lineage);
    // The log was lost, and others came in which nothing was purged yet.
    for newest in [start(1), start(2)] {
        purges.take(&[], newest, Instant::now());
        purges.take(&[], newest, Instant::now());
        assert_eq!(judged(&purges, at(4).epoch()), Verdict::Gone { by: 5 });
        assert_eq!(judged(&purges, at(5).epoch()), Verdict::Unproven);
        assert_eq!(judged(&purges, newest.epoch()), Verdict::Alive, "fetched since");
    }
    // One such log is remembered.
    let first = [entry(1)];
    purges.take(&first, start(2).at(&first[0]), Instant::now());
    purges.take(&[], start(3), Instant::now());
    assert_eq!(judged(&purges, at(4).epoch()), Verdict::Unproven);
    assert_eq!(judged(&purges, start(2).epoch()), Verdict::Gone { by: 1 });
}

#[test]
fn two_logs_never_have_the_same_lineage() {
    let lineage = || {
        let log = MemoryLog::new("here", Bounds::default(), Clock::system());
        log.purges().position().lineage
    };
    assert_ne!(lineage(), lineage());
    assert_ne!(lineage(), 0);
}
