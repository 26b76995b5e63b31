//! Who gets which part.

use super::*;

const ALL: [Balance; 4] =
    [Balance::RoundRobin, Balance::LeastRequests, Balance::PowerOfTwo, Balance::Hash];

#[test]
fn equal_members_get_parts_by_weight_whatever_the_method() {
    for balance in ALL {
        let mut world = World::of(terms(balance), &[1, 2, 5]);
        // A hundred at a time: with few, whole requests do not divide by weight.
        world.run(5000.0, Duration::from_secs(8), |_, _| Does::Answers(millis(20)));
        let parts = world.take_parts();
        assert_near(&parts, &[0.125, 0.25, 0.625], 0.02);
    }
}

#[test]
fn an_only_member_gets_everything_whatever_the_method() {
    for balance in ALL {
        let mut world = World::of(terms(balance), &[3]);
        world.run(100.0, Duration::from_secs(5), |_, _| Does::Answers(millis(20)));
        assert_eq!((world.refused, world.take_parts()), (0, vec![1.0]));
    }
}

#[test]
fn round_robin_is_smooth() {
    let mut world = World::of(terms(Balance::RoundRobin), &[5, 1, 1]);
    let mut order = String::new();
    for _ in 0..14 {
        let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
        order.push(char::from(b"abc"[turn.member()]));
    }
    assert_eq!(order, "aabacaaaabacaa");
    world.take_parts();
}

#[test]
fn least_requests_gives_a_slow_member_less() {
    let mut world = World::of(terms(Balance::LeastRequests), &[1, 1]);
    let slow_first = |member: usize, _| Does::Answers(millis([1000, 100][member]));
    world.run(1000.0, Duration::from_secs(20), slow_first);
    // As many are under way at both, so what they get is as their speed.
    let parts = world.take_parts();
    assert_near(&parts, &[1.0 / 11.0, 10.0 / 11.0], 0.02);
}

#[test]
fn the_better_of_two_beats_taking_turns_where_one_is_slow() {
    let mean = |balance| {
        let mut world = World::of(terms(balance), &[1, 1, 1, 1]);
        // Each works on one request at a time; the first can bear 50 a second, the others 500.
        let slow_first = |member: usize, _| Does::Works(millis(if member == 0 { 20 } else { 2 }));
        world.run(300.0, Duration::from_secs(30), slow_first);
        let mean = world.take_mean_latency();
        (mean, world.take_parts())
    };
    let (turns, _) = mean(Balance::RoundRobin);
    let (better, parts) = mean(Balance::PowerOfTwo);
    assert!(better * 10 < turns, "{better:?} is not far below {turns:?}");
    assert!(parts[0] < 0.1, "{parts:?}");
}

#[test]
fn a_member_that_was_slow_is_asked_again_later() {
    let mut world = World::of(terms(Balance::PowerOfTwo), &[1, 1]);
    let slow_at_first = |member: usize, at: Duration| {
        let is_slow = member == 0 && at < Duration::from_secs(60);
        Does::Answers(millis(if is_slow { 500 } else { 5 }))
    };
    world.run(50.0, Duration::from_secs(60), slow_at_first);
    let parts = world.take_parts();
    assert!(parts[0] < 0.1, "{parts:?}");
    world.run(50.0, Duration::from_secs(120), slow_at_first);
    world.take_parts();
    world.run(50.0, Duration::from_secs(60), slow_at_first);
    let parts = world.take_parts();
    assert!(parts[0] > 0.3, "{parts:?}");
}
