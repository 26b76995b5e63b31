//! What is understood, and what goes before what.

use std::time::Duration;

use forebay_semantics::coding::Coding;
use forebay_semantics::key::{Part, Query};
use forebay_semantics::policy::Heuristic;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_route_needs_no_more_than_where_it_leads() {
    let config = fine("route = [{ to = \"http://localhost:3000\" }]");
    assert_eq!(config.routes[0].host, HostPattern::Any);
    assert_eq!(config.routes[0].path_prefix, "/");
    assert_eq!(config.routes[0].name, "*/");
    assert_eq!(config.listen, [text::listen("127.0.0.1:8080").unwrap()]);
    assert_eq!(config.admin, Some("127.0.0.1:8081".parse().unwrap()));
    assert_eq!(config.memory_bytes, 256 << 20);
}

#[test]
fn a_value_alone_is_a_list_of_one() {
    let config = fine(&format!("listen = \"[::1]:80\"\ntrusted_peers = \"::1\"\n{ROUTE}"));
    assert_eq!(config.listen.len(), 1);
    assert_eq!(config.trusted_peers.len(), 1);
}

#[test]
fn memory_is_a_size_or_a_table_and_bounds_a_stored_body_to_an_eighth() {
    let check = |text: &str, memory: u64, body: u64| {
        let config = fine(&format!("{text}{ROUTE}"));
        let found = (config.memory_bytes, config.routes[0].stored_body_bytes_max);
        assert_eq!(found, (memory, body), "{text}");
    };
    check("memory = \"64MiB\"", 64 << 20, 8 << 20);
    check("[memory]\nsize = \"1GiB\"", 1 << 30, 32 << 20);
    check("memory = \"4MiB\"", 4 << 20, 512 << 10);
}

#[test]
fn a_routes_own_word_goes_before_the_defaults() {
    let config = fine(
        "[defaults]\nstale = \"60s\"\nretry_pause = \"3s\"\nupstream.read_timeout = \"7s\"\n\
         upstream.connect_timeout = \"2s\"\n\
         [[route]]\nhost = \"a\"\nto = \"a:1\"\nstale_if_error = \"5s\"\n\
         upstream.read_timeout = \"9s\"\n\
         [[route]]\nhost = \"b\"\nto = \"b:1\"\n",
    );
    let [a, b] = &config.routes[..] else { panic!() };
    assert_eq!(a.policy.stale_while_revalidate, seconds(60));
    assert_eq!(a.policy.stale_if_error, seconds(5));
    assert_eq!(b.policy.stale_if_error, seconds(60));
    assert_eq!((a.retry_pause, b.retry_pause), (seconds(3), seconds(3)));
    assert_eq!((a.upstream.read_timeout, b.upstream.read_timeout), (seconds(9), seconds(7)));
    assert_eq!(a.upstream.connect_timeout, seconds(2));
}

#[test]
fn the_narrowest_range_of_statuses_goes_first() {
    let config = fine(
        "[[route]]\nto = \"a:1\"\n\
         lifetimes = { 4xx = \"1s\", 500-504 = \"2s\", 404 = \"3s\" }\n",
    );
    let found: Vec<(u16, u16, u64)> = config.routes[0]
        .policy
        .lifetimes
        .iter()
        .map(|one| (one.first.as_u16(), one.last.as_u16(), one.lifetime.as_secs()))
        .collect();
    assert_eq!(found, [(404, 404, 3), (500, 504, 2), (400, 499, 1)]);
}

