//! Who is left out, for how long, and how it comes back.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn well(_: usize, _: Duration) -> Does {
    Does::Answers(millis(10))
}

fn slowly(slow_start: Duration) -> ChoiceTerms {
    ChoiceTerms { slow_start, ..terms(Balance::RoundRobin) }
}

fn cause(state: State) -> Option<Cause> {
    match state {
        State::Out { cause, .. } => Some(cause),
        State::Up | State::Down | State::Draining => None,
    }
}

#[test]
fn a_member_that_refuses_gets_one_probe_a_period_while_others_are_there() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1, 1]);
    let first_refuses =
        |member: usize, at| if member == 0 { Does::Refuses } else { well(member, at) };
    world.run(200.0, 300 * SECOND, first_refuses);
    // Five times after 5 s each, then after 10, 20, 40 and 60 s.
    assert!((8..=15).contains(&world.sent[0]), "{:?}", world.sent);
    assert_eq!(world.refused, 0);
    assert_eq!(cause(world.state(0)), Some(Cause::Breaker));
}

#[test]
fn a_member_that_swallows_connections_holds_up_one_request_a_period() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    let first_swallows = |member: usize, at| match member {
        0 => Does::Swallows(10 * SECOND),
        _ => well(member, at),
    };
    // Until the first is given up nobody knows; then all are.
    world.run(100.0, 25 * SECOND, first_swallows);
    world.take_parts();
    world.in_flight_max.fill(0);
    world.run(100.0, 600 * SECOND, first_swallows);
    assert!((8..=40).contains(&world.sent[0]), "{:?}", world.sent);
    assert_eq!(world.in_flight_max[0], 1);
}

#[test]
fn a_member_that_answers_badly_is_left_out_after_failures_in_a_row() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    let first_fails = |member: usize, at| if member == 0 { Does::Fails } else { well(member, at) };
    world.run(100.0, 4 * SECOND, first_fails);
    assert_eq!(world.sent[0], 5);
    assert_eq!(cause(world.state(0)), Some(Cause::Ejection));
    assert_eq!(world.choice.snapshot(world.now)[0].ejections, 1);
}

#[test]
fn a_good_answer_between_forgives_all_failures_before() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    for round in 0..40 {
        let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
        let status = if round % 8 < 6 { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
        turn.end(world.now, Outcome::Answered(status));
    }
    assert_eq!((world.state(0), world.state(1)), (State::Up, State::Up));
    world.take_parts();
}

#[test]
fn a_body_that_breaks_off_is_a_failure_after_a_good_head() {
    let world = World::of(terms(Balance::RoundRobin), &[1]);
    for _ in 0..5 {
        let mut turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
        turn.tell(world.now, Outcome::Answered(StatusCode::OK));
        turn.end(world.now, Outcome::Failed(StatusCode::BAD_GATEWAY));
    }
    assert_eq!(cause(world.state(0)), Some(Cause::Ejection));
}

#[test]
fn without_statuses_only_connections_count() {
    let ejection = Ejection { statuses: Vec::new(), ..Ejection::default() };
    let world = World::of(ChoiceTerms { ejection, ..terms(Balance::RoundRobin) }, &[1, 1]);
    let outcomes = [
        Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE),
        Outcome::Failed(StatusCode::GATEWAY_TIMEOUT),
        Outcome::Left,
    ];
    for round in 0..60 {
        let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
        turn.end(world.now, outcomes[round % 3]);
    }
    assert_eq!((world.state(0), world.state(1)), (State::Up, State::Up));
}

#[test]
fn a_member_that_is_well_again_is_back_after_one_probe() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    let dead_for_a_while = |member: usize, at: Duration| match (member, at) {
        (0, at) if at < 30 * SECOND => Does::Fails,
        (_, at) => well(member, at),
    };
    world.run(100.0, 30 * SECOND, dead_for_a_while);
    assert!(cause(world.state(0)).is_some());
    world.run(100.0, 45 * SECOND, dead_for_a_while);
    assert_eq!(world.state(0), State::Up);
    world.take_parts();
    world.run(100.0, 10 * SECOND, dead_for_a_while);
    assert_near(&world.take_parts(), &[0.5, 0.5], 0.02);
}

