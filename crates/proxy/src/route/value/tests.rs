//! Values as operators write them, and as they should not.

use proptest::prelude::*;

use super::*;

fn reading(hipache: Switch) -> Reading {
    let defaults = Arc::new(Route::everything_to(Vec::new(), 64 << 20));
    Reading { defaults, hipache }
}

fn host() -> HostPattern {
    HostPattern::Exact("shop.example.com".to_owned())
}

fn read(value: &str) -> Result<Meaning, String> {
    reading(Switch::Off).meaning(&host(), &Stored::Text(value.into()))
}

fn routes(value: &str) -> Vec<Route> {
    match read(value).unwrap() {
        Meaning::Routes(routes) => routes,
        Meaning::Plain(member) => panic!("{value}: {member}"),
    }
}

fn list(hipache: Switch, entries: &[&str]) -> Result<Meaning, String> {
    let entries = entries.iter().map(|entry| entry.as_bytes().to_vec()).collect();
    reading(hipache).meaning(&host(), &Stored::List(entries))
}

#[test]
fn a_plain_string_is_a_whole_route() {
    let check = |value: &str, member: &str| match read(value).unwrap() {
        Meaning::Plain(found) => assert_eq!(found.to_string(), member, "{value}"),
        Meaning::Routes(_) => panic!("{value}"),
    };
    check("10.0.0.5:3000", "http://10.0.0.5:3000");
    check("127.0.0.1:3000", "http://127.0.0.1:3000");
    check("[::1]:3000", "http://[::1]:3000");
    check("http://10.0.0.5", "http://10.0.0.5:80");
    check("https://shop.internal", "https://shop.internal:443");
    check("h2c://shop.internal:81/", "h2c://shop.internal:81");
    check("Shop.Internal:3000", "http://shop.internal:3000");
    check(" 10.0.0.5:3000\n", "http://10.0.0.5:3000");
}

#[test]
fn a_wrong_string_says_what_was_expected() {
    let check = |value: &str, why: &str| {
        let found = read(value).unwrap_err();
        assert!(found.starts_with(why), "{value}: {found}");
    };
    check("", "it is empty; write host:port");
    check("10.0.0.5", "the port is missing; write host:port");
    check("10.0.0.5:99999", "no port `99999`");
    check("ftp://a", "no scheme `ftp`");
    check("http://a/b", "a member has no path");
    check("http://me:pw@a", "a member has no user name or password");
    check("unix:/run/docker.sock", "`unix:` is not for a route in Redis");
    check("unix:docker.sock", "`unix:` is not for a route in Redis");
    check("https://-a", "no certificate can be for the name `-a`");
    check("a b:80", "a name has no ` `");
    check("{", "it is no JSON: EOF while parsing");
    check(&"a".repeat(VALUE_BYTES_MAX + 1), "it has 65537 bytes; at most 65536");
    let found = reading(Switch::Off).meaning(&host(), &Stored::Text(vec![b'a', 0xff]));
    assert_eq!(found.unwrap_err(), "it is not UTF-8 from byte 1 on");
    let found = reading(Switch::Off).meaning(&host(), &Stored::Other).unwrap_err();
    assert!(found.starts_with("it is neither a string nor a list"), "{found}");
}

#[test]
fn json_has_the_keys_of_a_route_of_the_file() {
    let value = r#"{"to": ["10.0.0.1:80", "10.0.0.2:80"], "stale": "60s", "early_refresh": 0.5,
        "lifetimes": {"200": "5s"}, "key": ["method", "path"], "variants_max": 3,
        "response_fields": {"set": {"x-a": "é\"\\"}}, "upstream": {"read_timeout": "5s"}}"#;
    let refused = read(value).unwrap_err();
    assert!(refused.starts_with("`set` cannot be"), "{refused}");
    let routes = routes(&value.replace('é', "e"));
    let [route] = &routes[..] else { panic!() };
    assert_eq!(route.name, "shop.example.com/");
    assert_eq!(route.host, host());
    assert_eq!(route.upstream.members.len(), 2);
    assert_eq!(route.policy.stale_if_error.as_secs(), 60);
    assert_eq!(route.policy.lifetimes.len(), 1);
    assert_eq!(route.upstream.read_timeout.as_secs(), 5);
    assert_eq!((route.variants_max, route.early_refresh), (3, 0.5));
    assert_eq!(route.response_fields.set[0].1, "e\"\\");
}

#[test]
fn a_list_of_objects_is_one_route_a_path() {
    let routes = routes(r#" [ {"to": "a:1"}, {"path": "/api/", "to": "b:1", "name2": 1} ]"#
        .replace(r#", "name2": 1"#, "")
        .as_str());
    let names: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["shop.example.com/", "shop.example.com/api/"]);
}

