use super::*;

/// The same on a connection that has not been idle.
fn fresh(again: Again) -> Again {
    match again {
        Again::Here(cost) | Again::Elsewhere(cost) => Again::Elsewhere(cost),
        Again::No => Again::No,
    }
}

#[test]
fn what_reached_nobody_may_go_anywhere_and_the_rest_only_if_idempotent_and_unheard() {
    use FailureKind::*;
    let check = |kind, reached, method: Method, left, expected| {
        for (reused, expected) in [(Reused::Yes, expected), (Reused::No, fresh(expected))] {
            let again = after_failure(kind, Attempted { reached, left, reused }, &method);
            assert_eq!(again, expected, "{kind:?} {reached:?} {method} {left:?} {reused:?}");
        }
    };
    let free = Again::Elsewhere(Cost::Nothing);
    let paid = Again::Elsewhere(Cost::One);
    check(Connect, Reached::Nobody, Method::POST, Left::Whole, free);
    check(Connect, Reached::Nobody, Method::POST, Left::Spent, Again::No);
    check(ConnectTimeout, Reached::Nobody, Method::POST, Left::Whole, free);
    check(Tls, Reached::Nobody, Method::GET, Left::Whole, free);
    check(PoolFull, Reached::Nobody, Method::GET, Left::Whole, free);
    check(HeadCut, Reached::Nobody, Method::POST, Left::Whole, Again::Here(Cost::Nothing));
    check(HeadCut, Reached::Silence, Method::PUT, Left::Whole, Again::Here(Cost::One));
    check(HeadCut, Reached::Silence, Method::POST, Left::Whole, Again::No);
    check(HeadCut, Reached::Silence, Method::GET, Left::Spent, Again::No);
    check(HeadCut, Reached::Somebody, Method::GET, Left::Whole, Again::No);
    check(HeadTimeout, Reached::Silence, Method::GET, Left::Whole, paid);
    check(HeadTimeout, Reached::Silence, Method::POST, Left::Whole, Again::No);
    check(HeadTimeout, Reached::Somebody, Method::GET, Left::Whole, Again::No);
    check(SendTimeout, Reached::Silence, Method::PUT, Left::Whole, paid);
    for kind in [Malformed, RequestCut, Unsendable, BodyCut, BodyTimeout, Tunnel, NoMember] {
        check(kind, Reached::Silence, Method::GET, Left::Whole, Again::No);
    }
}

#[test]
fn what_was_sent_twice_to_one_member_costs_what_the_dearer_of_both_did() {
    let check = |again: Again, before, expected| assert_eq!(again.elsewhere(before), expected);
    check(Again::Here(Cost::Nothing), Cost::One, Again::Elsewhere(Cost::One));
    check(Again::Elsewhere(Cost::Nothing), Cost::One, Again::Elsewhere(Cost::One));
    check(Again::Here(Cost::One), Cost::Nothing, Again::Elsewhere(Cost::One));
    check(Again::Here(Cost::Nothing), Cost::Nothing, Again::Elsewhere(Cost::Nothing));
    check(Again::No, Cost::Nothing, Again::No);
}

#[test]
fn an_answer_is_exchanged_for_another_only_where_it_is_listed() {
    let check = |status, method: Method, expected| {
        let status = StatusCode::from_u16(status).unwrap();
        let listed = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE];
        assert_eq!(after_answer(status, &listed, &method), expected, "{status} {method}");
    };
    check(503, Method::GET, Again::Elsewhere(Cost::One));
    check(503, Method::DELETE, Again::Elsewhere(Cost::One));
    check(503, Method::POST, Again::No);
    check(500, Method::GET, Again::No);
    check(200, Method::GET, Again::No);
}

/// What an upstream sends that is asked so often a second, and of which every request fails.
fn storm(requests_a_second: u64, seconds: u64) -> Vec<u64> {
    let begun = Instant::now();
    let mut budget = Budget::new(begun);
    let second = |number: u64| {
        let mut retries = 0;
        for request in 0..requests_a_second {
            let part = Duration::from_secs(1).mul_f64(request as f64 / requests_a_second as f64);
            let now = begun + Duration::from_secs(number) + part;
            budget.asked(now);
            retries += u64::from(budget.spend(now) == Spent::Yes);
        }
        retries
    };
    (0..seconds).map(second).collect()
}

#[test]
fn retries_stay_within_a_fifth_of_the_requests_in_every_window() {
    for rate in [50, 100, 1000] {
        let retries = storm(rate, 60);
        for window in retries.windows(10) {
            assert!(
                window.iter().sum::<u64>() <= rate * 10 / REQUESTS_A_RETRY,
                "{rate}: {window:?}"
            );
        }
        let total: u64 = retries.iter().sum();
        assert!(total > rate * 60 / REQUESTS_A_RETRY * 8 / 10, "{rate}: {total} are too few");
    }
}

#[test]
fn a_few_retries_are_allowed_however_few_the_requests_are() {
    let now = Instant::now();
    let mut budget = Budget::new(now);
    let spent =
        |budget: &mut Budget, now| (0..20).filter(|_| budget.spend(now) == Spent::Yes).count();
    assert_eq!(spent(&mut budget, now), RETRIES_MIN as usize);
    assert_eq!(spent(&mut budget, now + WINDOW - Duration::from_millis(1)), 0);
    assert_eq!(spent(&mut budget, now + WINDOW), RETRIES_MIN as usize);
    assert_eq!(spent(&mut budget, now + 100 * WINDOW), RETRIES_MIN as usize);
}
