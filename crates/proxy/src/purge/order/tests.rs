use forebay_cache::mechanism::{
    Belongs, Bounds, Epoch, LogEntry, Position, Rules, Timestamp, Verdict,
};
use forebay_semantics::Policy;
use forebay_semantics::Tags;
use http::{HeaderName, HeaderValue};

use super::*;

fn key_of(parts: &TargetParts<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    Template::default().key(parts, &Method::GET, &HeaderMap::new(), None, &mut key);
    key
}

/// Whether a response of this URL with these tags is spared by an order.
fn is_spared(order: &Order, url: &str, tags: &[(&'static str, &'static str)]) -> bool {
    let uri: Uri = url.parse().unwrap();
    let scheme = if uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http };
    let key = key_of(&TargetParts::of(scheme, &uri, &HeaderMap::new()).unwrap());
    let fields = tags
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
    let tags = Tags::of(&fields.collect(), &Policy::default()).unwrap();
    let mut rules = Rules::new(Bounds::default());
    rules.begin(Position::start_of(7));
    for (rule, number) in order.rules(key_of).unwrap().into_iter().zip(1..) {
        let at = Timestamp::from_millis(5);
        rules.apply(&LogEntry { number, token: number, previous: number - 1, at, rule });
    }
    let mut belongs = Belongs::new();
    groups::belongs(&key, Some(&tags), &mut belongs);
    rules.judge(Epoch::new(7, 0, 0), &belongs) == Verdict::Alive
}

fn order(json: &str) -> Order {
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_url_is_purged_under_both_schemes_and_nothing_beside_it() {
    let order = order(r#"{"urls": ["https://Shop.example.com./a?x=1"]}"#);
    assert!(!is_spared(&order, "https://shop.example.com/a?x=1", &[]));
    assert!(!is_spared(&order, "http://shop.example.com/a?x=1", &[]));
    for other in [
        "http://shop.example.com/a",
        "http://shop.example.com/a?x=2",
        "http://shop.example.com:8080/a?x=1",
        "http://other.example.com/a?x=1",
    ] {
        assert!(is_spared(&order, other, &[]), "{other}");
    }
}

#[test]
fn a_prefix_is_one_of_bytes_on_one_port() {
    for written in ["http://a.example/shop/", "http://a.example/shop/*"] {
        let order = order(&format!(r#"{{"prefixes": ["{written}"]}}"#));
        assert!(!is_spared(&order, "https://a.example/shop/", &[]));
        assert!(!is_spared(&order, "http://a.example/shop/x?y", &[]));
        assert!(is_spared(&order, "http://a.example/shop", &[]));
        assert!(is_spared(&order, "http://a.example:81/shop/x", &[]));
    }
}

#[test]
fn a_host_is_purged_on_all_ports_and_everything_everywhere() {
    let host = order(r#"{"hosts": ["A.example"]}"#);
    assert!(!is_spared(&host, "http://a.example:81/x", &[]));
    assert!(is_spared(&host, "http://b.a.example/x", &[]));
    let address = order(r#"{"hosts": ["[::1]"]}"#);
    assert!(!is_spared(&address, "http://[::1]:81/x", &[]));
    assert!(!is_spared(&order(r#"{"all": true}"#), "http://a.example/", &[]));
}

#[test]
fn a_tag_is_purged_wherever_it_was_said() {
    let order = order(r#"{"tags": ["sale", "two words"]}"#);
    assert!(!is_spared(&order, "http://a/", &[("surrogate-key", "red sale")]));
    assert!(!is_spared(&order, "http://b/", &[("cache-tag", "red, two words")]));
    assert!(!is_spared(&order, "http://b/", &[("cache-groups", "\"sale\"")]));
    assert!(is_spared(&order, "http://a/", &[("surrogate-key", "sales two words")]));
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_done() {
    let check = |json: &str, expected: &str| {
        let refused = order(json).rules(key_of).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    };
    check("{}", "cannot purge: the order names nothing");
    check(
        r#"{"urls": ["/a"]}"#,
        "cannot purge the URL `/a`: it has no scheme and host; write https://example.com/a",
    );
    check(
        r#"{"urls": ["http://a/*"]}"#,
        "cannot purge the URL `http://a/*`: a URL is one; purge a prefix to purge what begins so",
    );
    check(
        r#"{"urls": ["ftp://a/"]}"#,
        "cannot purge the URL `ftp://a/`: its scheme is neither http nor https",
    );
    check(
        r#"{"prefixes": ["http://a/?b"]}"#,
        "cannot purge the prefix `http://a/?b`: a prefix is one of paths, and has no query",
    );
    check(
        r#"{"hosts": ["a:80"]}"#,
        "cannot purge the host `a:80`: a host is a name or an address; it is purged on all its ports",
    );
    check(r#"{"tags": [""]}"#, "cannot purge: no response has such a tag");
    let many = Order { tags: vec!["a".to_owned(); ORDER_MAX], all: true, ..Order::default() };
    assert!(many.rules(key_of).is_err());
    assert!(serde_json::from_str::<Order>(r#"{"url": ["http://a/"]}"#).is_err());
}
