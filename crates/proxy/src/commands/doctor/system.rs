//! Whether the machine can bear what the configuration asks of it: descriptors, memory, the clock, and
//! what the kernel holds of connections that wait.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};

use super::finding::{Examined, Finding, Weight};
use crate::config::Config;
use crate::config::text::in_bytes;
use crate::server::BACKLOG;

/// Descriptors that are used beside connections: files, Redis, listeners, the runtime.
const DESCRIPTORS_BESIDE: u64 = 256;

/// Bytes beside what is stored: the program, buffers, connections.
const BYTES_BESIDE: u64 = 64 << 20;

/// A clock that says less was never set: 2024-01-01.
const CLOCK_LEAST: Duration = Duration::from_secs(1_704_067_200);

/// Of a hundred parts of the memory there is so many may be asked for without a word.
const MEMORY_PERCENT: u64 = 80;

/// What the machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    /// Descriptors that the process may have open; `None` is without a bound.
    descriptors: Option<u64>,
    /// Bytes of memory, and whose bound that is.
    memory: Option<(u64, Bound)>,
    /// Connections that the kernel holds for one listener.
    backlog: Option<u64>,
    /// The clock.
    now: Duration,
}

/// Whose bound it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// The machine's.
    Machine,
    /// The container's, or the service's.
    Group,
}

/// What the configuration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    clients: u64,
    origins: u64,
    memory_bytes: u64,
}

impl Asked {
    fn of(config: &Config) -> Self {
        Asked {
            clients: config.limits.connections_max as u64,
            origins: origins(config),
            memory_bytes: config.memory_bytes,
        }
    }
}

/// Looks at the machine.
pub(super) fn examine(config: &Config) -> Examined {
    let seen = see();
    let memory = seen
        .memory
        .map_or("memory unknown".to_owned(), |(bytes, _)| format!("{} MiB of memory", bytes >> 20));
    let files = seen.descriptors.map_or("any number of".to_owned(), |count| count.to_string());
    Examined::new(
        "this machine",
        Some(format!("{memory}, {files} open files")),
        findings(&seen, &Asked::of(config)),
    )
}

/// Whether the configuration wants more memory than this process may have. It cannot be told when it
/// comes true: the process is killed without a word.
pub(super) fn shortage(config: &Config) -> Option<Finding> {
    let (bytes, whose) = memory()?;
    room(bytes, whose, &Asked::of(config)).filter(|finding| finding.weight == Weight::Problem)
}

/// Connections to origins, if all members that the file names are busy at once.
fn origins(config: &Config) -> u64 {
    let of = |route: &crate::config::Route| {
        route.upstream.members.len() as u64 * route.upstream.connections_max as u64
    };
    config.routes.iter().map(of).fold(0, u64::saturating_add)
}

fn see() -> Seen {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Seen {
        // The process raises its own bound as far as it may.
        descriptors: getrlimit(Resource::Nofile).maximum,
        memory: memory(),
        backlog: number("/proc/sys/net/core/somaxconn"),
        now: since.unwrap_or(Duration::ZERO),
    }
}

fn memory() -> Option<(u64, Bound)> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| in_all(&text));
    let machine = machine.map(|bytes| (bytes, Bound::Machine));
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = bounds(&groups).into_iter().filter_map(number).min();
    // A group without a bound says a number that no machine has.
    let group = group.map(|bytes| (bytes, Bound::Group));
    [group, machine].into_iter().flatten().min_by_key(|(bytes, _)| *bytes)
}

/// `MemTotal:  16384 kB`.
fn in_all(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Where the bounds of a process's groups may stand, in either version of control groups: its own and
/// those around it. In a container the groups have the names that they have outside, and only those
/// around them are there.
fn bounds(groups: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for line in groups.lines() {
        // `0::/system.slice/forebay.service`, `4:cpu,memory:/docker/7f3a`.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (hierarchy, files): (_, &[&str]) = match controllers {
            "" => ("/sys/fs/cgroup", &["memory.max", "memory.high"]),
            words if words.split(',').any(|word| word == "memory") => {
                ("/sys/fs/cgroup/memory", &["memory.limit_in_bytes"])
            }
            _ => continue,
        };
        let own = PathBuf::from(hierarchy).join(path.trim_start_matches('/'));
        let around = own.ancestors().take_while(|at| at.starts_with(hierarchy));
        all.extend(around.flat_map(|at| files.iter().map(|file| at.join(file))));
    }
    all
}

fn number(path: impl Into<PathBuf>) -> Option<u64> {
    fs::read_to_string(path.into()).ok()?.trim().parse().ok()
}

fn findings(seen: &Seen, asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(seen.descriptors.and_then(|most| descriptors(most, asked)));
    findings.extend(seen.memory.and_then(|(bytes, whose)| room(bytes, whose, asked)));
    let wanted = BACKLOG as u64;
    if let Some(held) = seen.backlog.filter(|held| *held < wanted) {
        let message =
            format!("the kernel holds {held} connections that wait, and {wanted} are asked for");
        let help = format!("`sysctl net.core.somaxconn={wanted}`");
        findings.push(Finding::hint(message).with_help(help));
    }
    if seen.now < CLOCK_LEAST {
        let message = "the clock is before 2024: no certificate is valid, and every date is wrong";
        findings.push(Finding::problem(message).with_help("set it, and keep it by NTP"));
    }
    findings
}

