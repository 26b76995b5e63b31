//! The table `routes`: when it counts, what it says, what is refused.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::check;
use crate::config::raw::{Findings, Section};

#[test]
fn routes_are_read_where_their_table_says_or_else_in_the_redis_that_is_there() {
    let check = |text: &str, url: Option<&str>| {
        let config = fine(text);
        assert_eq!(config.routes_redis().map(RedisSettings::url).as_deref(), url, "{text}");
    };
    let tier = "[redis]\nurl = \"redis://tier\"\n";
    check(&format!("{tier}{ROUTE}"), None);
    check(&format!("[routes]\n{ROUTE}"), None);
    check(&format!("{tier}[routes]\n"), Some("redis://tier:6379"));
    check("[routes]\nredis = \"redis://own/3\"\n", Some("redis://own:6379/3"));
    check(&format!("{tier}[routes]\nredis = \"redis://own\"\n"), Some("redis://own:6379"));
}

#[test]
fn a_flag_goes_before_the_file() {
    let text = "[routes]\nredis = \"redis://file\"\nprefix = \"r:\"\n";
    let (table, _) = DeTable::parse_recoverable(text);
    let findings = Findings::default();
    let root = Section::new("", table.get_ref(), table.span(), &findings);
    let args = RunArgs { routes: Some(Secret::new("redis://flag")), ..RunArgs::default() };
    let config = check::check(root, &args).config;
    assert!(findings.into_list().is_empty());
    assert_eq!(config.routes_redis().unwrap().url(), "redis://flag:6379");
    assert_eq!(config.dynamic.unwrap().prefix, "r:");
}

#[test]
fn everything_of_the_table_is_read() {
    let text = "[routes]\nredis = \"redis://a\"\nprefix = \"frontend:\"\ntimeout = \"20ms\"\n\
                reconcile = \"1s\"\nabsent = \"2s\"\nknown_max = 7\nlookups_per_second = 8\n\
                table = \"/var/lib/routes\"\nhipache = \"on\"\n[defaults]\nstale = \"1m\"\n";
    let settings = fine(text).dynamic.unwrap();
    assert_eq!(settings.prefix, "frontend:");
    assert_eq!(settings.timeout, Duration::from_millis(20));
    assert_eq!(settings.reconcile, Duration::from_secs(1));
    assert_eq!(settings.absent, Duration::from_secs(2));
    assert_eq!((settings.known_max, settings.lookups_per_second), (7, 8));
    assert_eq!(settings.table.as_deref(), Some(Path::new("/var/lib/routes")));
    assert_eq!(settings.hipache, Switch::On);
    assert_eq!(settings.defaults.policy.stale_if_error, Duration::from_secs(60));
}

#[test]
fn the_table_lies_beside_the_disk_tier_unless_it_is_off() {
    let check = |text: &str, path: Option<&str>| {
        let text = format!("{text}[disk]\npath = \"/cache\"\nsize = \"1GiB\"\n");
        let settings = fine(&text).dynamic.unwrap();
        assert_eq!(settings.table.as_deref(), path.map(Path::new), "{text}");
    };
    check("[routes]\nredis = \"redis://a\"\n", Some("/cache/forebay.routes"));
    check("[routes]\nredis = \"redis://a\"\ntable = \"off\"\n", None);
}

#[test]
fn what_it_cannot_be_is_refused_without_a_password() {
    let check = |line: &str, said: &str| {
        let found = problems(&format!("[routes]\n{line}\n{ROUTE}"));
        assert!(found.starts_with("f:2:") && found.contains(said), "{line}: {found}");
        assert!(!found.contains("sesame"), "{found}");
    };
    check("redis = \"http://:sesame@a\"", "`redis` cannot be `…`: no such scheme");
    check("prefix = \"{a}\"", "no keys begin so");
    check("timeout = \"0s\"", "it is too short");
    check("reconcile = \"1ms\"", "it is too short");
    check("lookups_per_second = 0", "it is too small");
    check("hipache = true", "allowed: \"on\", \"off\"");
    check("prefx = \"a\"", "did you mean `prefix`?");
}

#[test]
fn a_table_without_a_redis_is_no_way_to_do_without_routes() {
    let found = problems("[routes]\nprefix = \"a\"\n");
    assert!(found.contains("`routes` has no `redis` to read routes in"), "{found}");
}