#[test]
fn a_key_is_any_mix_of_a_requests_parts() {
    let config = fine(
        "[[route]]\nto = \"a:1\"\nkey = [\"method\", \"scheme\", \"host\", \"path\", \
         \"query:without(a, b)\", \"field:Accept\", \"cookie:c\"]\n",
    );
    let without = Query::Without(vec!["a".to_owned(), "b".to_owned()]);
    let field = Part::Field(http::header::ACCEPT);
    let parts = [Part::Method, Part::Path, Part::Query(without), field, Part::Cookie("c".into())];
    assert_eq!(config.routes[0].key.parts, parts);
    let check = |part: &str, query: Query| {
        let config = fine(&format!("[[route]]\nto = \"a:1\"\nkey = [\"{part}\"]"));
        assert_eq!(config.routes[0].key.parts, [Part::Query(query)], "{part}");
    };
    check("query", Query::Whole);
    check("query:sorted", Query::Sorted);
    check("query:only(a)", Query::Only(vec!["a".to_owned()]));
}

#[test]
fn what_the_defaults_switch_on_a_route_can_switch_off() {
    let config = fine(
        "[defaults]\nskip = { field = \"x-skip\", peers = [\"::1\"] }\nheuristic = \"1h\"\n\
         [[route]]\nhost = \"a\"\nto = \"a:1\"\n\
         [[route]]\nhost = \"b\"\nto = \"b:1\"\nskip = \"off\"\nheuristic = \"off\"\n",
    );
    assert_eq!(config.routes[0].skip.as_ref().unwrap().field, "x-skip");
    assert!(config.routes[1].skip.is_none());
    let hour = Heuristic::TenthOfAge { lifetime_max: seconds(3600) };
    assert_eq!(config.routes[0].policy.heuristic, hour);
    assert_eq!(config.routes[1].policy.heuristic, Heuristic::Off);
}

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.to_owned(), port }
}

#[test]
fn a_disk_needs_a_place_and_a_size_and_bounds_a_stored_body() {
    let check = |text: &str, size: u64, body: u64, stored: u64| {
        let config = fine(&format!("[disk]\npath = \"/d\"\n{text}{ROUTE}"));
        let disk = config.disk.unwrap();
        assert_eq!((disk.size_bytes, disk.body_bytes_max), (size, body), "{text}");
        assert_eq!(config.routes[0].stored_body_bytes_max, stored, "{text}");
        assert_eq!(disk.path, std::path::Path::new("/d"));
    };
    check("size = \"20GiB\"", 20 << 30, 1 << 30, 1 << 30);
    check("size = \"1GiB\"", 1 << 30, 128 << 20, 128 << 20);
    check("size = \"1GiB\"\nbody_bytes_max = \"256MiB\"", 1 << 30, 256 << 20, 256 << 20);
    // Less than memory alone would keep.
    check("size = \"64MiB\"", 64 << 20, 8 << 20, 32 << 20);
    assert_eq!(fine(&format!("[disk]\nsync_interval = \"2s\"{ROUTE}")).disk, None);
}

#[test]
fn a_route_can_say_what_the_disk_takes() {
    let disk = "[disk]\npath = \"/d\"\nsize = \"20GiB\"\n";
    let said = "stored_body_bytes_max = \"1GiB\"";
    let config = fine(&format!("memory = \"64MiB\"\n{disk}{ROUTE}{said}"));
    assert_eq!(config.routes[0].stored_body_bytes_max, 1 << 30);
}

#[test]
fn a_disk_is_said_whole() {
    let config = fine(&format!(
        "[disk]\npath = \"/d\"\nsize = \"1GiB\"\nsync_interval = \"250ms\"\nwrite_queue = \"1MiB\"{ROUTE}"
    ));
    let disk = config.disk.unwrap();
    assert_eq!(disk.sync_interval, Duration::from_millis(250));
    assert_eq!(disk.write_queue_bytes, 1 << 20);
}

