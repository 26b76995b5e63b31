use super::*;
use crate::case::{after, asked, stored};
use crate::policy::ClientDirectives;
use crate::standing::Standing;

const STALE: Reuse = Reuse::Revalidate(RevalidateReason::Stale);
const REFRESH: Reuse = Reuse::ServeAndRefresh(RefreshReason::StaleWhileRevalidate);

fn obeying() -> Policy {
    Policy { client_directives: ClientDirectives::Obey, ..Policy::default() }
}

fn check(policy: &Policy, cases: &[(&str, &str, u64, Reuse)]) {
    for (response, request, seconds, expected) in cases {
        let (asked, stored) = (asked(request, policy), stored(response, policy));
        let found = reuse(&asked, &stored, policy, &Standing::SOUND, after(seconds * 1000));
        assert_eq!(found, *expected, "`{response}` for `{request}` after {seconds} s");
    }
}

#[test]
fn fresh_is_served_and_stale_is_validated() {
    check(
        &Policy::default(),
        &[
            ("cache-control: max-age=10", "GET", 9, Reuse::Serve),
            ("cache-control: max-age=10", "HEAD", 9, Reuse::Serve),
            ("cache-control: max-age=10", "GET", 10, STALE),
            ("cache-control: max-age=10", "GET authorization: x", 9, Reuse::Serve),
            (
                "cache-control: max-age=10, no-cache",
                "GET",
                0,
                Reuse::Revalidate(RevalidateReason::NoCache),
            ),
            ("cache-control: max-age=10, no-cache=\"a\"", "GET", 0, Reuse::Serve),
        ],
    );
}

#[test]
fn a_window_is_the_responses_own_else_the_operators() {
    let policy = Policy { stale_while_revalidate: Duration::from_secs(5), ..Policy::default() };
    check(
        &policy,
        &[
            ("cache-control: max-age=10", "GET", 14, REFRESH),
            ("cache-control: max-age=10", "GET", 15, STALE),
            ("cache-control: max-age=10, stale-while-revalidate=20", "GET", 29, REFRESH),
            ("cache-control: max-age=10, stale-while-revalidate=20", "GET", 30, STALE),
            ("cache-control: max-age=10, stale-while-revalidate=0", "GET", 10, STALE),
            ("cache-control: max-age=10, stale-while-revalidate=x", "GET", 10, STALE),
        ],
    );
}

#[test]
fn what_demands_validation_closes_the_stale_window() {
    let policy = Policy { stale_while_revalidate: Duration::from_secs(5), ..obeying() };
    for directive in ["must-revalidate", "proxy-revalidate", "s-maxage=10"] {
        let response = format!("cache-control: max-age=10, stale-while-revalidate=60, {directive}");
        let all = "GET cache-control: max-stale";
        check(&policy, &[(&response, "GET", 9, Reuse::Serve), (&response, "GET", 11, STALE)]);
        check(&policy, &[(&response, all, 11, STALE)]);
    }
}

#[test]
fn an_obeyed_client_chooses_how_old_is_too_old() {
    let (ten, no_cache) = ("cache-control: max-age=10", "GET cache-control: no-cache");
    let too_old = Reuse::Revalidate(RevalidateReason::RequestMaxAge);
    let wanted = Reuse::Revalidate(RevalidateReason::RequestNoCache);
    check(
        &obeying(),
        &[
            (ten, no_cache, 0, wanted),
            (ten, "GET pragma: no-cache", 0, wanted),
            (ten, "GET cache-control: max-age=0", 0, too_old),
            (ten, "GET cache-control: max-age=5", 5, Reuse::Serve),
            (ten, "GET cache-control: max-age=5", 6, too_old),
            (ten, "GET cache-control: min-fresh=5", 5, Reuse::Serve),
            (
                ten,
                "GET cache-control: min-fresh=5",
                6,
                Reuse::Revalidate(RevalidateReason::RequestMinFresh),
            ),
            (ten, "GET cache-control: max-stale=5", 15, Reuse::Serve),
            (ten, "GET cache-control: max-stale=5", 16, STALE),
            (ten, "GET cache-control: max-stale", 999_999, Reuse::Serve),
            (ten, "GET cache-control: max-stale=x", 11, STALE),
            (
                "cache-control: max-age=10, immutable",
                "GET cache-control: max-age=0",
                5,
                Reuse::Serve,
            ),
            ("cache-control: max-age=10, immutable", "GET cache-control: max-age=0", 11, too_old),
            ("cache-control: max-age=10, immutable", no_cache, 5, wanted),
            (
                "cache-control: max-age=10, stale-while-revalidate=60",
                "GET cache-control: max-age=60",
                11,
                STALE,
            ),
        ],
    );
}

#[test]
fn a_protected_origin_is_not_asked_for_a_reload() {
    for request in [
        "GET cache-control: no-cache",
        "GET cache-control: max-age=0",
        "GET cache-control: min-fresh=60",
        "GET pragma: no-cache",
        "GET cache-control: no-store",
    ] {
        check(&Policy::default(), &[("cache-control: max-age=10", request, 5, Reuse::Serve)]);
    }
    let any = "GET cache-control: max-stale";
    check(&Policy::default(), &[("cache-control: max-age=10", any, 11, STALE)]);
}

#[test]
fn only_if_cached_never_goes_to_the_origin() {
    let request = "GET cache-control: only-if-cached";
    check(
        &Policy::default(),
        &[
            ("cache-control: max-age=10", request, 5, Reuse::Serve),
            ("cache-control: max-age=10", request, 11, Reuse::Refuse),
            ("cache-control: no-cache | etag: \"a\"", request, 0, Reuse::Refuse),
            ("cache-control: max-age=10, stale-while-revalidate=5", request, 11, REFRESH),
        ],
    );
}

