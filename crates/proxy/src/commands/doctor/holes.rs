//! Holes of Redis and Valkey that are known, and the versions that mend them.
//!
//! A version says what its makers mended. A distribution may mend a hole under the old number; that
//! cannot be seen from outside, and the message says so.

use super::finding::Finding;

/// A version: line (the first two) and release.
pub(super) type Version = (u16, u16, u16);

/// Who made a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
    /// Another that speaks like them.
    Other,
}

/// A hole.
struct Hole {
    product: Product,
    name: &'static str,
    what: &'static str,
    /// The first version that has it.
    since: Version,
    /// In each line that is mended, the first version without it.
    mended: &'static [Version],
}

const HOLES: &[Hole] = &[
    Hole {
        product: Product::Redis,
        name: "the advisory of July 2026",
        what: "running code",
        since: (0, 0, 0),
        mended: &[(6, 2, 23), (7, 2, 15), (7, 4, 10), (8, 2, 8), (8, 4, 5), (8, 6, 5), (8, 8, 1)],
    },
    Hole {
        product: Product::Redis,
        name: "CVE-2026-23479",
        what: "running code by a client that is unblocked",
        since: (7, 2, 0),
        mended: &[(7, 2, 14), (7, 4, 9), (8, 2, 6), (8, 4, 3), (8, 6, 3)],
    },
    Hole {
        product: Product::Redis,
        name: "CVE-2025-49844",
        what: "running code by a Lua script",
        since: (0, 0, 0),
        mended: &[(6, 2, 20), (7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)],
    },
    Hole {
        product: Product::Redis,
        name: "CVE-2024-31228",
        what: "a crash by a long pattern",
        since: (0, 0, 0),
        mended: &[(6, 2, 16), (7, 2, 6), (7, 4, 1)],
    },
    Hole {
        product: Product::Valkey,
        name: "CVE-2026-27623",
        what: "a crash by an empty request",
        since: (9, 0, 0),
        mended: &[(9, 0, 3)],
    },
    Hole {
        product: Product::Valkey,
        name: "CVE-2026-21863",
        what: "a crash by a packet on the cluster's bus",
        since: (0, 0, 0),
        mended: &[(7, 2, 12), (8, 0, 7), (8, 1, 6), (9, 0, 2)],
    },
    Hole {
        product: Product::Valkey,
        name: "CVE-2025-49844",
        what: "running code by a Lua script",
        since: (0, 0, 0),
        mended: &[(7, 2, 11), (8, 0, 6), (8, 1, 4)],
    },
    Hole {
        product: Product::Valkey,
        name: "CVE-2024-31228",
        what: "a crash by a long pattern",
        since: (0, 0, 0),
        mended: &[(7, 2, 7), (8, 0, 1)],
    },
];

/// The holes of a version, as one finding.
pub(super) fn of(product: Product, version: Version) -> Option<Finding> {
    let open = |hole: &&Hole| hole.product == product && is_open(hole, version);
    let open: Vec<&Hole> = HOLES.iter().filter(open).collect();
    if open.is_empty() {
        return None;
    }
    let names: Vec<String> =
        open.iter().map(|hole| format!("{} ({})", hole.name, hole.what)).collect();
    let (major, minor, patch) = version;
    let message =
        format!("version {major}.{minor}.{patch} has holes that are known: {}", names.join(", "));
    // A hole that stays open in the line cannot be closed by any version of it.
    let mended: Option<Vec<Version>> = open.iter().map(|hole| mended_in(hole, version)).collect();
    let help = match mended.and_then(|mended| mended.into_iter().max()) {
        Some((major, minor, patch)) => format!("{major}.{minor}.{patch} mends them"),
        None => "its line is mended no more; take a newer one".to_owned(),
    };
    let help = help + ", unless your distribution has mended them under the old number";
    Some(Finding::problem(message).with_help(help))
}

fn is_open(hole: &Hole, version: Version) -> bool {
    if version < hole.since {
        return false;
    }
    let line = |version: Version| (version.0, version.1);
    match mended_in(hole, version) {
        Some(mended) => version < mended,
        // A line that is newer than all that had to be mended began without the hole.
        None => hole.mended.iter().any(|mended| line(version) < line(*mended)),
    }
}

/// The version that mends a hole in the line of this one.
fn mended_in(hole: &Hole, version: Version) -> Option<Version> {
    let in_line = |mended: &&Version| (mended.0, mended.1) == (version.0, version.1);
    hole.mended.iter().find(in_line).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_the_holes_that_its_line_has_not_mended() {
        let check = |product: Product, version: Version, names: &[&str]| {
            let open = HOLES.iter().filter(|hole| hole.product == product);
            let open = open.filter(|hole| is_open(hole, version)).map(|hole| hole.name);
            assert_eq!(open.collect::<Vec<_>>(), names, "{product:?} {version:?}");
        };
        let july = "the advisory of July 2026";
        let all = [july, "CVE-2026-23479", "CVE-2025-49844", "CVE-2024-31228"];
        use Product::{Other, Redis, Valkey};
        check(Redis, (7, 2, 5), &all);
        check(Redis, (7, 4, 0), &all);
        check(Redis, (8, 2, 1), &all[..3]);
        check(Redis, (8, 2, 2), &all[..2]);
        check(Redis, (8, 6, 2), &all[..2]);
        check(Redis, (8, 6, 3), &[july]);
        check(Redis, (8, 6, 5), &[]);
        check(Redis, (8, 10, 0), &[]);
        check(Redis, (9, 0, 0), &[]);
        // Lines that are mended no more: 7.0 was older than 7.2's hole, 8.0 was not.
        check(Redis, (7, 0, 15), &[july, "CVE-2025-49844", "CVE-2024-31228"]);
        check(Redis, (8, 0, 6), &all[..2]);
        check(Redis, (6, 2, 22), &[july]);
        check(Redis, (6, 2, 23), &[]);
        check(Valkey, (7, 2, 6), &["CVE-2026-21863", "CVE-2025-49844", "CVE-2024-31228"]);
        check(Valkey, (8, 1, 4), &["CVE-2026-21863"]);
        check(Valkey, (9, 0, 0), &["CVE-2026-27623", "CVE-2026-21863"]);
        check(Valkey, (9, 0, 3), &[]);
        check(Valkey, (9, 1, 0), &[]);
        check(Other, (1, 0, 0), &[]);
    }

    #[test]
    fn the_finding_names_the_version_that_mends_all() {
        let said = of(Product::Redis, (8, 2, 1)).unwrap().to_string();
        let end =
            "; 8.2.8 mends them, unless your distribution has mended them under the old number";
        assert!(said.ends_with(end), "{said}");
        assert!(said.starts_with("version 8.2.1 has holes that are known: the advisory of July"));
        let said = of(Product::Redis, (7, 0, 15)).unwrap().to_string();
        assert!(said.contains("; its line is mended no more; take a newer one, unless"), "{said}");
        let said = of(Product::Redis, (8, 0, 3)).unwrap().to_string();
        assert!(said.contains("its line is mended no more"), "{said}");
    }
}