#[test]
fn redis_is_one_server_some_sentinels_or_a_cluster() {
    let check = |url: &str, servers: RedisServers, tls: Switch, database: i64| {
        let redis = fine(&format!("[redis]\nurl = {url}{ROUTE}")).redis.unwrap();
        assert_eq!((redis.servers, redis.tls, redis.database), (servers, tls, database), "{url}");
    };
    use RedisServers::{Cluster, One, Sentinel};
    check("\"redis://a\"", One(tcp("a", 6379)), Switch::Off, 0);
    check("\"rediss://A.b:1/7\"", One(tcp("a.b", 1)), Switch::On, 7);
    check("\"redis://[::1]:2/\"", One(tcp("::1", 2)), Switch::Off, 0);
    check("\"unix:/run/r.sock\"", One(Address::Unix("/run/r.sock".into())), Switch::Off, 0);
    check("\"unix:///run/r.sock\"", One(Address::Unix("/run/r.sock".into())), Switch::Off, 0);
    let nodes = || vec![tcp("a", 1), tcp("b", 6379)];
    check("\"redis+cluster://a:1,b\"", Cluster(nodes()), Switch::Off, 0);
    check("[\"rediss+cluster://a:1\", \"rediss+cluster://b\"]", Cluster(nodes()), Switch::On, 0);
    let service = || "main".to_owned();
    let sentinels = || vec![tcp("a", 1), tcp("b", 26_379)];
    let three = || Sentinel { sentinels: sentinels(), service: service() };
    check("\"redis+sentinel://a:1,b/main\"", three(), Switch::Off, 0);
    check("\"rediss+sentinel://a:1,b/main/3\"", three(), Switch::On, 3);
    let two = "[\"redis+sentinel://u:p@a:1/main\", \"redis+sentinel://b/main\"]";
    check(two, three(), Switch::Off, 0);
}

#[test]
fn who_asks_stands_in_the_url_or_beside_it() {
    let check = |lines: &str, user: Option<&str>, password: Option<&str>| {
        let redis = fine(&format!("[redis]\n{lines}{ROUTE}")).redis.unwrap();
        assert_eq!(redis.username.as_deref(), user, "{lines}");
        assert_eq!(redis.password.as_ref().map(Secret::expose), password, "{lines}");
    };
    check("url = \"redis://a\"", None, None);
    check("url = \"redis://u:p@a\"", Some("u"), Some("p"));
    check("url = \"redis://:p%40%3a%25:/@a\"", None, Some("p@:%:/"));
    check("url = \"redis://a\"\nusername = \"u\"\npassword_file = \"/p\"", Some("u"), None);
}

#[test]
fn redis_is_said_whole() {
    let redis = fine(&format!(
        "[redis]\nurl = \"rediss://a\"\nca_file = \"/ca\"\nprefix = \"x\"\ntimeout = \"1ms\"\n\
         connect_timeout = \"10s\"\nvalue_bytes_max = \"512MiB\"\nchunk = \"16MiB\"\n\
         compress_from = \"off\"\nadmission = \"second-use\"\nlease = \"1s\"{ROUTE}"
    ))
    .redis
    .unwrap();
    let expected = RedisSettings {
        servers: RedisServers::One(tcp("a", 6379)),
        username: None,
        password: None,
        tls: Switch::On,
        ca_file: Some("/ca".into()),
        database: 0,
        prefix: "x".to_owned(),
        timeout: Duration::from_millis(1),
        connect_timeout: seconds(10),
        value_bytes_max: 512 << 20,
        chunk_bytes: 16 << 20,
        compress_from: None,
        admission: Admission::SecondUse,
        secret: None,
        lease: seconds(1),
    };
    assert_eq!(redis, expected);
}

#[test]
fn purges_are_said_whole() {
    let silent = parse("f", "[[route]]\nto = \"a:1\"").unwrap().purge;
    assert_eq!(silent, PurgeSettings::default());
    let text = r#"
        [purge]
        doubt_after = "5s"
        in_doubt = "strict"
        rules_max = 1000
        log_max = 2000
        refresh_max = 0
        peers = ["10.0.0.0/8"]
        field = "X-Purge"
        secret = "word"
        [[route]]
        to = "a:1"
    "#;
    let purge = parse("f", text).unwrap().purge;
    assert_eq!((purge.doubt_after, purge.in_doubt), (seconds(5), InDoubt::Strict));
    assert_eq!((purge.rules_max, purge.log_max, purge.refresh_max), (1000, 2000, 0));
    let public = purge.public.unwrap();
    assert_eq!(public.peers.len(), 1);
    let (field, secret) = public.secret.unwrap();
    assert_eq!((field.as_str(), secret.as_str()), ("x-purge", "word"));
}

