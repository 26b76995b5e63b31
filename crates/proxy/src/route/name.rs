//! The names under which routes are known: host patterns, as keys of Redis and of the table.
//!
//! In the table `shop.example.com` stands for itself, `.example.com` for `*.example.com`, and `.` for
//! `*`, so that every wildcard of a host is a piece of the host itself. Nothing becomes a key of Redis
//! but a host that was checked byte by byte.

use std::net::Ipv4Addr;

use crate::config::{HostPattern, text};

/// The name of the route for every host.
pub const ANY: &str = ".";

/// Wildcards that are looked for above one host: the shortest, where it has more.
pub const WILDCARDS_MAX: usize = 8;

/// The name of a pattern in the table.
pub fn of_pattern(pattern: &HostPattern) -> Box<str> {
    match pattern {
        HostPattern::Any => ANY.into(),
        HostPattern::Exact(host) => host.as_str().into(),
        HostPattern::Below(host) => format!(".{host}").into(),
    }
}

/// The pattern of a name.
pub fn pattern(name: &str) -> HostPattern {
    match name.strip_prefix('.') {
        None => HostPattern::Exact(name.to_owned()),
        Some("") => HostPattern::Any,
        Some(host) => HostPattern::Below(host.to_owned()),
    }
}

/// The name's key in Redis.
pub fn key(prefix: &str, name: &str) -> Vec<u8> {
    let star = if name.starts_with('.') { "*" } else { "" };
    let name = if name == ANY { "" } else { name };
    [prefix, star, name].concat().into_bytes()
}

/// The name whose key this is; none for any other key.
pub fn of_key(prefix: &str, key: &[u8]) -> Option<Box<str>> {
    let written = std::str::from_utf8(key.strip_prefix(prefix.as_bytes())?).ok()?;
    let name = of_pattern(&text::host(written).ok()?);
    // A key in capitals, or with a trailing dot, is not one that is ever asked for.
    (self::key(prefix, &name) == key).then_some(name)
}

/// The names that can hold a route for a host, the most exact first. None where no name of the table
/// can be like it.
pub fn names_for(host: &str) -> impl Iterator<Item = &str> {
    let exact = exact(host);
    exact.into_iter().chain(wildcards_for(host)).chain(exact.map(|_| ANY))
}

/// The name of exactly this host, where it can be one.
pub fn exact(host: &str) -> Option<&str> {
    is_name(host).then_some(host)
}

/// The names of the wildcards that cover a host, the longest first. An address has none.
pub fn wildcards_for(host: &str) -> impl Iterator<Item = &str> {
    let is_address = host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok();
    let dots = if is_address || !is_name(host) { 0 } else { host.matches('.').count() };
    let left_out = dots.saturating_sub(WILDCARDS_MAX);
    host.match_indices('.').take(dots).skip(left_out).map(|(at, _)| &host[at..])
}

/// Whether it can be a key at all: no part of it between its dots is empty.
fn is_name(host: &str) -> bool {
    let is_part_empty = |pair: &[u8]| pair == b"..";
    !host.is_empty() && !host.starts_with('.') && !host.as_bytes().windows(2).any(is_part_empty)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(host: &str) -> Vec<&str> {
        names_for(host).collect()
    }

    #[test]
    fn a_host_is_looked_for_itself_then_below_each_of_its_names_then_anywhere() {
        assert_eq!(names("a.b.com"), ["a.b.com", ".b.com", ".com", "."]);
        assert_eq!(names("localhost"), ["localhost", "."]);
        assert_eq!(names("10.0.0.1"), ["10.0.0.1", "."]);
        assert_eq!(names("[::1]"), ["[::1]", "."]);
        assert!(["", ".a.com", "a..com"].into_iter().all(|host| names(host).is_empty()));
    }

    #[test]
    fn of_too_many_wildcards_the_shortest_are_looked_for() {
        let host = "l.k.j.i.h.g.f.e.d.c.b.a";
        let names = names(host);
        assert_eq!(names.len(), WILDCARDS_MAX + 2);
        assert_eq!(names[..2], [host, ".h.g.f.e.d.c.b.a"]);
        assert_eq!(names[WILDCARDS_MAX..], [".a", "."]);
    }

    #[test]
    fn a_key_is_the_prefix_and_the_pattern() {
        let check = |written: &str, name: &str| {
            assert_eq!(of_key("r:", format!("r:{written}").as_bytes()).as_deref(), Some(name));
            assert_eq!(key("r:", name), format!("r:{written}").into_bytes());
            assert_eq!(of_pattern(&pattern(name)).as_ref(), name);
        };
        check("a.com", "a.com");
        check("*.a.com", ".a.com");
        check("*", ".");
        check("[::1]", "[::1]");
        for other in ["a.com", "r:A.com", "r:a.com.", "r:a/b", "r:", "r:a.com:80", "r:[::01]"] {
            assert_eq!(of_key("r:", other.as_bytes()), None, "{other}");
        }
        assert_eq!(of_key("", b"\xff"), None);
    }

    proptest! {
        #[test]
        fn every_name_of_a_host_has_a_key_that_leads_back(host in "[a-z0-9_-]{1,8}(\\.[a-z0-9]{1,4}){0,12}") {
            for name in names_for(&host) {
                let back = of_key("p:", &key("p:", name));
                prop_assert_eq!(back.as_deref(), Some(name));
            }
        }

        #[test]
        fn no_key_panics(key in prop::collection::vec(any::<u8>(), 0..40), host in "\\PC{0,40}") {
            let _ = of_key("", &key);
            let _ = names_for(&host).count();
        }
    }
}
