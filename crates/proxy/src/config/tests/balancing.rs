//! Members with weights, and what is said of the choice among them.

use std::time::Duration;

use http::StatusCode;

use super::*;

fn weights(to: &str) -> Vec<(String, u32)> {
    let config = fine(&format!("[[route]]\nto = {to}\n"));
    let members = config.routes[0].upstream.members.iter();
    members.map(|member| (member.to_string(), member.weight)).collect()
}

fn refused(lines: &str, said: &str) {
    let to = if lines.contains("to =") { "" } else { "to = \"a:1\"" };
    assert_eq!(problems(&format!("[[route]]\n{to}\n{lines}\n")), format!("f:{said}\n"), "{lines}");
}

#[test]
fn a_member_is_a_text_or_a_table_with_a_weight() {
    let two = vec![("http://a:80".to_owned(), 3), ("http://b:3000".to_owned(), 1)];
    assert_eq!(weights(r#"[{ url = "http://a", weight = 3 }, "b:3000"]"#), two);
    assert_eq!(weights(r#"{ url = "unix:/run/a" }"#), [("unix:/run/a".to_owned(), 1)]);
    assert_eq!(weights(r#"{ url = "a:1", weight = 1000 }"#), [("http://a:1".to_owned(), 1000)]);
}

#[test]
fn a_member_that_cannot_be_is_refused() {
    refused(
        r#"to = { url = "a:1", weight = 0 }"#,
        "3:30: `weight` cannot be `0`: it is too small; allowed: 1 to 1000",
    );
    refused(
        r#"to = { url = "a:1", wieght = 2 }"#,
        "3:21: unknown key `wieght` in `to`; did you mean `weight`? known here: `url`, `weight`",
    );
    refused(
        "to = { weight = 2 }",
        "3:6: a member of `to` has no `url`; write { url = \"http://10.0.0.5:3000\", weight = 2 }",
    );
    refused(
        r#"to = [{ url = "a" }, "b:1"]"#,
        "3:15: `to` cannot be `\"a\"`: the port is missing; write http://host:port, https://host, \
         h2c://host:port, unix:/path or host:port",
    );
    refused("to = []", "3:6: `to` is empty");
}

#[test]
fn the_choice_is_read_with_its_ejection() {
    let config = fine(
        "[defaults.upstream]\nbalance = \"hash\"\nslow_start = \"0s\"\n\
         [defaults.upstream.ejection]\nfailures = 3\nfor = \"1s\"\n\
         [[route]]\nhost = \"a\"\nto = \"a:1\"\n\
         [[route]]\nhost = \"b\"\nto = \"a:1\"\n[route.upstream]\nbalance = \"power-of-two\"\n\
         ejection = { share_max = 1, statuses = 500, for_max = \"2s\" }\n",
    );
    let [a, b] = &config.routes[..] else { panic!("two routes") };
    assert_eq!((a.upstream.balance, a.upstream.slow_start), (Balance::Hash, Duration::ZERO));
    assert_eq!((b.upstream.balance, b.upstream.slow_start), (Balance::PowerOfTwo, Duration::ZERO));
    let defaults = Ejection { failures: 3, time: Duration::from_secs(1), ..Ejection::default() };
    assert_eq!(a.upstream.ejection, defaults);
    let statuses = vec![StatusCode::INTERNAL_SERVER_ERROR];
    let time_max = Duration::from_secs(2);
    assert_eq!(b.upstream.ejection, Ejection { share_max: 1.0, statuses, time_max, ..defaults });
    let none = fine("[[route]]\nto = \"a:1\"\nupstream.ejection.statuses = []\n");
    assert!(none.routes[0].upstream.ejection.statuses.is_empty());
}

#[test]
fn a_choice_that_cannot_be_is_refused() {
    refused(
        "upstream.balance = \"round-robbin\"",
        "3:20: `balance` cannot be `\"round-robbin\"`: no such word; did you mean `round-robin`? \
         allowed: `round-robin`, `least-requests`, `power-of-two`, `hash`",
    );
    refused(
        "upstream.ejection.share_max = 1.5",
        "3:31: `share_max` cannot be `1.5`: it is out of bounds; allowed: 0.0 to 1.0",
    );
    refused(
        "upstream.ejection.share_max = nan",
        "3:31: `share_max` cannot be `nan`: it is out of bounds; allowed: 0.0 to 1.0",
    );
    refused(
        "upstream.ejection.failures = 0",
        "3:30: `failures` cannot be `0`: it is too small; allowed: 1 to 1000",
    );
    refused(
        "upstream.ejection.for = \"10ms\"",
        "3:25: `for` cannot be `\"10ms\"`: it is too short; allowed: 100ms to 1h",
    );
    refused(
        "upstream.ejection.statuses = [200]",
        "3:31: `statuses` cannot be `200`: it is too small; allowed: 400 to 599",
    );
    refused(
        "upstream.ejection = { for = \"10s\", for_max = \"5s\" }",
        "3:21: `for_max` is shorter than `for`, the time of the first ejection",
    );
    refused(
        "upstream.ejection.form = 1",
        "3:19: unknown key `form` in `ejection`; did you mean `for`? known here: `failures`, \
         `for`, `for_max`, `share_max`, `statuses`",
    );
}
