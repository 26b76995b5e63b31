//! Versions below which a dependency has a known hole: the gate that needs no network.

use serde::Deserialize;

use crate::outcome::{Outcome, Trying};

use super::Violation;

struct Gate {
    name: &'static str,
    fixed_in: [u64; 3],
    advisory: &'static str,
}

const GATES: &[Gate] = &[
    Gate { name: "h2", fixed_in: [0, 4, 16], advisory: "RUSTSEC-2026-0258" },
    Gate { name: "quinn-proto", fixed_in: [0, 11, 15], advisory: "RUSTSEC-2026-0185" },
    Gate { name: "lru", fixed_in: [0, 16, 3], advisory: "RUSTSEC-2026-0002" },
];

/// Advised against in every version that we know.
const UNWANTED: &[(&str, &str)] = &[
    ("hickory-proto", "RUSTSEC-2026-0118, -0119, -0120"),
    ("hickory-resolver", "RUSTSEC-2026-0118, -0119, -0120"),
    ("bincode", "abandoned"),
];

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// Every package of a `Cargo.lock`.
pub(crate) fn check(text: &str) -> Outcome<Vec<Violation>> {
    let lock: Lock = toml::from_str(text).trying("read Cargo.lock")?;
    Ok(lock.package.iter().filter_map(|package| judge(package, text)).collect())
}

fn judge(package: &Package, text: &str) -> Option<Violation> {
    let (advisory, wanted) = complaint(package)?;
    let name = format!("name = \"{}\"", package.name);
    let line = text.lines().position(|line| line == name).map_or(0, |index| index + 1);
    let what = format!("{} {}: {advisory}, {wanted}", package.name, package.version);
    Some(Violation::at(line, what, "no dependency with a known hole"))
}

fn complaint(package: &Package) -> Option<(&'static str, String)> {
    if let Some((_, why)) = UNWANTED.iter().find(|(name, _)| *name == package.name) {
        return Some((why, "not to be used".to_owned()));
    }
    let gate = GATES.iter().find(|gate| gate.name == package.name)?;
    let [major, minor, patch] = gate.fixed_in;
    (numbers(&package.version) < gate.fixed_in)
        .then(|| (gate.advisory, format!("fixed in {major}.{minor}.{patch}")))
}

/// A version that cannot be read counts as the oldest, so that it is looked at.
fn numbers(version: &str) -> [u64; 3] {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = plain.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_with_a_known_hole_is_refused() {
        let check = |name: &str, version: &str, expected: usize| {
            let text = format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
            assert_eq!(check(&text).unwrap().len(), expected, "{name} {version}");
        };
        check("h2", "0.4.15", 1);
        check("h2", "0.4.16", 0);
        check("h2", "0.10.0", 0);
        check("lru", "0.16.3+more", 0);
        check("hickory-resolver", "1.0.0", 1);
        check("hyper", "0.1.0", 0);
    }
}