fn descriptors(most: u64, asked: &Asked) -> Option<Finding> {
    let Asked { clients, origins, .. } = asked;
    let for_clients = clients.saturating_add(DESCRIPTORS_BESIDE);
    let for_all = for_clients.saturating_add(*origins);
    if most < for_clients {
        let message = format!("{most} files may be open, and `connections_max` is {clients}");
        let help =
            format!("`LimitNOFILE={for_all}` in the unit, `ulimit -n {for_all}`, or lower it");
        return Some(Finding::problem(message).with_help(help));
    }
    let message = format!(
        "{most} files may be open; {clients} clients and {origins} connections to origins may be more"
    );
    (most < for_all)
        .then(|| Finding::hint(message).with_help(format!("`LimitNOFILE={for_all}` in the unit")))
}

fn room(bytes: u64, whose: Bound, asked: &Asked) -> Option<Finding> {
    let memory = asked.memory_bytes;
    // Beside what is stored, as much may be on its way.
    let needed = memory.saturating_add((memory / 4).clamp(8 << 20, 64 << 20));
    let needed = needed.saturating_add(BYTES_BESIDE);
    let whose = match whose {
        Bound::Machine => "the machine",
        Bound::Group => "the container or service",
    };
    let message = format!(
        "`memory` is {}, so it needs {} MiB, and {whose} has {} MiB",
        in_bytes(memory),
        needed >> 20,
        bytes >> 20
    );
    if needed > bytes {
        return Some(Finding::problem(message).with_help("lower `memory`"));
    }
    let is_tight = needed > bytes / 100 * MEMORY_PERCENT;
    is_tight
        .then(|| Finding::hint(message).with_help("lower `memory`, or see that nothing else runs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Seen = Seen {
        descriptors: Some(100_000),
        memory: Some((4 << 30, Bound::Machine)),
        backlog: Some(4096),
        now: Duration::from_secs(1_800_000_000),
    };
    const ASKED: Asked = Asked { clients: 16_384, origins: 1024, memory_bytes: 256 << 20 };

    #[test]
    fn what_is_seen_is_judged_by_what_is_asked_for() {
        let check = |seen: Seen, asked: Asked, weight: &str, expected: &str| {
            let found = findings(&seen, &asked);
            let said: Vec<String> =
                found.iter().map(|one| format!("{:?}: {one}", one.weight)).collect();
            match expected {
                "" => assert_eq!(said, Vec::<String>::new(), "{seen:?}"),
                expected => assert!(
                    said.len() == 1 && said[0].starts_with(weight) && said[0].contains(expected),
                    "{said:?}"
                ),
            }
        };
        check(FINE, ASKED, "", "");
        check(Seen { descriptors: None, memory: None, backlog: None, ..FINE }, ASKED, "", "");
        let few = Seen { descriptors: Some(1024), ..FINE };
        check(few, ASKED, "Problem", "LimitNOFILE=17664");
        let some = Seen { descriptors: Some(17_000), ..FINE };
        check(some, ASKED, "Hint", "1024 connections to origins");
        let small = Seen { memory: Some((300 << 20, Bound::Group)), ..FINE };
        check(small, ASKED, "Problem", "needs 384 MiB, and the container or service has 300 MiB");
        let tight = Seen { memory: Some((400 << 20, Bound::Machine)), ..FINE };
        check(tight, ASKED, "Hint", "see that nothing else runs");
        check(Seen { backlog: Some(128), ..FINE }, ASKED, "Hint", "sysctl net.core.somaxconn=1024");
        check(Seen { now: Duration::ZERO, ..FINE }, ASKED, "Problem", "before 2024");
        let all = Asked { clients: u64::MAX, origins: u64::MAX, memory_bytes: u64::MAX };
        assert_eq!(findings(&FINE, &all).len(), 2);
    }

    #[test]
    fn the_bounds_of_a_group_and_of_those_around_it_are_known_in_both_versions() {
        let check = |groups: &str, expected: &[&str]| {
            let all = bounds(groups);
            let all: Vec<_> = all.iter().map(|path| path.to_str().unwrap()).collect();
            assert_eq!(all, expected, "{groups}");
        };
        check("", &[]);
        check("nonsense\n1:cpu:/a\n2:name=systemd:/a", &[]);
        check("0::/\n", &["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.high"]);
        check(
            "0::/a/b.service\n",
            &[
                "/sys/fs/cgroup/a/b.service/memory.max",
                "/sys/fs/cgroup/a/b.service/memory.high",
                "/sys/fs/cgroup/a/memory.max",
                "/sys/fs/cgroup/a/memory.high",
                "/sys/fs/cgroup/memory.max",
                "/sys/fs/cgroup/memory.high",
            ],
        );
        check(
            "5:pids:/a\n4:cpu,memory:/docker:1\n",
            &[
                "/sys/fs/cgroup/memory/docker:1/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ],
        );
    }

    #[test]
    fn the_memory_of_a_machine_is_read() {
        assert_eq!(in_all("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(in_all("MemFree: 1 kB\n"), None);
        assert_eq!(in_all("MemTotal: x\n"), None);
    }
}
