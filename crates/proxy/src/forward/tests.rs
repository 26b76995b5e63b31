use super::*;
use crate::upstream::{Said, spread};

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    fields
}

fn hop(trust: Trust) -> Hop<'static> {
    Hop {
        client: Some("192.0.2.7:4711".parse().unwrap()),
        trust,
        scheme: "http",
        authority: "shop.example:8080",
        version: Version::HTTP_11,
        name: "forebay",
        node: "n1",
    }
}

/// What the origin is sent, all in one map.
fn sent(client: &HeaderMap, hop: &Hop<'_>) -> HeaderMap {
    let mut request = http::Request::new(());
    let present = Present::of(client);
    *request.headers_mut() = passing_fields(client, present, hop.trust);
    request.extensions_mut().insert(Said { host: None, lines: said(client, present, hop) });
    std::mem::take(spread(&mut request))
}

fn check(trust: Trust, client: &[(&'static str, &str)], name: &str, expected: Option<&str>) {
    let sent = sent(&fields(client), &hop(trust));
    let found = sent.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(found, expected, "{name} from {client:?} by {trust:?}");
    assert!(sent.get_all(name).iter().count() <= 1 || name == "cookie", "{name} once");
}

#[test]
fn forwarding_fields_are_appended_for_listed_peers_and_replaced_for_strangers() {
    let client = [("x-forwarded-for", "10.9.8.7"), ("forwarded", "for=10.9.8.7")];
    check(Trust::Listed, &client, "x-forwarded-for", Some("10.9.8.7, 192.0.2.7"));
    check(Trust::Stranger, &client, "x-forwarded-for", Some("192.0.2.7"));
    let ours = "for=192.0.2.7;host=\"shop.example:8080\";proto=http";
    check(Trust::Stranger, &client, "forwarded", Some(ours));
    check(Trust::Listed, &client, "forwarded", Some(&format!("for=10.9.8.7, {ours}")));
}

#[test]
fn an_address_is_said_as_each_field_writes_it() {
    let check = |client: Option<&str>, plain: &str, in_forwarded: &str| {
        let client = client.map(|address| address.parse().unwrap());
        let sent = sent(&HeaderMap::new(), &Hop { client, ..hop(Trust::Stranger) });
        assert_eq!(sent["x-forwarded-for"], plain);
        let rest = ";host=\"shop.example:8080\";proto=http";
        assert_eq!(sent["forwarded"], format!("for={in_forwarded}{rest}"), "{client:?}");
    };
    check(Some("192.0.2.7:1"), "192.0.2.7", "192.0.2.7");
    check(Some("255.10.0.1:1"), "255.10.0.1", "255.10.0.1");
    check(Some("[2001:db8::7]:1"), "2001:db8::7", "\"[2001:db8::7]\"");
    check(None, "unknown", "unknown");
}

#[test]
fn what_renames_the_target_never_passes() {
    for name in RENAMING {
        let client = [(name, "evil.example")];
        let ours = match name {
            "x-forwarded-host" => Some("shop.example:8080"),
            "x-forwarded-proto" => Some("http"),
            _ => None,
        };
        check(Trust::Stranger, &client, name, ours);
        check(Trust::Listed, &client, name, ours);
    }
    check(Trust::Listed, &[("x_forwarded_host", "evil.example")], "x_forwarded_host", None);
}

#[test]
fn who_asked_is_said_by_listed_peers_alone() {
    for name in NAMING_THE_CLIENT {
        check(Trust::Stranger, &[(name, "192.0.2.9")], name, None);
        check(Trust::Listed, &[(name, "192.0.2.9")], name, Some("192.0.2.9"));
    }
}

#[test]
fn fields_that_do_not_pass_are_listed_in_order() {
    assert!(RENAMING.is_sorted() && NAMING_THE_CLIENT.is_sorted());
}

#[test]
fn hop_by_hop_fields_and_those_named_by_connection_stay_here() {
    let client = [("connection", "close, X-Secret"), ("x-secret", "1"), ("x-open", "2")];
    check(Trust::Stranger, &client, "connection", None);
    check(Trust::Stranger, &client, "x-secret", None);
    check(Trust::Stranger, &client, "x-open", Some("2"));
    check(Trust::Stranger, &[("te", "gzip, trailers")], "te", Some("trailers"));
    check(Trust::Stranger, &[("te", "gzip")], "te", None);
    check(Trust::Stranger, &[("expect", "100-continue")], "expect", None);
}

#[test]
fn naming_our_own_fields_hop_by_hop_does_not_remove_them() {
    let client = [("connection", "x-forwarded-for, via, cdn-loop"), ("via", "1.1 edge")];
    check(Trust::Stranger, &client, "x-forwarded-for", Some("192.0.2.7"));
    check(Trust::Stranger, &client, "via", Some("1.1 edge, 1.1 forebay"));
    check(Trust::Stranger, &client, "cdn-loop", Some("forebay; node=n1"));
}

#[test]
fn a_request_that_came_round_is_a_loop() {
    let check = |lines: &[(&'static str, &str)], expected: bool| {
        assert_eq!(is_loop(&fields(lines), "forebay", "n1"), expected, "{lines:?}");
    };
    check(&[], false);
    check(&[("cdn-loop", "forebay; node=n2")], false);
    check(&[("cdn-loop", "other, forebay; node=n1")], true);
    check(&[("cdn-loop", "a"), ("cdn-loop", "forebay; node=n1")], true);
    check(&[("cdn-loop", &"a,".repeat(HOPS_MAX - 1))], false);
    check(&[("cdn-loop", &"a,".repeat(HOPS_MAX))], true);
    check(&[("via", &"1.1 a,".repeat(HOPS_MAX))], true);
}

#[test]
fn a_network_holds_what_its_leading_bits_say() {
    let check = |network: (&str, u8), address: &str, expected: bool| {
        let network = Network { address: network.0.parse().unwrap(), prefix_bits: network.1 };
        assert_eq!(network.holds(address.parse().unwrap()), expected, "{network:?} {address}");
    };
    check(("10.0.0.0", 8), "10.200.3.4", true);
    check(("10.0.0.0", 8), "11.0.0.0", false);
    check(("10.0.0.1", 32), "10.0.0.1", true);
    check(("10.0.0.1", 32), "10.0.0.2", false);
    check(("0.0.0.0", 0), "203.0.113.9", true);
    check(("0.0.0.0", 0), "2001:db8::1", false);
    check(("10.0.0.0", 8), "::ffff:10.1.2.3", true);
    check(("2001:db8::", 32), "2001:db8:7::1", true);
    check(("2001:db8::", 32), "2001:db9::1", false);
    check(("::", 0), "2001:db9::1", true);
}

#[test]
fn an_upgrade_is_wished_only_when_connection_names_it() {
    let check = |version, lines: &[(&'static str, &str)], expected: bool| {
        let wish = upgrade_wish(&Method::GET, version, &fields(lines));
        assert_eq!(wish.is_some(), expected, "{lines:?}");
    };
    let both = [("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")];
    check(Version::HTTP_11, &both, true);
    check(Version::HTTP_10, &both, false);
    check(Version::HTTP_11, &both[..1], false);
    check(Version::HTTP_11, &both[1..], false);
    for protocol in ["h2c", "H2C", "HTTP/2.0", "TLS/1.0, HTTP/1.1", "websocket, h2c"] {
        check(Version::HTTP_11, &[both[0], ("upgrade", protocol)], false);
    }
}
