//! What is wrong with a Redis server, as it describes itself: rules over the text of `INFO` and some
//! of its settings. Pure.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::finding::Finding;
use super::holes::{self, Product, Version};
use crate::config::text::in_bytes;

/// Lines of a description that are read.
const LINES_MAX: usize = 4096;

/// Of a hundred parts of `maxmemory` so many are in use before it is worth a word.
const FULL_PERCENT: u64 = 90;

/// Clocks that are further apart are not kept by the same hand.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(2);

/// What two clocks say of each other: the server's was read between two moments of ours.
pub(super) fn of_clocks(asked: SystemTime, told: SystemTime, heard: SystemTime) -> Option<Finding> {
    let after = |later: SystemTime, earlier: SystemTime| {
        later.duration_since(earlier).unwrap_or(Duration::ZERO)
    };
    let (behind, ahead) = (after(asked, told), after(told, heard));
    let apart = behind.max(ahead);
    let word = if behind > ahead { "behind" } else { "ahead of" };
    let message = format!("its clock is {} s {word} this machine's", apart.as_secs());
    let help =
        "keep both by NTP: how old a response is that another node has stored is told by clocks";
    (apart > CLOCKS_APART_MAX).then(|| Finding::problem(message).with_help(help))
}

/// What a server is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The one that is written to.
    Alone,
    /// A node of a cluster.
    InCluster,
}

/// How a server describes itself.
pub(super) struct Described<'a> {
    /// What `INFO` says.
    said: HashMap<&'a str, &'a str>,
    /// What `CONFIG GET` says, where it may be asked.
    settings: HashMap<&'a str, &'a str>,
}

impl<'a> Described<'a> {
    /// From the text of `INFO` and pairs of settings.
    pub(super) fn new(info: &'a str, settings: &'a [(String, String)]) -> Self {
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Described { said: pairs(info), settings: settings.collect() }
    }

    /// Product, version and memory in one line.
    pub(super) fn in_short(&self) -> String {
        let (product, version) = (self.product(), self.version_text());
        let product = match product {
            Product::Redis => "Redis",
            Product::Valkey => "Valkey",
            Product::Other => "speaks like Redis",
        };
        let used = self.number("used_memory").unwrap_or(0);
        let bound = match self.number("maxmemory") {
            Some(0) | None => "no bound".to_owned(),
            Some(bytes) => in_bytes(bytes),
        };
        format!("{product} {version}, {} MiB in use, {bound}", used >> 20)
    }

