//! Who may know whom: the table of the design, as paths that a file must not name.

use syn::visit::{self, Visit};

use super::Violation;

/// Files that begin with `place` must not name a path that begins with one of `banned`.
struct Wall {
    place: &'static str,
    banned: &'static [&'static str],
    rule: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        place: "crates/semantics/src/",
        banned: &["forebay_cache", "forebay"],
        rule: "semantics and cache never import each other, and nothing imports upward",
    },
    Wall {
        place: "crates/semantics/src/",
        // Addresses are plain values, and `SystemTime` is what httpdate counts in.
        banned: &[
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::net::ToSocketAddrs",
            "std::fs",
            "std::io",
            "std::thread",
            "std::process",
            "std::env",
            "std::time::SystemTime::now",
            "SystemTime::now",
            "std::time::Instant",
            "std::sync::Mutex",
            "std::sync::RwLock",
            "parking_lot",
            "tokio",
            "hyper",
        ],
        rule: "semantics does no I/O, asks no clock, holds no lock",
    },
    Wall {
        place: "crates/cache/src/",
        banned: &["forebay_semantics", "forebay"],
        rule: "semantics and cache never import each other, and nothing imports upward",
    },
    Wall {
        place: "crates/cache/src/",
        banned: &[
            "http",
            "http_body",
            "http_body_util",
            "hyper",
            "hyper_util",
            "httparse",
            "httpdate",
        ],
        rule: "the cache knows no HTTP",
    },
    Wall {
        place: "crates/cache/src/memory",
        banned: &["crate::disk", "crate::redis"],
        rule: "tiers never import each other",
    },
    Wall {
        place: "crates/cache/src/disk",
        banned: &["crate::memory", "crate::redis"],
        rule: "tiers never import each other",
    },
    Wall {
        place: "crates/cache/src/redis",
        banned: &["crate::memory", "crate::disk"],
        rule: "tiers never import each other",
    },
    Wall { place: "crates/proxy/src/", banned: &["forebay_trial"], rule: "nothing imports upward" },
];

/// Every path of a file against the walls around it.
pub(crate) fn check(file: &str, parsed: &syn::File) -> Vec<Violation> {
    let walls: Vec<&Wall> = WALLS.iter().filter(|wall| file.starts_with(wall.place)).collect();
    if walls.is_empty() {
        return Vec::new();
    }
    let mut paths = Paths::default();
    paths.visit_file(parsed);
    let mut found = Vec::new();
    for (line, path) in &paths.seen {
        for wall in &walls {
            if let Some(banned) = wall.banned.iter().find(|banned| is_below(path, banned)) {
                let what = format!("`{path}` names `{banned}`");
                found.push(Violation::at(*line, what, wall.rule));
            }
        }
    }
    found
}

fn is_below(path: &str, banned: &str) -> bool {
    path.strip_prefix(banned).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[derive(Default)]
struct Paths {
    seen: Vec<(usize, String)>,
}

impl Paths {
    fn tree(&mut self, before: &str, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                self.tree(&format!("{before}{}::", path.ident), &path.tree);
            }
            syn::UseTree::Name(name) => self.leaf(before, &name.ident),
            syn::UseTree::Rename(name) => self.leaf(before, &name.ident),
            syn::UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.seen.push((line, before.trim_end_matches("::").to_owned()));
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.tree(before, item));
            }
        }
    }

    fn leaf(&mut self, before: &str, name: &syn::Ident) {
        self.seen.push((name.span().start().line, format!("{before}{name}")));
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        // Tests may look at a clock.
        let is_test = item.attrs.iter().any(|it| it.path().is_ident("cfg"));
        if !is_test || item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        // A single word is a variable as often as a crate.
        if path.segments.len() > 1 {
            let words: Vec<String> =
                path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let line = path.segments[0].ident.span().start().line;
            self.seen.push((line, words.join("::")));
        }
        visit::visit_path(self, path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_lines(file: &str, text: &str, lines: &[usize]) {
        let parsed = syn::parse_file(text).unwrap();
        let found: Vec<usize> = check(file, &parsed).iter().map(|found| found.line).collect();
        assert_eq!(found, lines, "{file}: {text}");
    }

    #[test]
    fn the_rules_do_no_io_and_ask_no_clock() {
        let rules = "crates/semantics/src/reuse.rs";
        check_lines(rules, "use std::time::{Duration,\n Instant};", &[2]);
        check_lines(rules, "use std::net::{IpAddr, UdpSocket};", &[1]);
        check_lines(rules, "use std::time::SystemTime;\nfn a() { SystemTime::now(); }", &[2]);
        check_lines(rules, "fn a() { let now = std::time::SystemTime::now(); }", &[1]);
        check_lines(rules, "use std::time::Duration;\nuse http::HeaderMap;", &[]);
        check_lines(rules, "#[cfg(test)]\nmod tests { use std::time::Instant; }", &[]);
    }

    #[test]
    fn the_cache_knows_no_http_and_its_tiers_not_each_other() {
        check_lines("crates/cache/src/entry.rs", "use http::HeaderMap;", &[1]);
        check_lines("crates/cache/src/entry.rs", "use forebay_semantics as rules;", &[1]);
        check_lines("crates/cache/src/memory.rs", "use crate::disk::*;", &[1]);
        check_lines("crates/cache/src/cache.rs", "use crate::disk::Disk;", &[]);
    }

    #[test]
    fn nothing_imports_upward() {
        check_lines("crates/semantics/src/key.rs", "use forebay::config;", &[1]);
        check_lines("crates/proxy/src/main.rs", "use forebay_cache::mechanism::Entry;", &[]);
    }
}