#[test]
fn a_probe_is_alone_until_it_ends() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
    let dead = turn.member();
    turn.end(world.now, Outcome::Unreached);
    world.now += 6 * SECOND;
    let choose = || world.choice.choose(world.now, 0, &Tried::default()).unwrap();
    let probe = choose();
    assert_eq!(probe.member(), dead);
    for _ in 0..10 {
        assert_ne!(choose().member(), dead);
    }
    // One that says nothing leaves its place to the next.
    drop(probe);
    let probe = choose();
    assert_eq!(probe.member(), dead);
    probe.end(world.now, Outcome::Answered(StatusCode::OK));
    assert_eq!(world.state(dead), State::Up);
}

#[test]
fn a_connection_ends_a_rest_before_the_answer_comes() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1]);
    let choose = |world: &World| world.choice.choose(world.now, 0, &Tried::default());
    for _ in 0..5 {
        choose(&world).unwrap().end(world.now, Outcome::Unreached);
    }
    assert_eq!(cause(world.state(0)), Some(Cause::Breaker));
    world.now += SECOND;
    let mut probe = choose(&world).unwrap();
    assert!(probe.is_probe() && choose(&world).is_err());
    world.now += SECOND;
    probe.tell(world.now, Outcome::Reached);
    assert!(!probe.is_probe() && choose(&world).is_ok());
    // From then on it counts as any other.
    probe.end(world.now, Outcome::Failed(StatusCode::GATEWAY_TIMEOUT));
    assert_eq!(world.state(0), State::Up);
}

#[test]
fn a_bad_answer_ends_a_rest_and_counts_as_one_more_failure() {
    let world = World::of(terms(Balance::RoundRobin), &[1]);
    let end = |outcome| {
        world.choice.choose(world.now, 0, &Tried::default()).unwrap().end(world.now, outcome);
    };
    end(Outcome::Unreached);
    assert_eq!(cause(world.state(0)), Some(Cause::Rest));
    for _ in 0..3 {
        end(Outcome::Answered(StatusCode::BAD_GATEWAY));
        assert_eq!(world.state(0), State::Up);
    }
    end(Outcome::Answered(StatusCode::BAD_GATEWAY));
    assert_eq!(cause(world.state(0)), Some(Cause::Ejection));
}

#[test]
fn a_connection_says_nothing_of_how_a_member_answers() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    world.run(100.0, SECOND, |member, at| if member == 0 { Does::Fails } else { well(member, at) });
    assert_eq!(cause(world.state(0)), Some(Cause::Ejection));
    world.now += 6 * SECOND;
    let mut probe = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
    probe.tell(world.now, Outcome::Reached);
    assert!(probe.is_probe());
    assert_eq!(cause(world.state(0)), Some(Cause::Ejection));
    probe.end(world.now, Outcome::Answered(StatusCode::OK));
    assert_eq!(world.state(0), State::Up);
}

#[test]
fn who_has_failed_once_is_no_probes_errand() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1, 1]);
    world
        .choice
        .choose(world.now, 0, &Tried::default())
        .unwrap()
        .end(world.now, Outcome::Unreached);
    world.now += 6 * SECOND;
    let mut tried = Tried::default();
    tried.add(1);
    assert_eq!(world.choice.choose(world.now, 0, &tried).unwrap().member(), 2);
}

#[test]
fn the_time_out_doubles_up_to_its_bound_and_is_forgotten_when_all_was_well() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1]);
    let out = |world: &mut World| {
        // The first failures open the breaker; later a failed probe does.
        while !matches!(world.state(0), State::Out { until, .. } if until > world.now) {
            let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
            turn.end(world.now, Outcome::Failed(StatusCode::BAD_GATEWAY));
        }
        let State::Out { until, .. } = world.state(0) else { panic!("it is in") };
        let time = until - world.now;
        world.now = until;
        time.as_secs_f64()
    };
    for wanted in [5.0, 10.0, 20.0, 40.0, 60.0, 60.0] {
        let found = out(&mut world);
        assert!((wanted * 0.9..=wanted * 1.1).contains(&found) && found <= 60.0, "{found}");
    }
    let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
    turn.end(world.now, Outcome::Answered(StatusCode::OK));
    world.now += 61 * SECOND;
    assert!(out(&mut world) <= 5.5);
}

