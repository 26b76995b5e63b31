//! What can be said, and what is said about the rest.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Admin, HostPattern, Listen, MemberScheme, MemberSettings, Network};

fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_size_is_a_whole_number_with_a_unit() {
    let check = |text: &str, bytes: u64| assert_eq!(size(text), Ok(bytes), "{text}");
    check("0B", 0);
    check("64KB", 64_000);
    check("64KiB", 65_536);
    check("64 kib", 65_536);
    check("256MiB", 256 << 20);
    check("1GiB", 1 << 30);
    check("2TB", 2_000_000_000_000);
}

#[test]
fn what_is_no_size_is_refused_with_the_form_of_one() {
    let form = "a size is a whole number with a unit, such as 64KiB, 256MiB or 1GB";
    let units = "allowed: `B`, `KB`, `MB`, `GB`, `TB`, `KiB`, `MiB`, `GiB`, `TiB`";
    let check = |text: &str, said: String| assert_eq!(refused(size(text)), said, "{text}");
    check("", format!("it does not begin with a number; {form}"));
    check("-1KiB", format!("it does not begin with a number; {form}"));
    check("256", format!("the unit is missing; {form}"));
    check("1.5GiB", format!("no unit `.5GiB`; {units}"));
    check("1MIBs", format!("no unit `MIBs`; did you mean `MiB`? {units}"));
    check("20000000TiB", "it is too large; at most 16777215TiB".to_owned());
    check("99999999999999999999999B", "it is too large; at most 16777215TiB".to_owned());
}