#[test]
fn flags_name_the_tiers_and_go_before_the_file() {
    let path = file(
        "tiers.toml",
        "[disk]\npath = \"/d\"\nsize = \"1GiB\"\nsync_interval = \"5s\"\n\
         [redis]\nurl = \"redis://a\"\nprefix = \"x:\"\n",
    );
    let flags = ["--to", "a:1", "--disk", "/e:f:2GiB", "--redis", "redis+cluster://b"];
    let more = ["--redis", "redis+cluster://c"];
    let with_file = ["--config", path.to_str().unwrap()];
    let words: Vec<&str> = [&flags[..], &more, &with_file].concat();
    let config = run(&words).unwrap();
    std::fs::remove_file(&path).unwrap();
    let (disk, redis) = (config.disk.unwrap(), config.redis.unwrap());
    assert_eq!((disk.path.to_str(), disk.size_bytes), (Some("/e:f"), 2 << 30));
    assert_eq!((disk.body_bytes_max, disk.sync_interval), (256 << 20, seconds(5)));
    let nodes = vec![tcp("b", 6379), tcp("c", 6379)];
    assert_eq!((redis.servers, redis.prefix.as_str()), (RedisServers::Cluster(nodes), "x:"));
    let alone = tiers(&TierArgs {
        disk: Some(text::disk("/e:1GiB").unwrap()),
        redis: vec![Secret::new("redis://b")],
    })
    .unwrap();
    assert_eq!(alone.disk.unwrap().size_bytes, 1 << 30);
    assert_eq!(alone.redis.unwrap().servers, RedisServers::One(tcp("b", 6379)));
}

