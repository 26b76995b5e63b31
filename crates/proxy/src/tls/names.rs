//! Which certificate is shown to whom: by the host that a client asks for (RFC 6066 section 3). Pure.

use std::collections::HashMap;

use crate::config::HostPattern;

/// What is found by host: the name itself, then the wildcard one label above it (RFC 6125 section
/// 6.4.3), in that order. Hosts are in lower case without a trailing dot.
#[derive(Debug)]
pub(super) struct ByHost<T> {
    exact: HashMap<String, T>,
    below: HashMap<String, T>,
}

impl<T> Default for ByHost<T> {
    fn default() -> Self {
        ByHost { exact: HashMap::new(), below: HashMap::new() }
    }
}

impl<T> ByHost<T> {
    /// Adds what is shown for these hosts. What was added first stays.
    pub(super) fn add(&mut self, patterns: &[HostPattern], one: &T)
    where
        T: Clone,
    {
        for pattern in patterns {
            match pattern {
                HostPattern::Exact(host) => {
                    self.exact.entry(host.clone()).or_insert_with(|| one.clone());
                }
                HostPattern::Below(parent) => {
                    self.below.entry(parent.clone()).or_insert_with(|| one.clone());
                }
                HostPattern::Any => {}
            }
        }
    }

    /// What is shown for this host.
    pub(super) fn find(&self, host: &str) -> Option<&T> {
        self.exact.get(host).or_else(|| self.below.get(parent(host)?))
    }
}

/// Whether one of these patterns is for the host. A wildcard holds exactly one label.
pub(super) fn covers(patterns: &[HostPattern], host: &str) -> bool {
    patterns.iter().any(|pattern| match pattern {
        HostPattern::Exact(name) => name == host,
        HostPattern::Below(above) => parent(host) == Some(above),
        HostPattern::Any => true,
    })
}

/// The patterns that a certificate's own names mean; names that are no host's are left out.
pub(super) fn patterns<'a>(names: impl Iterator<Item = &'a str>) -> Vec<HostPattern> {
    names.filter_map(|name| crate::config::text::host(name).ok()).collect()
}

fn parent(host: &str) -> Option<&str> {
    host.split_once('.').map(|(_, parent)| parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ByHost<u8> {
        let mut table = ByHost::default();
        for (names, one) in [
            (&["a.example", "*.a.example"][..], 1),
            (&["b.a.example", "*.c.example"], 2),
            (&["a.example"], 3),
        ] {
            table.add(&patterns(names.iter().copied()), &one);
        }
        table
    }

    #[test]
    fn a_name_goes_before_a_wildcard_and_the_first_certificate_before_others() {
        for (host, expected) in [
            ("a.example", Some(1)),
            ("x.a.example", Some(1)),
            ("b.a.example", Some(2)),
            ("y.c.example", Some(2)),
            ("c.example", None),
            ("x.y.c.example", None),
            ("", None),
            ("example", None),
        ] {
            assert_eq!(table().find(host).copied(), expected, "{host}");
        }
    }

    #[test]
    fn a_wildcard_holds_one_label() {
        let names = patterns(["*.a.example"].into_iter());
        assert!(covers(&names, "x.a.example"));
        assert!(!covers(&names, "a.example"));
        assert!(!covers(&names, "x.y.a.example"));
    }
}