#[test]
fn wrong_json_says_what_was_expected() {
    let check = |value: &str, why: &str| {
        let found = read(value).unwrap_err();
        assert!(found.contains(why), "{value}: {found}");
    };
    check(r#"{"too": "a:1"}"#, "did you mean `to`?");
    check(
        r#"{"to": "a:1", "stael": "1s"}"#,
        "unknown key `stael` in `route`; did you mean `stale`?",
    );
    check("{}", "`route` has no `to`");
    check("[]", "it has 0 routes; 1 to 64 are allowed");
    check(r#"["a:1"]"#, "write an object such as");
    check("[[]]", "write an object such as");
    check(r#"{"to": "a:1", "stale": 5}"#, "`stale` cannot be `5`: it is a whole number");
    check(r#"{"to": "a:1", "stale": null}"#, "`stale` is null; leave it out");
    check(r#"{"to": "a:1", "host": "b"}"#, "`host` is not for a route in Redis");
    check(r#"{"to": "a:1", "name": "b"}"#, "`name` is not for a route in Redis");
    check(r#"{"to": "a:1", "skip": {}}"#, "`skip` is not for a route in Redis");
    check(r#"{"to": "a:1", "upstream": {"ca_file": "/etc/passwd"}}"#, "`upstream.ca_file` is not");
    check(r#"{"to": "unix:/run/docker.sock"}"#, "`unix:` is not for a route in Redis");
    check(r#"{"to": "https://-a"}"#, "no certificate can be for the name `-a`");
    check(r#"[{"to": "a:1"}, {"to": "b:1"}]"#, "is never chosen");
    check(r#"{"to": "a:1", "stored_body_bytes_max": "1GiB"}"#, "`stored_body_bytes_max`");
    let many = vec![r#"{"to": "a:1"}"#; 65].join(",");
    check(&format!("[{many}]"), "it has 65 routes");
    let many = vec![r#""a:1""#; 257].join(",");
    check(&format!(r#"{{"to": [{many}]}}"#), "`to` has 257 members; at most 256");
    check(&format!(r#"{{"to": {}1{}}}"#, "[".repeat(100), "]".repeat(100)), "max recursion depth");
}

#[test]
fn a_list_is_hipaches_where_that_is_on() {
    let entries = ["my site", "http://192.168.0.42:80", "http://192.168.0.43:80"];
    let Ok(Meaning::Routes(routes)) = list(Switch::On, &entries) else { panic!() };
    assert_eq!(routes[0].upstream.members.len(), 2);
    assert_eq!(routes[0].name, "shop.example.com/");
    let check = |hipache: Switch, entries: &[&str], why: &str| {
        let found = list(hipache, entries).unwrap_err();
        assert!(found.starts_with(why), "{found}");
    };
    check(Switch::Off, &entries, "it is a list, and `hipache` is \"off\"");
    check(Switch::On, &["my site"], "it is a list of 1 entries");
    check(Switch::On, &[], "it is a list of 0 entries");
    check(Switch::On, &["my site", "ftp://a"], "no scheme `ftp`");
    check(Switch::On, &["my site", "unix:/a"], "`unix:` is not");
}

#[test]
fn what_is_shown_is_one_short_line_without_passwords() {
    let shown = |value: &str| shown(&Stored::Text(value.into()));
    assert_eq!(shown("10.0.0.5:3000"), "10.0.0.5:3000");
    assert_eq!(shown("a\n\tb\x1b[31m"), "a  b [31m");
    assert_eq!(shown("http://me:pw@a"), "http://*****@a");
    assert_eq!(shown(&"ä".repeat(500)), format!("{}…", "ä".repeat(SHOWN_MAX)));
    let list = Stored::List(vec![b"a".to_vec(), b"http://b".to_vec()]);
    assert_eq!(super::shown(&list), "a http://b");
}

proptest! {
    #[test]
    fn no_value_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[\\[{\"to:,. a-z0-9/]{0,40}") {
        for value in [bytes, text.into_bytes()] {
            let stored = Stored::Text(value.clone());
            let _ = reading(Switch::On).meaning(&host(), &stored);
            let _ = super::shown(&stored);
            let _ = reading(Switch::On).meaning(&host(), &Stored::List(vec![value.clone(), value]));
        }
    }

    #[test]
    fn what_a_json_string_says_arrives_as_it_is(text in "[ -~]{1,40}") {
        prop_assume!(text.trim() == text);
        let json = serde_json::json!({"to": "a:1", "request_fields": {"set": {"x-a": text}}});
        let routes = routes(&json.to_string());
        prop_assert_eq!(routes[0].request_fields.set[0].1.to_str().unwrap(), text);
    }
}