#[test]
fn a_time_span_is_numbers_with_units_the_longest_first() {
    let check = |text: &str, milliseconds: u64| {
        assert_eq!(span(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    };
    check("0s", 0);
    check("250ms", 250);
    check("10s", 10_000);
    check("5m", 300_000);
    check("1h30m", 5_400_000);
    check("1d", 86_400_000);
    check("1d2h3m4s5ms", 93_784_005);
}

#[test]
fn what_is_no_time_span_is_refused_with_the_form_of_one() {
    let form = "a time span is whole numbers with units, the longest first, such as 250ms, 10s, \
                5m, 1h30m or 1d";
    let check = |text: &str, said: &str| {
        assert_eq!(refused(span(text)), format!("{said}; {form}"), "{text}");
    };
    check("", "a number is missing");
    check("soon", "a number is missing");
    check("60", "the unit is missing");
    check("10s5", "the unit is missing");
    check("1w", "no unit `w`");
    check("1.5h", "no unit `.`");
    check("1s1m", "`m` stands after a unit that is not longer");
    check("1s1s", "`s` stands after a unit that is not longer");
    assert_eq!(refused(span("3651d")), "it is too long; at most 3650d");
    assert_eq!(refused(span("99999999999999999999999d")), "it is too long; at most 3650d");
}

#[test]
fn a_listener_is_an_address_with_a_port_or_a_unix_socket() {
    let check = |text: &str, place: Listen| assert_eq!(listen(text), Ok(place), "{text}");
    check("127.0.0.1:8080", Listen::Tcp("127.0.0.1:8080".parse().unwrap()));
    check("[::1]:8080", Listen::Tcp("[::1]:8080".parse().unwrap()));
    check("unix:/run/forebay.sock", Listen::Unix(PathBuf::from("/run/forebay.sock")));
}

#[test]
fn what_is_no_listener_is_refused_with_the_forms_of_one() {
    let form = "write an address and a port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80, or \
                unix:/path";
    let check = |text: &str, said: &str| {
        assert_eq!(refused(listen(text)), format!("{said}; {form}"), "{text}");
    };
    check("", "it is no address with a port");
    check("8080", "it is no address with a port");
    check(":8080", "it is no address with a port");
    check("localhost:8080", "it is no address with a port");
    check("127.0.0.1", "the port is missing");
    check("::1", "the port is missing");
    check("127.0.0.1:65536", "it is no address with a port");
    let said = refused(listen("unix:run/x"));
    assert_eq!(said, "the socket's path does not begin with `/`; write unix:/path");
    let said = refused(listen(&format!("unix:/{}", "x".repeat(103))));
    assert_eq!(said, "no system takes such a path; at most 103 bytes, none of them zero");
}

#[test]
fn the_admin_listener_is_an_address_or_off() {
    assert_eq!(admin("off"), Ok(Admin::Off));
    assert_eq!(admin("[::1]:1"), Ok(Admin::At("[::1]:1".parse().unwrap())));
    assert_eq!(
        refused(admin("on")),
        "it is no address with a port; write an address such as 127.0.0.1:8081 or [::1]:8081, or \
         `off`"
    );
}

#[test]
fn a_member_is_a_url_without_path_or_a_host_with_a_port() {
    let check = |text: &str, scheme: MemberScheme, host: &str, port: u16| {
        let host = host.to_owned();
        assert_eq!(member(text), Ok(MemberSettings { scheme, host, port, weight: 1 }), "{text}");
    };
    check("http://localhost:3000", MemberScheme::Http, "localhost", 3000);
    check("HTTP://LocalHost:3000/", MemberScheme::Http, "localhost", 3000);
    check("http://example.com", MemberScheme::Http, "example.com", 80);
    check("https://example.com.", MemberScheme::Https, "example.com", 443);
    check("h2c://[::1]:50051", MemberScheme::H2c, "::1", 50051);
    check("http://[::1]", MemberScheme::Http, "::1", 80);
    check("localhost:3000", MemberScheme::Http, "localhost", 3000);
    check("unix:/run/app.sock", MemberScheme::Unix, "/run/app.sock", 0);
}

#[test]
fn what_is_no_member_is_refused_with_the_forms_of_one() {
    let form = "write http://host:port, https://host, h2c://host:port, unix:/path or host:port";
    let check = |text: &str, said: &str| {
        assert_eq!(refused(member(text)), format!("{said}; {form}"), "{text}");
    };
    check("", "the port is missing");
    check("localhost", "the port is missing");
    check("ftp://localhost", "no scheme `ftp`");
    check("http://", "the host is missing");
    check("http://:80", "the host is missing");
    check("http://user:word@example.com", "a member has no user name or password");
    check("http://example.com/app", "a member has no path: the client's path is sent on");
    check("http://example.com?x", "a member has no path: the client's path is sent on");
    check("http://[::1", "no IPv6 address `[::1`");
    check("http://a..b", "a part of the name between its dots is empty");
    check("http://a b", "a name has no ` `");
    check("http://bücher.de", "a name has no `ü`; other scripts are written as xn--… (RFC 5891)");
    assert_eq!(refused(member("http://a:0")), "no port `0`; a port is 1 to 65535");
    assert_eq!(refused(member("http://a:+1")), "no port `+1`; a port is 1 to 65535");
    assert_eq!(refused(member("a:99999")), "no port `99999`; a port is 1 to 65535");
}

#[test]
fn a_network_is_an_address_or_a_range_from_its_first_address() {
    let check = |text: &str, address: &str, prefix_bits: u8| {
        let address = address.parse().unwrap();
        assert_eq!(network(text), Ok(Network { address, prefix_bits }), "{text}");
    };
    check("10.0.0.0/8", "10.0.0.0", 8);
    check("0.0.0.0/0", "0.0.0.0", 0);
    check("127.0.0.1", "127.0.0.1", 32);
    check("::1", "::1", 128);
    check("fd00::/8", "fd00::", 8);
    let form = "write an address such as ::1, or a range such as 10.0.0.0/8";
    assert_eq!(refused(network("lan")), format!("it is no address; {form}"));
    assert_eq!(refused(network("1.1.1.1/33")), format!("the prefix is not 0 to 32; {form}"));
    assert_eq!(refused(network("::/129")), format!("the prefix is not 0 to 128; {form}"));
    let said = "bits are set beyond the first 8; did you mean 10.0.0.0/8?";
    assert_eq!(refused(network("10.1.2.3/8")), said);
}

#[test]
fn a_host_is_a_name_a_wildcard_or_any() {
    let check = |text: &str, pattern: HostPattern| assert_eq!(host(text), Ok(pattern), "{text}");
    check("*", HostPattern::Any);
    check("Example.COM.", HostPattern::Exact("example.com".to_owned()));
    check("*.example.com", HostPattern::Below("example.com".to_owned()));
    check("[::0:1]", HostPattern::Exact("[::1]".to_owned()));
    let form = "write a name such as example.com, *.example.com, or * for every host";
    let refused = |text: &str, said: &str| {
        assert_eq!(refused(host(text)), format!("{said}; {form}"), "{text}");
    };
    refused("", "the host is missing");
    refused("example.com:80", "hosts are compared without their port");
    refused("http://example.com", "a host has no scheme and no path");
    refused("a.*.com", "`*` stands only alone or as the whole first part of a name");
    refused("*.", "the host is missing");
    refused(&"a".repeat(254), "a name has at most 253 bytes");
}

#[test]
fn a_path_prefix_is_what_a_path_can_begin_with() {
    assert_eq!(path_prefix("/api/"), Ok("/api/".to_owned()));
    let form = "write a prefix such as / or /api/, as a client sends it";
    let said = refused(path_prefix("api"));
    assert_eq!(said, format!("it does not begin with `/`; {form}"));
    let said = refused(path_prefix("/a?b"));
    assert_eq!(said, format!("no path has `?`, so it never matches; {form}"));
    let said = refused(path_prefix("/ä"));
    assert_eq!(said, format!("no path has `\\u{{e4}}`, so it never matches; {form}"));
    assert_eq!(refused(path_prefix(&"/".repeat(1025))), "it is too long; at most 1024 bytes");
}

#[test]
fn a_mistyped_word_is_answered_with_all_words() {
    assert_eq!(access_log("json"), Ok(AccessLog::Json));
    let said = "no such word; did you mean `json`? allowed: `off`, `text`, `json`";
    assert_eq!(refused(access_log("jsn")), said);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = (size(&text), span(&text), listen(&text), admin(&text), member(&text));
        let _ = (network(&text), host(&text), path_prefix(&text), access_log(&text));
    }

    #[test]
    fn no_text_of_likely_characters_panics(text in "[0-9a-z:/.\\[\\]*@ mskKiB]{0,20}") {
        let _ = (size(&text), span(&text), listen(&text), admin(&text), member(&text));
        let _ = (network(&text), host(&text), path_prefix(&text));
    }

    #[test]
    fn a_size_is_read_as_it_is_written(bytes: u64) {
        prop_assert_eq!(size(&in_bytes(bytes)), Ok(bytes));
    }

    #[test]
    fn a_time_span_is_read_as_it_is_written(milliseconds in 0..315_360_000_000_u64) {
        let time = Duration::from_millis(milliseconds);
        prop_assert_eq!(span(&in_time(time)), Ok(time));
    }
}