#[test]
fn stale_answers_in_place_of_a_failure_unless_it_is_forbidden() {
    let policy = Policy {
        stale_if_error: Duration::from_secs(20),
        stale_when_unreachable: Duration::from_secs(100),
        ..Policy::default()
    };
    let status = |code| Failing::Status(StatusCode::from_u16(code).unwrap());
    let (ten, own) = ("cache-control: max-age=10", "cache-control: max-age=10, stale-if-error=50");
    for (response, failing, seconds, expected) in [
        (ten, status(503), 5, true),
        (ten, status(500), 29, true),
        (ten, status(502), 29, true),
        (ten, status(504), 30, false),
        (ten, status(501), 11, false),
        (ten, status(404), 11, false),
        (ten, status(404), 5, false),
        (ten, Failing::Unreachable, 109, true),
        (ten, Failing::Unreachable, 110, false),
        (own, status(503), 59, true),
        (own, status(503), 60, false),
        (own, Failing::Unreachable, 109, true),
        ("cache-control: max-age=10, stale-if-error=0", status(503), 11, false),
        ("cache-control: max-age=10, stale-if-error=500", Failing::Unreachable, 509, true),
        ("cache-control: max-age=10, must-revalidate", Failing::Unreachable, 9, true),
        ("cache-control: max-age=10, must-revalidate", Failing::Unreachable, 10, false),
        ("cache-control: max-age=10, proxy-revalidate", Failing::Unreachable, 11, false),
        ("cache-control: s-maxage=10", Failing::Unreachable, 11, false),
        ("cache-control: max-age=10, no-cache", Failing::Unreachable, 5, false),
    ] {
        let (asked, stored) = (asked("GET", &policy), stored(response, &policy));
        let found = stale_on_failure(
            &asked,
            &stored,
            &policy,
            &Standing::SOUND,
            after(seconds * 1000),
            failing,
        );
        assert_eq!(found, expected, "`{response}` {failing:?} after {seconds} s");
    }
}

#[test]
fn who_is_obeyed_and_asks_for_validation_gets_the_failure() {
    let policy = obeying();
    let stored = stored("cache-control: max-age=10", &policy);
    let insisting = asked("GET cache-control: no-cache", &policy);
    assert!(!stale_on_failure(
        &insisting,
        &stored,
        &policy,
        &Standing::SOUND,
        after(0),
        Failing::Unreachable
    ));
}

#[test]
fn reasons_have_words() {
    assert_eq!(RevalidateReason::RequestMaxAge.forward(), Forward::Request);
    assert_eq!(RevalidateReason::NoCache.forward(), Forward::Stale);
    assert_eq!(RevalidateReason::NoCache.detail(), "no-cache");
    assert_eq!(RefreshReason::StaleWhileRevalidate.detail(), "stale-while-revalidate");
}

#[test]
fn a_soft_purge_opens_the_windows_and_lost_proof_closes_them() {
    let policy = Policy::default();
    let asked = asked("GET", &policy);
    let check = |said: &str, standing: Standing, seconds: u64, expected: Reuse| {
        let stored = stored(said, &policy);
        let found = reuse(&asked, &stored, &policy, &standing, after(seconds * 1000));
        assert_eq!(found, expected, "{said} {standing:?} {seconds}");
    };
    let at =
        |seconds: u64| Standing { stale_since: Some(after(seconds * 1000)), ..Standing::SOUND };
    let within = |seconds| Standing {
        proof: Proof::Within(Duration::from_secs(seconds)),
        ..Standing::SOUND
    };
    let missing = Standing { proof: Proof::Missing, ..Standing::SOUND };
    let refreshed = Reuse::ServeAndRefresh(RefreshReason::StaleWhileRevalidate);
    let cc = "cache-control: max-age=60";
    let swr = "cache-control: max-age=60, stale-while-revalidate=30";

    check(cc, at(10), 20, Reuse::Revalidate(RevalidateReason::Purged));
    check(swr, at(10), 20, refreshed);
    check(swr, at(10), 39, refreshed);
    check(swr, at(10), 40, Reuse::Revalidate(RevalidateReason::Purged));
    // What is stale for longer than it was purged counts.
    check(swr, at(85), 91, Reuse::Revalidate(RevalidateReason::Stale));

    check(cc, within(2), 1, Reuse::Serve);
    check(cc, within(2), 2, Reuse::Revalidate(RevalidateReason::InDoubt));
    check(swr, within(100), 70, refreshed);
    check(swr, within(2), 70, Reuse::Revalidate(RevalidateReason::InDoubt));
    check(cc, missing, 0, Reuse::Revalidate(RevalidateReason::Unproven));
}

#[test]
fn without_proof_an_error_is_covered_unless_the_operator_forbids_it() {
    let policy = Policy::default();
    let asked = asked("GET", &policy);
    let stored = stored("cache-control: max-age=60", &policy);
    let check = |proof, in_place_of_errors, expected| {
        let standing = Standing { proof, in_place_of_errors, ..Standing::SOUND };
        let now = after(5_000);
        let found =
            stale_on_failure(&asked, &stored, &policy, &standing, now, Failing::Unreachable);
        assert_eq!(found, expected, "{standing:?}");
    };
    check(Proof::Missing, InPlaceOfErrors::AsEver, true);
    check(Proof::Missing, InPlaceOfErrors::Never, false);
    check(Proof::Within(Duration::from_secs(2)), InPlaceOfErrors::Never, false);
    check(Proof::Within(Duration::from_secs(9)), InPlaceOfErrors::Never, true);
    check(Proof::Sure, InPlaceOfErrors::Never, true);
}
