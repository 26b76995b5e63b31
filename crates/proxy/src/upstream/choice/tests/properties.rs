//! What holds after any history.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use rand::Rng;

use super::*;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes.
    Pass(Duration),
    /// A request comes that has tried these.
    Ask(u64, Vec<usize>),
    /// The turn at that place is told something, or ends with it.
    Tell(usize, Outcome),
    End(usize, Outcome),
    /// A check or a route says something.
    Mark(usize, Health),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Answered(StatusCode::OK)),
        Just(Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE)),
        Just(Outcome::Unreached),
        Just(Outcome::Unreached),
        Just(Outcome::Failed(StatusCode::GATEWAY_TIMEOUT)),
        Just(Outcome::Left),
        Just(Outcome::Reached),
    ]
}

fn event(members: usize) -> impl Strategy<Value = Event> {
    let health = prop_oneof![
        4 => Just(Health::Up),
        2 => Just(Health::Down),
        1 => Just(Health::Draining),
    ];
    prop_oneof![
        2 => (0..20_000_u64).prop_map(|time| Event::Pass(millis(time))),
        6 => (any::<u64>(), prop::collection::vec(0..members, 0..3))
            .prop_map(|(key, tried)| Event::Ask(key, tried)),
        1 => (0..8_usize, outcome()).prop_map(|(place, outcome)| Event::Tell(place, outcome)),
        5 => (0..8_usize, outcome()).prop_map(|(place, outcome)| Event::End(place, outcome)),
        1 => (0..members, health).prop_map(|(member, health)| Event::Mark(member, health)),
    ]
}

fn balance() -> impl Strategy<Value = Balance> {
    prop_oneof![
        Just(Balance::RoundRobin),
        Just(Balance::LeastRequests),
        Just(Balance::PowerOfTwo),
        Just(Balance::Hash),
    ]
}

fn history() -> impl Strategy<Value = (Balance, f64, Vec<u32>, Vec<Event>)> {
    (1..5_usize).prop_flat_map(|members| {
        let weights = prop::collection::vec(1..10_u32, members);
        let events = prop::collection::vec(event(members), 1..200);
        (balance(), 0.0..=1.0_f64, weights, events)
    })
}

/// Whether a member is up and in the usual choice.
fn is_usual(standing: &MemberStanding) -> bool {
    standing.state == State::Up
}

/// The rules that every choice must keep to, judged by what was seen before it.
fn judge(before: &[MemberStanding], tried: &Tried, chosen: &Result<usize, Nobody>) {
    match chosen {
        Ok(member) => {
            assert!(!tried.holds(*member), "member {member} was tried");
            let state = before[*member].state;
            assert!(
                !matches!(state, State::Down | State::Draining),
                "member {member} is {state:?}"
            );
        }
        Err(_) => {
            let missed =
                |(index, one): (usize, &MemberStanding)| is_usual(one) && !tried.holds(index);
            assert!(!before.iter().enumerate().any(missed), "one was there");
        }
    }
}