#[test]
fn a_member_that_came_back_begins_with_a_tenth() {
    for balance in [Balance::RoundRobin, Balance::LeastRequests, Balance::PowerOfTwo, Balance::Hash]
    {
        let mut world = World::of(ChoiceTerms { balance, ..slowly(100 * SECOND) }, &[1, 1, 1]);
        world.choice.mark(0, Health::Down, world.now);
        world.run(100.0, 5 * SECOND, well);
        assert_eq!(world.sent[0], 0);
        world.choice.mark(0, Health::Up, world.now);
        world.take_parts();
        let mut parts = Vec::new();
        for _ in 0..11 {
            world.run(100.0, 10 * SECOND, well);
            parts.push(world.take_parts()[0]);
        }
        // From 0.1 to 1 beside two others of 1.
        assert!((0.02..0.14).contains(&parts[0]), "{balance:?} {parts:?}");
        assert!((0.12..0.32).contains(&parts[5]), "{balance:?} {parts:?}");
        assert!((parts[10] - 1.0 / 3.0).abs() < 0.05, "{balance:?} {parts:?}");
    }
}

#[test]
fn a_drained_member_ends_what_it_has_and_gets_nothing_new() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
    let leaves = turn.member();
    world.choice.mark(leaves, Health::Draining, world.now);
    world.choice.mark(leaves, Health::Up, world.now);
    world.run(100.0, 5 * SECOND, well);
    assert_eq!((world.sent[leaves], world.refused), (0, 0));
    let standing = world.choice.snapshot(world.now)[leaves];
    assert_eq!((standing.state, standing.in_flight), (State::Draining, 1));
    turn.end(world.now, Outcome::Answered(StatusCode::OK));
    assert_eq!(world.choice.snapshot(world.now)[leaves].in_flight, 0);
}

#[test]
fn when_all_answer_badly_all_are_asked_as_ever() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1, 1, 1]);
    let fails = |_, _| Does::Fails;
    world.run(100.0, 5 * SECOND, fails);
    world.take_parts();
    world.run(100.0, 60 * SECOND, fails);
    let sent: usize = world.sent.iter().sum();
    // Three tries each, and not one refused for want of a member.
    assert!((17_000..19_000).contains(&sent), "{sent}");
    assert_near(&world.take_parts(), &[0.25; 4], 0.06);
    world.run(100.0, 60 * SECOND, well);
    assert!((0..4).all(|member| world.state(member) == State::Up));
}

#[test]
fn half_of_the_members_may_be_out_and_no_more() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1, 1, 1]);
    let first = |bad: usize| {
        move |member: usize, at| if member < bad { Does::Fails } else { well(member, at) }
    };
    world.run(200.0, 10 * SECOND, first(2));
    world.take_parts();
    world.run(200.0, 60 * SECOND, first(2));
    let parts = world.take_parts();
    assert!(parts[0] + parts[1] < 0.01, "{parts:?}");
    world.run(200.0, 10 * SECOND, first(3));
    world.take_parts();
    world.run(200.0, 60 * SECOND, first(3));
    let parts = world.take_parts();
    assert!(parts[0] > 0.1 && parts[1] > 0.1 && parts[2] > 0.1, "{parts:?}");
}

