//! Descriptions as servers give them, and what is found in them.

use proptest::prelude::*;

use super::*;
use crate::commands::doctor::finding::Weight;

/// A server with which nothing is wrong.
const FINE: &str = "# Server\r\nredis_version:8.8.1\r\nredis_mode:standalone\r\n# Memory\r\n\
                    used_memory:1048576\r\nmaxmemory:104857600\r\nmaxmemory_policy:allkeys-lfu\r\n\
                    # Persistence\r\nloading:0\r\nrdb_last_bgsave_status:ok\r\naof_enabled:0\r\n\
                    # Stats\r\nevicted_keys:0\r\n# Replication\r\nrole:master\r\n# Cluster\r\n\
                    cluster_enabled:0\r\n";

fn with(lines: &str) -> String {
    lines.lines().fold(FINE.to_owned(), |text, line| {
        let key = line.split(':').next().unwrap();
        let old = FINE.lines().find(|old| old.starts_with(&format!("{key}:")));
        match old {
            Some(old) => text.replace(old, line),
            None => text + line + "\r\n",
        }
    })
}

fn found(info: &str, settings: &[(&str, &str)], place: Place) -> Vec<(Weight, String)> {
    let settings: Vec<(String, String)> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let findings = Described::new(info, &settings).findings(place);
    findings.into_iter().map(|finding| (finding.weight, finding.message)).collect()
}

/// Lines that differ from a server with which nothing is wrong, and the beginnings of what is found.
fn check(lines: &str, expected: &[(Weight, &str)]) {
    check_with(lines, &[], Place::Alone, expected);
}

fn check_with(lines: &str, settings: &[(&str, &str)], place: Place, expected: &[(Weight, &str)]) {
    let found = found(&with(lines), settings, place);
    let fits = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| found.0 == expected.0 && found.1.starts_with(expected.1));
    assert!(fits, "{lines} {settings:?}\nfound {found:#?}\nnot {expected:#?}");
}

use Weight::{Hint, Problem};

#[test]
fn nothing_is_wrong_with_a_bounded_server_that_evicts() {
    check("", &[]);
    for policy in ["allkeys-lru", "volatile-lfu", "volatile-lru", "volatile-ttl"] {
        check(&format!("maxmemory_policy:{policy}"), &[]);
    }
}

#[test]
fn a_server_without_a_bound_or_without_eviction_is_ill() {
    check("maxmemory:0", &[(Problem, "`maxmemory` is 0")]);
    check("maxmemory_policy:noeviction", &[(Problem, "`maxmemory-policy` is noeviction")]);
    check("maxmemory_policy:volatile-random", &[(Hint, "`maxmemory-policy` is volatile-random")]);
}

#[test]
fn a_version_is_held_against_its_product() {
    check("redis_version:7.4.5", &[(Problem, "version 7.4.5 has holes")]);
    check("redis_version:5.0.14", &[(Problem, "it is older than version 6")]);
    check("redis_version:255.255.255", &[]);
    check("redis_version:what", &[(Hint, "it does not say its version")]);
    // Valkey says an old version of Redis beside its own.
    check("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:9.0.3", &[]);
    let old = "redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.3";
    check(old, &[(Problem, "version 8.1.3 has holes that are known: CVE-2026-21863")]);
    check("redis_version:7.4.0\ndragonfly_version:df-v1.34.0", &[]);
}

#[test]
fn a_replica_a_loading_server_and_a_wrong_membership_are_problems() {
    check("role:slave", &[(Problem, "it is a replica")]);
    let lost = "role:slave\nmaster_link_status:down";
    check(lost, &[(Problem, "it is a replica"), (Hint, "it is a replica that has lost")]);
    check("loading:1", &[(Problem, "it still reads its file")]);
    check("cluster_enabled:1", &[(Problem, "it is a node of a cluster")]);
    check_with("", &[], Place::InCluster, &[(Problem, "it is no node of a cluster")]);
    check_with("cluster_enabled:1", &[], Place::InCluster, &[]);
}

