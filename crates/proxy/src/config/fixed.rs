//! What a running gateway cannot change: tiers, names, where operators are answered, and all else that
//! was laid out at its start.
//!
//! A configuration with another word for any of it is refused as a whole; a new process can have it.

use super::{Config, DynamicSettings, PurgeSettings, Route};

impl Config {
    /// The settings that differ in the next configuration and are fixed as long as the process runs,
    /// as the file names them.
    pub fn fixed_in(&self, next: &Config) -> Vec<&'static str> {
        // Every setting is named, so that a new one does not compile until it is known which it is.
        let Config {
            listen: _,
            admin,
            admin_token: _,
            workers,
            name,
            memory_bytes,
            disk,
            redis,
            limits: _,
            trusted_peers: _,
            access_log: _,
            access_log_file: _,
            access_log_sample: _,
            reload: _,
            purge,
            destinations: _,
            traces,
            tls: _,
            proxy_protocol: _,
            routes,
            dynamic,
        } = self;
        let mut differing = Vec::new();
        let mut note =
            |name: &'static str, differs: bool| differing.extend(differs.then_some(name));
        note("admin", *admin != next.admin);
        note("workers", *workers != next.workers);
        note("name", *name != next.name);
        note("memory", *memory_bytes != next.memory_bytes);
        note("disk", *disk != next.disk);
        note("redis", *redis != next.redis);
        note("traces", *traces != next.traces);
        differing.extend(purge.fixed_in(&next.purge));
        match (dynamic, &next.dynamic) {
            (Some(own), Some(next)) => differing.extend(own.fixed_in(next)),
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => differing.push("routes"),
        }
        // With other tiers it is another one by default, and they are named already.
        let has_same_tiers = *memory_bytes == next.memory_bytes && *disk == next.disk;
        let is_longer = longest_body(&next.routes, &next.dynamic) > longest_body(routes, dynamic);
        if has_same_tiers && is_longer {
            differing.push("stored_body_bytes_max (longer than memory was laid out for)");
        }
        differing
    }
}

impl PurgeSettings {
    fn fixed_in(&self, next: &PurgeSettings) -> impl Iterator<Item = &'static str> {
        let PurgeSettings {
            doubt_after,
            in_doubt,
            rules_max,
            log_max,
            replicas,
            refresh_max: _,
            public: _,
        } = self;
        let all = [
            ("purge.doubt_after", *doubt_after != next.doubt_after),
            ("purge.in_doubt", *in_doubt != next.in_doubt),
            ("purge.rules_max", *rules_max != next.rules_max),
            ("purge.log_max", *log_max != next.log_max),
            ("purge.replicas", *replicas != next.replicas),
        ];
        all.into_iter().filter_map(|(name, differs)| differs.then_some(name))
    }
}

impl DynamicSettings {
    fn fixed_in(&self, next: &DynamicSettings) -> impl Iterator<Item = &'static str> {
        let DynamicSettings {
            redis,
            prefix,
            timeout,
            reconcile,
            absent,
            known_max,
            lookups_per_second,
            table,
            hipache,
            defaults: _,
        } = self;
        let all = [
            ("routes.redis", *redis != next.redis),
            ("routes.prefix", *prefix != next.prefix),
            ("routes.timeout", *timeout != next.timeout),
            ("routes.reconcile", *reconcile != next.reconcile),
            ("routes.absent", *absent != next.absent),
            ("routes.known_max", *known_max != next.known_max),
            ("routes.lookups_per_second", *lookups_per_second != next.lookups_per_second),
            ("routes.table", *table != next.table),
            ("routes.hipache", *hipache != next.hipache),
        ];
        all.into_iter().filter_map(|(name, differs)| differs.then_some(name))
    }
}

/// The longest body that any route keeps.
fn longest_body(routes: &[Route], dynamic: &Option<DynamicSettings>) -> u64 {
    let in_redis = dynamic.iter().map(|dynamic| &dynamic.defaults);
    routes.iter().chain(in_redis).map(|route| route.stored_body_bytes_max).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, parse};

    const BEFORE: &str = "listen = [\"127.0.0.1:80\"]\nadmin = \"off\"\n";
    const ROUTE: &str = "[[route]]\nto = \"a:1\"\n";

    fn config(text: &str) -> Config {
        parse("f", text).unwrap_or_else(|problems| panic!("{}", problems.plain()))
    }

    #[test]
    fn what_was_laid_out_at_the_start_is_fixed_and_all_else_is_not() {
        let before = config(&format!("{BEFORE}{ROUTE}"));
        let check = |head: &str, tail: &str, fixed: &[&str]| {
            let next = config(&format!("{head}{ROUTE}{tail}"));
            assert_eq!(before.fixed_in(&next), fixed, "{head}{tail}");
        };
        check(BEFORE, "", &[]);
        check("listen = [\"127.0.0.1:80\"]\n", "", &["admin"]);
        check(&format!("{BEFORE}workers = 3\nname = \"x\"\n"), "", &["workers", "name"]);
        check(&format!("{BEFORE}memory = \"64MiB\"\n"), "", &["memory"]);
        check(BEFORE, "[disk]\npath = \"/d\"\nsize = \"1GiB\"\n", &["disk"]);
        check(BEFORE, "[redis]\nurl = \"redis://a\"\n", &["redis"]);
        check(BEFORE, "[routes]\nredis = \"redis://a\"\n", &["routes"]);
        check(BEFORE, "[purge]\ndoubt_after = \"9s\"\nrefresh_max = 7\n", &["purge.doubt_after"]);
        check(BEFORE, "stale = \"9s\"\n[[route]]\nhost = \"x\"\nto = \"b:1\"\n", &[]);
        let places = "listen = []\nadmin = \"off\"\nadmin_token = \"t\"\n";
        let secured = "[tls]\nlisten = [\"127.0.0.1:81\"]\n[tls.acme]\nhosts = [\"a.example\"]\n";
        check(places, &format!("{secured}[proxy_protocol]\npeers = [\"10.0.0.1\"]\n"), &[]);
        let free = "trusted_peers = [\"10.0.0.0/8\"]\naccess_log = \"json\"\nreload = \"watch\"\n";
        check(
            &format!("{BEFORE}{free}"),
            "[limits]\nhead_timeout = \"3s\"\n[destinations]\ndeny = [\"10.0.0.1\"]\n",
            &[],
        );
    }
}