#[test]
fn password_and_secret_are_read_from_their_files() {
    let password = file("password", "pass word\n");
    let secret = file("secret", &format!("{}\r\n", "s".repeat(32)));
    let path = file(
        "redis.toml",
        &format!(
            "[redis]\nurl = \"redis://a\"\npassword_file = {password:?}\nsecret_file = {secret:?}{ROUTE}"
        ),
    );
    let read = || run(&["--config", path.to_str().unwrap()]);
    let redis = read().unwrap().redis.unwrap();
    assert_eq!(redis.password.as_ref().map(Secret::expose), Some("pass word"));
    assert_eq!(redis.secret.as_ref().map(Secret::expose), Some(&*"s".repeat(32)));
    let shown = format!("{redis:?}");
    assert!(!shown.contains("pass word") && !shown.contains("sss"), "{shown}");
    std::fs::write(&password, "hunter\u{7}two").unwrap();
    std::fs::write(&secret, "short").unwrap();
    let said = read().unwrap_err().plain();
    let at = path.display();
    assert_eq!(
        said,
        format!(
            "{at}:3:17: cannot use the password in `{}`: no user has such a password; 1 to 1024 \
             bytes on one line\n{at}:4:15: cannot use the secret in `{}`: its length is not that \
             of a secret; 32 to 4096 bytes of text\n",
            password.display(),
            secret.display()
        )
    );
    for path in [password, secret, path] {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn no_flag_or_message_shows_a_password() {
    let check = |url: &str| {
        let said = run(&["--to", "a:1", "--redis", url]).map(|config| format!("{config:?}"));
        let shown = said.unwrap_or_else(|problems| {
            let (human, plain) = (problems.human(Colours::Off), problems.plain());
            format!("{problems:?} {human} {plain} {}", problems.json())
        });
        assert!(!shown.contains("hunter"), "{url}: {shown}");
        let text = format!("[redis]\nurl = [{url:?}]\nlease = \"1\"{ROUTE}");
        let problems = parse("f", &text).unwrap_err();
        let (human, plain) = (problems.human(Colours::Off), problems.plain());
        let shown = format!("{problems:?} {human} {plain} {}", problems.json());
        assert!(shown.contains("lease") && !shown.contains("hunter"), "{url}: {shown}");
    };
    for url in [
        "redis://u:hunter@a",
        "redis://:hunter@",
        "redis://:hunter@a:x",
        "redis://:hunter",
        "redis://u:hunter",
        "redis:/u:hunter@a",
        "u:hunter@a:1",
        "redis://u:hunter/x@a",
        "redis://u:hunter?@a",
        "redis://u:%zzhunter@a",
        "rdis://hunter@a",
        "redis://a/hunter",
        "redis+cluster://:hunter@a/1",
        "redis+sentinel://:hunter@a",
    ] {
        check(url);
    }
    let args = TierArgs { disk: None, redis: vec![Secret::new("redis://:hunter@a")] };
    assert!(!format!("{args:?}").contains("hunter"));
}

fn run(flags: &[&str]) -> Result<Config, Problems> {
    use clap::Parser;
    let words = ["forebay", "run"].iter().chain(flags);
    let cli = crate::cli::Cli::try_parse_from(words).unwrap();
    let crate::cli::Command::Run(args) = cli.command else { panic!("not run") };
    from_run(&args)
}

/// A file for one test, which removes it.
fn file(name: &str, text: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("forebay-{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn flags_alone_are_a_configuration() {
    let config = run(&[
        "--to",
        "http://a:1",
        "--to",
        "b:2",
        "--listen",
        "[::1]:8080",
        "--listen",
        "unix:/s",
        "--admin",
        "off",
        "--memory",
        "64MiB",
        "--stale",
        "1m",
        "--workers",
        "2",
        "--log",
        "json",
    ])
    .unwrap();
    assert_eq!(config.routes.len(), 1);
    assert_eq!(config.routes[0].name, "default");
    assert_eq!(config.routes[0].upstream.members.len(), 2);
    assert_eq!(config.routes[0].policy.stale_if_error, seconds(60));
    assert_eq!(config.routes[0].policy.stale_while_revalidate, seconds(60));
    assert_eq!(config.routes[0].stored_body_bytes_max, 8 << 20);
    assert_eq!(config.listen.len(), 2);
    assert_eq!((config.admin, config.workers), (None, Some(2)));
    assert_eq!(config.access_log, AccessLog::Json);
}

#[test]
fn a_flag_goes_before_the_file_and_its_route_comes_last() {
    let path = file(
        "flags.toml",
        "memory = \"8MiB\"\nlisten = \"127.0.0.1:1\"\nworkers = 7\n[defaults]\nstale = \"5s\"\n\
         [[route]]\nhost = \"a\"\nto = \"a:1\"\n[[route]]\nhost = \"b\"\nto = \"b:1\"\nstale = \"9s\"\n",
    );
    let path_text = path.to_str().unwrap();
    let config = run(&["--config", path_text, "--to", "c:1", "--memory", "16MiB", "--stale", "1s"]);
    let config = config.unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((config.memory_bytes, config.workers), (16 << 20, Some(7)));
    assert_eq!(config.listen, [text::listen("127.0.0.1:1").unwrap()]);
    let found: Vec<(String, u64)> = config
        .routes
        .iter()
        .map(|route| (route.host.to_string(), route.policy.stale_if_error.as_secs()))
        .collect();
    assert_eq!(found, [("a".to_owned(), 1), ("b".to_owned(), 9), ("*".to_owned(), 1)]);
}

#[test]
fn a_token_is_read_from_its_file() {
    let token = file("token", "opensesame\n");
    let named = format!("admin = \"0.0.0.0:9\"\nadmin_token_file = {token:?}\n{ROUTE}");
    let path = file("token.toml", &named);
    let read = || run(&["--config", path.to_str().unwrap()]);
    assert_eq!(read().unwrap().admin_token.as_deref(), Some("opensesame"));
    std::fs::remove_file(&token).unwrap();
    let said = read().unwrap_err().plain();
    let cause = "cannot read `TOKEN`: No such file or directory (os error 2)";
    let cause = cause.replace("TOKEN", token.to_str().unwrap());
    assert_eq!(said, format!("{}:2:20: {cause}\n", path.display()));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn flags_without_a_route_are_told_what_to_type() {
    let said = run(&[]).unwrap_err().plain();
    assert_eq!(
        said,
        "no route: nothing says where requests go; type `forebay run --to http://localhost:3000`, \
         or write `[[route]]` and `to = \"http://localhost:3000\"` into the file\n"
    );
    let said = run(&["--config", "/nowhere/f.toml"]).unwrap_err().plain();
    assert_eq!(said, "cannot read `/nowhere/f.toml`: No such file or directory (os error 2)\n");
}

#[test]
fn flags_that_cannot_be_together_are_refused() {
    let check = |flags: &[&str], said: &str| {
        let flags: Vec<&str> = ["--to", "a:1"].iter().chain(flags).copied().collect();
        assert_eq!(run(&flags).unwrap_err().plain(), format!("{said}\n"), "{flags:?}");
    };
    check(&["--memory", "1MiB"], "`--memory` cannot be `1MiB`; allowed: 4MiB to 64TiB");
    check(&["--workers", "0"], "`--workers` cannot be `0`; allowed: 1 to 1024");
    check(
        &["--listen", "0.0.0.0:8081"],
        "`admin` cannot be `127.0.0.1:8081`: clients are accepted there; choose another port, or \
         `off`",
    );
    check(
        &["--admin", "0.0.0.0:8081"],
        "`admin` cannot be `0.0.0.0:8081`: others reach it, and no token guards it; write \
         `admin_token_file`, or choose an address such as 127.0.0.1:8081",
    );
    check(&["--disk", "/d:1MiB"], "`--disk` cannot be `/d:1MiB`; allowed: 64MiB to 1024TiB");
    check(
        &["--redis", "redis://a", "--redis", "redis://b"],
        "several servers of Redis that do not belong together; several are one cluster, each as \
         redis+cluster://host:port, or the sentinels of one service, each as \
         redis+sentinel://host:port/service",
    );
    check(&["--listen", "unix:/s", "--listen", "unix:/s"], "`unix:/s` is listened to already");
}

#[test]
fn a_route_may_compress_in_codings_of_its_own() {
    let config = fine(
        "[defaults]\ncompress = [\"br\", \"gzip\", \"br\"]\ncompress_types = \"Model/*\"\n\
         [[route]]\nto = \"a:1\"\ncompress = []\n\
         [[route]]\nto = \"a:1\"\npath = \"/b\"\ncompress_from = \"4KiB\"\n\
         compress_effort = \"best\"\n",
    );
    let [off, on] = &config.routes[..] else { panic!("two routes") };
    assert!(off.compress.codings.is_empty());
    assert_eq!(on.compress.codings, [Coding::Brotli, Coding::Gzip]);
    assert_eq!((on.compress.from_bytes, on.compress.effort), (4096, Effort::Best));
    assert!(on.compress.types[0].hold("model/obj") && !on.compress.types[0].hold("text/obj"));
}

#[test]
fn spans_go_where_the_endpoint_says() {
    let check = |endpoint: &str, host: &str, port: u16, path: &str| {
        let config = fine(&format!("[traces]\nendpoint = \"{endpoint}\"\n{ROUTE}"));
        let traces = config.traces.unwrap();
        assert_eq!((traces.member.host.as_str(), traces.member.port), (host, port), "{endpoint}");
        assert_eq!((traces.path.to_string().as_str(), traces.sample), (path, 0.01), "{endpoint}");
    };
    check("http://127.0.0.1:4318", "127.0.0.1", 4318, "/v1/traces");
    check("http://127.0.0.1:4318/", "127.0.0.1", 4318, "/v1/traces");
    check("https://otel.example/own/path?a=b", "otel.example", 443, "/own/path?a=b");
    assert!(fine(ROUTE).traces.is_none());
}