#[test]
fn what_a_server_writes_to_disk_is_a_hint_until_it_stops_all_storing() {
    let alone = |lines: &str, settings: &[(&str, &str)], expected: &[(Weight, &str)]| {
        check_with(lines, settings, Place::Alone, expected);
    };
    let stop = ("stop-writes-on-bgsave-error", "yes");
    alone("aof_enabled:1", &[], &[(Hint, "it writes a log")]);
    alone("", &[("save", "")], &[]);
    alone("", &[("save", ""), stop], &[]);
    alone("", &[("save", "3600 1")], &[(Hint, "it writes snapshots to disk")]);
    let both =
        [(Hint, "`stop-writes-on-bgsave-error` is yes"), (Hint, "it writes snapshots and a log")];
    alone("aof_enabled:1", &[("save", "3600 1"), stop], &both);
    let failed = "rdb_last_bgsave_status:err";
    alone(failed, &[], &[(Problem, "its last snapshot failed")]);
    alone(failed, &[("save", ""), stop], &[(Problem, "its last snapshot failed")]);
    alone(failed, &[("save", ""), (stop.0, "no")], &[]);
}

#[test]
fn a_full_server_that_evicts_is_a_hint() {
    check("used_memory:94371840", &[(Hint, "90 % of its memory")]);
    check("used_memory:94371839", &[]);
    check("evicted_keys:7", &[(Hint, "it has evicted 7 keys")]);
}

#[test]
fn a_cluster_that_is_not_well_says_so() {
    let found = |text: &str| {
        of_cluster(text).into_iter().map(|found| (found.weight, found.message)).collect::<Vec<_>>()
    };
    assert_eq!(found("cluster_state:ok\r\ncluster_slots_pfail:0\r\n"), []);
    let failing = "cluster_state:fail\r\ncluster_slots_assigned:10922\r\ncluster_slots_fail:3\r\n";
    let said = "the cluster's state is fail: 10922 of 16384 slots are assigned, 3 fail";
    assert_eq!(found(failing), [(Problem, said.to_owned())]);
    let suspected = "cluster_state:ok\r\ncluster_slots_pfail:5461\r\n";
    assert_eq!(found(suspected), [(Hint, "5461 slots may be failing".to_owned())]);
    assert_eq!(found(""), [(Problem, "the cluster does not say its state".to_owned())]);
}

#[test]
fn the_primaries_of_a_cluster_are_found() {
    let nodes = "a1 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460\n\
                 a2 10.0.0.2:7000@17000,name master - 0 0 2 connected 5461-10922\n\
                 a3 10.0.0.3:7000@17000 slave a1 0 0 1 connected\n\
                 a4 10.0.0.4:7000@17000 master,fail - 0 0 3 disconnected\n\
                 a5 :0@0 master,noaddr - 0 0 3 disconnected\n\
                 a6 2001:db8::1:7001@17001 master - 0 0 4 connected\n\
                 a7 :7002@17002 myself,master - 0 0 5 connected\na8\n";
    let expected = [("10.0.0.1", 7000), ("10.0.0.2", 7000), ("2001:db8::1", 7001), ("", 7002)];
    let expected: Vec<(String, u16)> =
        expected.into_iter().map(|(host, port)| (host.to_owned(), port)).collect();
    assert_eq!(primaries(nodes, 64), expected);
    assert_eq!(primaries(nodes, 1), expected[..1]);
}

#[test]
fn a_server_is_described_in_short() {
    let short = |text: &str| Described::new(text, &[]).in_short();
    assert_eq!(short(FINE), "Redis 8.8.1, 1 MiB in use, 100MiB");
    let valkey = with("valkey_version:9.0.3\nmaxmemory:0");
    assert_eq!(short(&valkey), "Valkey 9.0.3, 1 MiB in use, no bound");
}

proptest! {
    #[test]
    fn no_description_panics(text in "([a-z_]{1,8}:[0-9.]{0,30}\r?\n|(maxmemory|used_memory):[0-9]{0,21}\n|\\PC{0,20}\n){0,20}") {
        let _ = found(&text, &[("save", &text)], Place::InCluster);
        let _ = (of_cluster(&text), primaries(&text, 64));
        let _ = Described::new(&text, &[]).in_short();
    }
}

#[test]
fn clocks_that_are_apart_are_found_by_what_lies_between_the_question_and_the_answer() {
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let check = |asked: u64, told: u64, heard: u64, expected: Option<&str>| {
        let found = of_clocks(at(asked), at(told), at(heard)).map(|finding| finding.message);
        assert_eq!(found.as_deref(), expected, "{asked} {told} {heard}");
    };
    check(100, 100, 100, None);
    check(100, 104, 105, None);
    check(100, 98, 100, None);
    check(100, 97, 100, Some("its clock is 3 s behind this machine's"));
    check(100, 3_701, 101, Some("its clock is 3600 s ahead of this machine's"));
}
