//! What is said of health checks, of retries, and of requests at once.

use std::time::Duration;

use super::*;

fn refused(lines: &str, said: &str) {
    let text = format!("[[route]]\nto = \"a:1\"\n{lines}\n");
    assert_eq!(problems(&text), format!("f:{said}\n"), "{lines}");
}

#[test]
fn health_checks_are_read_and_a_route_says_what_is_different() {
    let config = fine(
        "[defaults.upstream.health]\npath = \"/well?a=b\"\nmethod = \"HEAD\"\nexpect = [204, \"2xx\", \"300-301\"]\n\
         [[route]]\nhost = \"a\"\nto = \"a:1\"\n[route.upstream.health]\ninterval = \"1s\"\nhost = \"b:80\"\n\
         [[route]]\nhost = \"b\"\nto = \"a:1\"\nupstream.health = \"off\"\n",
    );
    let [a, b] = &config.routes[..] else { panic!("two routes") };
    let range = |first, last| StatusRange {
        first: http::StatusCode::from_u16(first).unwrap(),
        last: http::StatusCode::from_u16(last).unwrap(),
    };
    let expected = HealthSettings {
        method: HealthMethod::Head,
        interval: Duration::from_secs(1),
        expect: vec![range(204, 204), range(200, 299), range(300, 301)],
        host: Some("b:80".to_owned()),
        ..HealthSettings::of("/well?a=b".to_owned())
    };
    assert_eq!(a.upstream.health.as_ref(), Some(&expected));
    assert_eq!(b.upstream.health, None);
}

#[test]
fn a_check_that_cannot_be_is_refused() {
    refused(
        "upstream.health = { interval = \"1s\" }",
        "3:19: `health` has no `path` to ask for; write `path = \"/health\"`",
    );
    refused(
        "upstream.health = true",
        "3:19: `health` cannot be `true`: it is a boolean; allowed: \"off\" or a table such as \
         { path = \"/health\" }",
    );
    let no_path = "it is no path; write one such as /health, in visible ASCII";
    for path in ["health", "/a b", "/a#b", "http://a/", ""] {
        refused(
            &format!("upstream.health.path = \"{path}\""),
            &format!("3:24: `path` cannot be `\"{path}\"`: {no_path}"),
        );
    }
    refused("upstream.health = { path = \"/\", expect = [] }", "3:42: `expect` is empty");
    refused(
        "upstream.health = { path = \"/\", expect = 100 }",
        "3:42: `expect` cannot be `100`: it is too small; allowed: 200 to 599",
    );
    refused(
        "upstream.health = { path = \"/\", interval = \"1ms\" }",
        "3:44: `interval` cannot be `\"1ms\"`: it is too short; allowed: 100ms to 1h",
    );
    refused(
        "upstream.health = { path = \"/\", healthy_after = 0 }",
        "3:49: `healthy_after` cannot be `0`: it is too small; allowed: 1 to 100",
    );
    refused(
        "upstream.health = { path = \"/\", host = \"a/b\" }",
        "3:40: `host` cannot be `\"a/b\"`: it is no host; write a name such as example.com, with or \
         without a port",
    );
}

#[test]
fn retries_and_requests_at_once_are_read() {
    let config = fine(
        "[[route]]\nto = \"a:1\"\n[route.upstream]\nretries = 0\nretry_statuses = [503, 429]\n\
         requests_max = 8\nqueue_max = 0\nqueue_timeout = \"10ms\"\nserver_name = \"shop.internal\"\n",
    );
    let upstream = &config.routes[0].upstream;
    let statuses: Vec<u16> = upstream.retry_statuses.iter().map(|one| one.as_u16()).collect();
    assert_eq!((upstream.retries, &*statuses), (0, &[503, 429][..]));
    assert_eq!((upstream.requests_max, upstream.queue_max), (Some(8), 0));
    assert_eq!(upstream.queue_timeout, Duration::from_millis(10));
    assert_eq!(upstream.server_name.as_deref(), Some("shop.internal"));
    let off = fine("[[route]]\nto = \"a:1\"\nupstream.requests_max = \"off\"\n");
    assert_eq!(off.routes[0].upstream.requests_max, None);
}

#[test]
fn retries_that_cannot_be_are_refused() {
    refused(
        "upstream.retries = 9",
        "3:20: `retries` cannot be `9`: it is too large; allowed: 0 to 8",
    );
    refused(
        "upstream.retry_statuses = [200]",
        "3:28: `retry_statuses` cannot be `200`: it is too small; allowed: 400 to 599",
    );
    refused(
        "upstream.requests_max = 0",
        "3:25: `requests_max` cannot be `0`: it is too small; allowed: 1 to 1000000",
    );
    refused(
        "upstream.server_name = \"a b\"",
        "3:24: `server_name` cannot be `\"a b\"`: no certificate has it; write a name such as \
         origin.example.com",
    );
}
