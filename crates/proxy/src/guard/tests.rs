use super::*;

fn fields(lines: &[(&str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    fields
}

const JSON: (&str, &str) = ("content-type", "application/json");
const HERE: (&str, &str) = ("host", "127.0.0.1:8081");
const OWN: (&str, &str) = ("origin", "http://127.0.0.1:8081");
const AWAY: (&str, &str) = ("host", "rebound.example:8081");
const BEARER: (&str, &str) = ("authorization", "Bearer t0ken");

fn check(guard: &Guard, asks: Asks, lines: &[(&str, &str)], expected: Result<(), Forbidden>) {
    assert_eq!(guard.judge(asks, &fields(lines)), expected, "{asks:?} {lines:?}");
}

#[test]
fn who_needs_nothing_is_let_in_whatever_is_said() {
    for guard in [Guard::Set("t0ken".into()), Guard::Made("t0ken".into()), Guard::Missing] {
        check(&guard, Asks::Nothing, &[AWAY, ("origin", "http://evil.example")], Ok(()));
    }
}

#[test]
fn a_token_that_is_set_is_asked_for_wherever_the_request_was_sent() {
    let guard = Guard::Set("t0ken".into());
    for asks in [Asks::TokenIfSet, Asks::Token, Asks::TokenToChange] {
        check(&guard, asks, &[AWAY, BEARER, JSON], Ok(()));
        check(&guard, asks, &[HERE, JSON], Err(Forbidden::Token));
        for value in
            ["Bearer t0ke", "Bearer t0kenn", "bearer t0ken", "Basic t0ken", "t0ken", "Bearer "]
        {
            check(&guard, asks, &[HERE, JSON, ("authorization", value)], Err(Forbidden::Token));
        }
        let twice = [HERE, JSON, BEARER, ("authorization", "Bearer x")];
        check(&guard, asks, &twice, Err(Forbidden::Token));
    }
}

#[test]
fn a_token_that_was_made_counts_only_for_requests_to_this_machine() {
    let guard = Guard::Made("t0ken".into());
    for asks in [Asks::Token, Asks::TokenToChange] {
        check(&guard, asks, &[HERE, BEARER, JSON], Ok(()));
        check(&guard, asks, &[AWAY, BEARER, JSON], Err(Forbidden::Host));
        check(&guard, asks, &[BEARER, JSON], Err(Forbidden::Host));
        check(&guard, asks, &[HERE, JSON], Err(Forbidden::Token));
    }
    check(&guard, Asks::TokenIfSet, &[HERE], Ok(()));
    check(&guard, Asks::TokenIfSet, &[AWAY], Err(Forbidden::Host));
}

#[test]
fn without_a_token_nothing_is_changed() {
    for asks in [Asks::Token, Asks::TokenToChange] {
        check(&Guard::Missing, asks, &[HERE, BEARER, JSON], Err(Forbidden::NoToken));
        check(
            &Guard::Missing,
            asks,
            &[HERE, ("authorization", "Bearer "), JSON],
            Err(Forbidden::NoToken),
        );
    }
}

#[test]
fn a_page_of_a_browser_changes_nothing_even_with_the_token() {
    for guard in [Guard::Set("t0ken".into()), Guard::Made("t0ken".into())] {
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://",
            "127.0.0.1:8081",
            "http://127.0.0.1",
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8081.evil.example",
            "http://localhost:8081",
            "ftp://127.0.0.1:8081",
        ] {
            let lines = [HERE, BEARER, JSON, ("origin", origin)];
            check(&guard, Asks::TokenToChange, &lines, Err(Forbidden::Origin));
            check(&guard, Asks::Token, &lines, Err(Forbidden::Origin));
        }
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            let lines = [HERE, BEARER, JSON, ("sec-fetch-site", site)];
            check(&guard, Asks::TokenToChange, &lines, Err(Forbidden::Origin));
            let lines = [HERE, BEARER, JSON, OWN, ("sec-fetch-site", site)];
            check(&guard, Asks::Token, &lines, Err(Forbidden::Origin));
        }
        let twice = [HERE, BEARER, JSON, OWN, ("origin", "http://evil.example")];
        check(&guard, Asks::Token, &twice, Err(Forbidden::Origin));
        let no_host = [BEARER, JSON, OWN];
        check(&guard, Asks::Token, &no_host, Err(Forbidden::Origin));
    }
}

#[test]
fn the_dashboard_may_what_its_reader_has_a_token_for() {
    for guard in [Guard::Set("t0ken".into()), Guard::Made("t0ken".into())] {
        for site in ["same-origin", "none"] {
            let site = ("sec-fetch-site", site);
            check(&guard, Asks::TokenToChange, &[HERE, BEARER, JSON, OWN, site], Ok(()));
            check(&guard, Asks::Token, &[HERE, BEARER, site], Ok(()));
            check(&guard, Asks::Token, &[HERE, OWN, site], Err(Forbidden::Token));
        }
        let behind_tls = ("origin", "https://127.0.0.1:8081");
        check(&guard, Asks::Token, &[HERE, BEARER, behind_tls], Ok(()));
    }
    // A name that is pointed here has the same host in both, and is not this machine's.
    let rebound = [AWAY, BEARER, JSON, ("origin", "http://rebound.example:8081")];
    let guard = Guard::Made("t0ken".into());
    check(&guard, Asks::TokenToChange, &rebound, Err(Forbidden::Host));
}

#[test]
fn what_a_form_can_send_changes_nothing() {
    let guard = Guard::Set("t0ken".into());
    for kind in
        ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "", "text/json"]
    {
        let lines = [HERE, BEARER, ("content-type", kind)];
        check(&guard, Asks::TokenToChange, &lines, Err(Forbidden::Kind));
    }
    check(&guard, Asks::TokenToChange, &[HERE, BEARER], Err(Forbidden::Kind));
    let twice = [HERE, BEARER, JSON, ("content-type", "text/plain")];
    check(&guard, Asks::TokenToChange, &twice, Err(Forbidden::Kind));
    let lines = [HERE, BEARER, ("content-type", "Application/JSON; charset=utf-8")];
    check(&guard, Asks::TokenToChange, &lines, Ok(()));
}

#[test]
fn only_names_that_no_other_machine_can_have_are_here() {
    for host in ["localhost", "LOCALHOST:8081", "127.0.0.1", "127.8.8.8:1", "[::1]", "[::1]:8081"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:127.0.0.1",
        "10.0.0.1",
        "0.0.0.0:8081",
        "[::]:8081",
        "2130706433",
        "localhost:8081:8081",
    ] {
        assert!(!is_loopback(host), "{host}");
    }
}