#[test]
fn when_all_refuse_each_is_probed_once_a_second_and_the_rest_is_told_when() {
    for count in [1, 4] {
        let mut world = World::of(terms(Balance::RoundRobin), &vec![1; count]);
        let refuses = |_, _| Does::Refuses;
        // Before the breakers open: five failures each.
        world.run(2000.0, 2 * SECOND, refuses);
        world.take_parts();
        world.refused = 0;
        world.run(2000.0, 60 * SECOND, refuses);
        assert!(world.sent.iter().all(|sent| *sent <= 61), "{:?}", world.sent);
        assert!(world.sent.iter().all(|sent| *sent >= 20), "{:?}", world.sent);
        let nobody = world.choice.choose(world.now, 0, &Tried::default()).map(|_| ()).unwrap_err();
        let due = nobody.probe_due.unwrap();
        assert!(due > world.now && due <= world.now + LAST_RESORT_PAUSE);
        // And soon after they are back, so is everything.
        world.run(2000.0, 2 * SECOND, well);
        let refused = world.refused;
        world.run(2000.0, 2 * SECOND, well);
        assert_eq!(world.refused, refused);
    }
}

#[test]
fn an_only_member_that_answers_badly_is_never_refused() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1]);
    world.run(100.0, 30 * SECOND, |_, _| Does::Fails);
    let asked = world.sent[0];
    assert_eq!(asked, world.refused, "each was sent once, and failed");
    assert!(asked > 2700, "{asked}");
}

#[test]
fn an_only_member_answers_badly_for_all_even_where_all_may_be_out() {
    let ejection = Ejection { share_max: 1.0, ..Ejection::default() };
    let mut world = World::of(ChoiceTerms { ejection, ..terms(Balance::RoundRobin) }, &[1]);
    world.run(100.0, 30 * SECOND, |_, _| Does::Fails);
    assert_eq!(world.sent[0], world.refused);
}

#[test]
fn where_all_may_be_out_those_that_answer_badly_are_only_probed() {
    let ejection = Ejection { share_max: 1.0, ..Ejection::default() };
    let mut world = World::of(ChoiceTerms { ejection, ..terms(Balance::RoundRobin) }, &[1, 1]);
    world.run(100.0, 2 * SECOND, |_, _| Does::Fails);
    world.take_parts();
    world.run(100.0, 60 * SECOND, |_, _| Does::Fails);
    assert!(world.sent.iter().all(|sent| (20..=61).contains(sent)), "{:?}", world.sent);
}

#[test]
fn all_down_says_nobody_and_no_time() {
    let world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    world.choice.mark(0, Health::Down, world.now);
    world.choice.mark(1, Health::Down, world.now);
    let nobody = world.choice.choose(world.now, 0, &Tried::default()).map(|_| ()).unwrap_err();
    assert_eq!(nobody, Nobody { probe_due: None });
}

#[test]
fn a_check_that_reaches_a_member_ends_its_rest_and_not_its_ejection() {
    let mut world = World::of(terms(Balance::RoundRobin), &[1, 1]);
    let do_something = |member: usize, at| match member {
        0 => Does::Refuses,
        _ => well(member, at),
    };
    world.run(100.0, SECOND, do_something);
    assert_eq!(cause(world.state(0)), Some(Cause::Rest));
    world.choice.mark(0, Health::Up, world.now);
    assert_eq!(world.state(0), State::Up);
    let fails = |member: usize, at| if member == 0 { Does::Fails } else { well(member, at) };
    world.run(100.0, SECOND, fails);
    world.choice.mark(0, Health::Up, world.now);
    assert_eq!(cause(world.state(0)), Some(Cause::Ejection));
}

#[test]
fn a_successor_knows_who_was_out_and_begins_slowly_with_who_is_new() {
    let mut world = World::of(slowly(10 * SECOND), &[1, 1]);
    world.choice.mark(0, Health::Down, world.now);
    let turn = world.choice.choose(world.now, 0, &Tried::default()).unwrap();
    world.now += SECOND;
    let names = [("10.0.0.2", 1), ("10.0.0.1", 4), ("10.0.0.0", 1)];
    let next = world.choice.succeeded_by(slowly(10 * SECOND), names, world.now);
    let told = next.snapshot(world.now);
    assert_eq!(told[2].state, State::Down);
    assert_eq!((told[1].in_flight, told[1].weight), (1, 4.0));
    assert!((told[0].weight - 0.1).abs() < 0.001);
    turn.end(world.now, Outcome::Answered(StatusCode::OK));
    assert_eq!(next.snapshot(world.now)[1].in_flight, 0);
}