/// Threads at once: nothing is lost of what is counted, and no member has two probes.
#[test]
fn many_threads_share_one_choice() {
    let (threads, rounds) = (4, 4000);
    let ejection = Ejection { failures: 1, ..Ejection::default() };
    let world = World::of(ChoiceTerms { ejection, ..terms(Balance::LeastRequests) }, &[1, 2, 3]);
    let (choice, began) = (&world.choice, world.now);
    let probes: Vec<AtomicUsize> = (0..3).map(|_| AtomicUsize::new(0)).collect();
    let ask = |thread: u64| {
        let mut dice = StdRng::seed_from_u64(SEED + thread);
        for round in 0..rounds {
            let now = began + millis(10 * round);
            let Ok(turn) = choice.choose(now, dice.random(), &Tried::default()) else { continue };
            let probe = turn.is_probe().then(|| &probes[turn.member()]);
            if let Some(under_way) = probe {
                assert_eq!(under_way.fetch_add(1, Ordering::SeqCst), 0, "seed {SEED:#x}");
            }
            std::thread::yield_now();
            if let Some(under_way) = probe {
                under_way.fetch_sub(1, Ordering::SeqCst);
            }
            // Only probes bring a member back, so that no probe is left over from an outage before.
            match (probe, dice.random_range(0..3)) {
                (Some(_), 0..2) => turn.end(now, Outcome::Answered(StatusCode::OK)),
                (None, 0) | (Some(_), _) => turn.end(now, Outcome::Unreached),
                (None, _) => drop(turn),
            }
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let ask = &ask;
            scope.spawn(move || ask(thread));
        }
    });
    assert!(choice.snapshot(began).iter().all(|one| one.in_flight == 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn never_one_that_was_tried_drains_or_is_down_and_never_nobody_while_one_is_there(
        (balance, share_max, weights, events) in history()
    ) {
        let ejection = Ejection { share_max, failures: 2, ..Ejection::default() };
        let slow_start = Duration::from_secs(5);
        let mut world = World::of(ChoiceTerms { balance, ejection, slow_start }, &weights);
        let mut turns: Vec<Turn> = Vec::new();
        for event in events {
            match event {
                Event::Pass(time) => world.now += time,
                Event::Ask(key, places) => {
                    let mut tried = Tried::default();
                    places.into_iter().for_each(|place| tried.add(place));
                    let before = world.choice.snapshot(world.now);
                    let chosen = world.choice.choose(world.now, key, &tried);
                    judge(&before, &tried, &chosen.as_ref().map(Turn::member).map_err(|none| *none));
                    turns.extend(chosen);
                }
                Event::Tell(place, outcome) => {
                    let place = place % turns.len().max(1);
                    if let Some(turn) = turns.get_mut(place) {
                        turn.tell(world.now, outcome);
                    }
                }
                Event::End(place, outcome) if !turns.is_empty() => {
                    let turn = turns.swap_remove(place % turns.len());
                    turn.end(world.now, outcome);
                }
                Event::End(..) => {}
                Event::Mark(member, health) => world.choice.mark(member, health, world.now),
            }
            let held: u32 = world.choice.snapshot(world.now).iter().map(|one| one.in_flight).sum();
            prop_assert_eq!(held as usize, turns.len());
        }
    }

    #[test]
    fn a_round_of_turns_gives_each_exactly_its_weight(weights in prop::collection::vec(1..50_u32, 1..9)) {
        let world = World::of(terms(Balance::RoundRobin), &weights);
        let mut got = vec![0; weights.len()];
        for _ in 0..3 * weights.iter().sum::<u32>() {
            let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
            got[turn.member()] += 1;
            turn.end(world.now, Outcome::Answered(StatusCode::OK));
        }
        let wanted: Vec<u32> = weights.iter().map(|weight| 3 * weight).collect();
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn whoever_is_not_down_or_leaving_is_asked_again_in_time((balance, share_max, weights, events) in history()) {
        let ejection = Ejection { share_max, failures: 2, ..Ejection::default() };
        let slow_start = Duration::from_secs(5);
        let mut world = World::of(ChoiceTerms { balance, ejection, slow_start }, &weights);
        for event in events {
            match event {
                Event::Pass(time) => world.now += time,
                Event::Ask(key, _) => {
                    if let Ok(turn) = world.choice.choose(world.now, key, &Tried::default()) {
                        turn.end(world.now, Outcome::Unreached);
                    }
                }
                Event::Tell(..) | Event::End(..) => {}
                Event::Mark(member, health) => world.choice.mark(member, health, world.now),
            }
        }
        // Longer than the longest ejection and every slow start; then all answer.
        for _ in 0..weights.len() + 1 {
            world.now += Duration::from_secs(61);
            if let Ok(turn) = world.choice.choose(world.now, 1, &Tried::default()) {
                turn.end(world.now, Outcome::Answered(StatusCode::OK));
            }
        }
        let told = world.choice.snapshot(world.now);
        prop_assert!(told.iter().all(|one| !matches!(one.state, State::Out { .. })), "{:?}", told);
    }
}