    /// All that is wrong.
    pub(super) fn findings(&self, place: Place) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.age());
        findings.extend(self.memory());
        findings.extend(self.eviction());
        findings.extend(self.role());
        findings.extend(self.membership(place));
        findings.extend(self.saving());
        findings.extend(self.use_of_memory());
        findings
    }

    fn text(&self, key: &str) -> &'a str {
        self.said.get(key).copied().unwrap_or_default()
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.text(key).parse().ok()
    }

    fn product(&self) -> Product {
        // Valkey says `redis_version:7.2.4` to all eternity, for those who ask for it.
        if self.said.contains_key("valkey_version") || self.text("server_name") == "valkey" {
            return Product::Valkey;
        }
        let is_other = ["dragonfly_version", "keydb_version", "kvrocks_version", "garnet_version"]
            .iter()
            .any(|key| self.said.contains_key(key));
        if is_other { Product::Other } else { Product::Redis }
    }

    fn version_text(&self) -> &'a str {
        match self.product() {
            Product::Valkey if self.said.contains_key("valkey_version") => {
                self.text("valkey_version")
            }
            Product::Redis | Product::Valkey | Product::Other => self.text("redis_version"),
        }
    }

    /// Its version, and what is known against it.
    fn age(&self) -> Vec<Finding> {
        let Some(version) = version(self.version_text()) else {
            return vec![Finding::hint("it does not say its version, so nothing is known of it")];
        };
        if version < (6, 0, 0) && self.product() == Product::Redis {
            let problem = Finding::problem("it is older than version 6 and does not speak RESP3");
            return vec![problem.with_help("take a version that is still mended")];
        }
        holes::of(self.product(), version).into_iter().collect()
    }

    fn memory(&self) -> Option<Finding> {
        match self.number("maxmemory") {
            Some(0) => Some(
                Finding::problem("`maxmemory` is 0: it grows until the machine has no memory left")
                    .with_help("bound it, such as `maxmemory 4gb`"),
            ),
            Some(_) | None => None,
        }
    }

    fn eviction(&self) -> Option<Finding> {
        let policy = self.text("maxmemory_policy");
        let help = "write `maxmemory-policy allkeys-lfu`, or `volatile-lfu` where others keep keys \
                    without an expiry there";
        match policy {
            "noeviction" => Some(
                Finding::problem(
                    "`maxmemory-policy` is noeviction: when it is full, nothing can be stored",
                )
                .with_help(help),
            ),
            "allkeys-random" | "volatile-random" => Some(
                Finding::hint(format!(
                    "`maxmemory-policy` is {policy}: what is asked for often goes as soon as the rest"
                ))
                .with_help(help),
            ),
            // Every key of ours has an expiry, so both kinds evict ours.
            _ => None,
        }
    }

    fn role(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.text("role") == "slave" {
            let problem = Finding::problem("it is a replica: nothing can be stored in it");
            findings.push(problem.with_help("name the primary, or sentinels that know it"));
            if self.text("master_link_status") == "down" {
                findings.push(Finding::hint("it is a replica that has lost its primary"));
            }
        }
        if self.text("loading") == "1" {
            findings.push(Finding::problem("it still reads its file and answers nothing"));
        }
        findings
    }

    fn membership(&self, place: Place) -> Option<Finding> {
        match (place, self.text("cluster_enabled")) {
            (Place::Alone, "1") => Some(
                Finding::problem("it is a node of a cluster, and is spoken to as if it were alone")
                    .with_help("write redis+cluster:// for redis://"),
            ),
            (Place::InCluster, "0") => Some(
                Finding::problem("it is no node of a cluster")
                    .with_help("write redis:// for redis+cluster://"),
            ),
            (Place::Alone | Place::InCluster, _) => None,
        }
    }

    /// What it writes to its disk: a cache loses nothing that the origin could not say again.
    fn saving(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let saves = self.settings.get("save").is_some_and(|save| !save.trim().is_empty());
        let is_log_on = self.text("aof_enabled") == "1";
        let stops = self.settings.get("stop-writes-on-bgsave-error").copied() == Some("yes");
        if self.text("rdb_last_bgsave_status") == "err" && (stops || self.settings.is_empty()) {
            findings.push(
                Finding::problem(
                    "its last snapshot failed, and until one succeeds it stores nothing",
                )
                .with_help("write `stop-writes-on-bgsave-error no`, or `save \"\"`"),
            );
        } else if saves && stops {
            let hint = "`stop-writes-on-bgsave-error` is yes: a full disk there stops all storing";
            findings.push(Finding::hint(hint).with_help("write `stop-writes-on-bgsave-error no`"));
        }
        if saves || is_log_on {
            let (what, help) = match (saves, is_log_on) {
                (true, true) => ("snapshots and a log", "`save \"\"` and `appendonly no`"),
                (false, true) => ("a log", "`appendonly no`"),
                (_, false) => ("snapshots", "`save \"\"`"),
            };
            let hint = Finding::hint(format!("it writes {what} to disk, which costs it time"));
            findings.push(hint.with_help(format!("if it holds nothing but a cache, write {help}")));
        }
        findings
    }

    fn use_of_memory(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let (used, bound) = (self.number("used_memory"), self.number("maxmemory"));
        if let (Some(used), Some(bound)) = (used, bound)
            && bound > 0
            && u128::from(used) * 100 >= u128::from(bound) * u128::from(FULL_PERCENT)
        {
            let percent = u128::from(used) * 100 / u128::from(bound);
            findings.push(Finding::hint(format!("{percent} % of its memory are in use")));
        }
        if let Some(evicted) = self.number("evicted_keys").filter(|evicted| *evicted > 0) {
            let hint = format!("it has evicted {evicted} keys for want of memory since its start");
            findings.push(Finding::hint(hint).with_help("raise `maxmemory`, if they were missed"));
        }
        findings
    }
}

/// What is wrong with a cluster, as `CLUSTER INFO` describes it.
pub(super) fn of_cluster(text: &str) -> Vec<Finding> {
    let said = pairs(text);
    let number = |key: &str| said.get(key).and_then(|text| text.parse::<u64>().ok());
    let mut findings = Vec::new();
    match said.get("cluster_state") {
        Some(&"ok") => {}
        Some(state) => {
            let assigned = number("cluster_slots_assigned").unwrap_or(0);
            let failing = number("cluster_slots_fail").unwrap_or(0);
            findings.push(Finding::problem(format!(
                "the cluster's state is {}: {assigned} of 16384 slots are assigned, {failing} fail",
                state.escape_debug()
            )));
        }
        None => findings.push(Finding::problem("the cluster does not say its state")),
    }
    if let Some(suspected) = number("cluster_slots_pfail").filter(|slots| *slots > 0) {
        findings.push(Finding::hint(format!("{suspected} slots may be failing")));
    }
    findings
}

/// The primaries of a cluster as `CLUSTER NODES` names them: host and port. No host is the one that
/// was asked.
pub(super) fn primaries(text: &str, most: usize) -> Vec<(String, u16)> {
    let node = |line: &str| {
        let mut words = line.split(' ');
        let (address, flags) = (words.nth(1)?, words.next()?);
        let is_usable =
            !flags.split(',').any(|flag| matches!(flag, "fail" | "noaddr" | "handshake"));
        if !flags.split(',').any(|flag| flag == "master") || !is_usable {
            return None;
        }
        let address = address.split(['@', ',']).next()?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().ok().filter(|port| *port > 0)?;
        Some((host.to_owned(), port))
    };
    text.lines().take(LINES_MAX).filter_map(node).take(most).collect()
}

fn pairs(text: &str) -> HashMap<&str, &str> {
    text.lines().take(LINES_MAX).filter_map(|line| line.trim_end().split_once(':')).collect()
}

/// A version of two or three numbers, with or without a word behind it.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse::<u16>().ok()
    });
    let (major, minor) = (numbers.next()??, numbers.next()??);
    Some((major, minor, numbers.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests;
