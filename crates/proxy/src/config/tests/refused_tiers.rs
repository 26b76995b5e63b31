//! What is refused of the tiers below memory, in which words.

use super::*;

const FORM: &str = "write redis://host:port, rediss://host:port (TLS), \
                    redis+sentinel://host:port,host:port/service, \
                    redis+cluster://host:port,host:port or unix:/path";
const APART: &str = "several servers of Redis that do not belong together; several are one \
                     cluster, each as redis+cluster://host:port, or the sentinels of one service, \
                     each as redis+sentinel://host:port/service";

/// Lines of a table, and what is said of them, with `<FORM>` and `<APART>` for the longer texts.
fn check(table: &str, lines: &str, said: &[&str]) {
    let said = said.iter().map(|line| format!("f:{line}\n")).collect::<String>();
    let said = said.replace("<FORM>", FORM).replace("<APART>", APART);
    assert_eq!(problems(&format!("[{table}]\n{lines}\n{ROUTE}")), said, "{lines}");
}

#[test]
fn half_a_disk_is_refused() {
    check(
        "disk",
        "path = \"/d\"",
        &["1:1: `disk` has a `path` and no `size`; write `size = \"20GiB\"`"],
    );
    check(
        "disk",
        "size = \"1GiB\"",
        &["1:1: `disk` has a `size` and no `path`; write `path = \"/var/cache/forebay\"`"],
    );
    let said = problems(&format!("disk = \"/d:1GiB\"\n{ROUTE}"));
    assert_eq!(said, "f:1:8: `disk` cannot be `\"/d:1GiB\"`: it is a text; allowed: a table\n");
}

#[test]
fn a_disk_out_of_bounds_is_refused() {
    let with = |lines: &str, said: &[&str]| {
        check("disk", &format!("path = \"/d\"\nsize = \"64MiB\"\n{lines}"), said);
    };
    check(
        "disk",
        "path = \"\"\nsize = \"63MiB\"",
        &[
            "2:8: `path` cannot be `\"\"`: no directory has such a path; 1 to 3072 bytes, none of them zero",
            "3:8: `size` cannot be `\"63MiB\"`: it is too small; allowed: 64MiB to 1024TiB",
        ],
    );
    with(
        "body_bytes_max = \"17MiB\"",
        &[
            "4:18: `body_bytes_max` cannot be `17MiB`: it is too large for the disk; at most a quarter of its size, 16MiB",
        ],
    );
    with(
        "sync_interval = \"1ms\"",
        &["4:17: `sync_interval` cannot be `\"1ms\"`: it is too short; allowed: 10ms to 10m"],
    );
    with(
        "write_queue = \"1KiB\"",
        &["4:15: `write_queue` cannot be `\"1KiB\"`: it is too small; allowed: 1MiB to 16GiB"],
    );
    with(
        "sync = \"1s\"",
        &[
            "4:1: unknown key `sync` in `disk`; known here: `body_bytes_max`, `path`, `size`, `sync_interval`, `write_queue`",
        ],
    );
}

#[test]
fn a_route_does_not_keep_what_no_tier_has_room_for() {
    let lines = "path = \"/d\"\nsize = \"1GiB\"\n[memory]\nsize = \"4MiB\"\n[defaults]\n\
                 stored_body_bytes_max = \"129MiB\"";
    check(
        "disk",
        lines,
        &[
            "7:25: `stored_body_bytes_max` cannot be `\"129MiB\"`: it is too large; allowed: 1B to 128MiB",
        ],
    );
}

#[test]
fn a_flag_for_the_disk_says_what_is_missing() {
    let check = |text: &str, said: &str| {
        assert_eq!(text::disk(text).unwrap_err().to_string(), said, "{text}");
    };
    check(
        "20GiB",
        "the size is missing; write a directory and a size, such as /var/cache/forebay:20GiB",
    );
    check(
        "/d:",
        "the size after the last colon: it does not begin with a number; a size is a whole number \
         with a unit, such as 64KiB, 256MiB or 1GB",
    );
    check(":1GiB", "no directory has such a path; 1 to 3072 bytes, none of them zero");
}

#[test]
fn a_url_that_names_no_redis_is_refused() {
    let url = |url: &str, why: &str| {
        check("redis", &format!("url = \"{url}\""), &[&format!("2:7: `url` cannot be `…`: {why}")]);
    };
    url("localhost:6379", "the scheme is missing; <FORM>");
    url("http://a", "no such scheme; <FORM>");
    url("redis://", "the host is missing; <FORM>");
    url("redis://a_b!", "no host has such a name; <FORM>");
    url("redis://a:0", "a port is a number, 1 to 65535; <FORM>");
    url("redis://a:port", "a port is a number, 1 to 65535; <FORM>");
    url("redis://a?db=1", "it has more than host, port and database; <FORM>");
    url("redis://a/x", "what follows the host is no database; a number, 0 to 65535");
    url("redis://a/-1", "what follows the host is no database; a number, 0 to 65535");
    url("redis://a,b", "only sentinels and a cluster's nodes are several; <FORM>");
    url("redis+cluster://a/1", "a cluster has only database 0; <FORM>");
    url("redis+cluster://a,,b", "the host is missing; <FORM>");
    url("redis+sentinel://a", "it does not say what the sentinels call the service; <FORM>");
    url("redis+sentinel://a/b c", "no service has such a name; letters, digits and -_.");
    url("redis://:@a", "no user has such a password; 1 to 1024 bytes on one line");
    url(
        "redis://%4@a",
        "a `%` in user or password is not followed by two digits; write \
         redis://user:password@host:port, with %40 for `@`, %3A for `:` and %25 for `%`; better is \
         `username` and `password_file`",
    );
    url("unix:r.sock", "the socket's path does not begin with `/`; write unix:/path");
    let many = "redis+cluster://a".to_owned() + &",a".repeat(64);
    url(&many, "it names too many servers; at most 64");
}

#[test]
fn servers_that_do_not_belong_together_are_refused() {
    let urls = |first: &str, second: &str, said: &str| {
        let lines = format!("url = [\n\"{first}\",\n\"{second}\"]");
        check("redis", &lines, &[&format!("4:1: {said}")]);
    };
    urls("redis://a", "redis://b", "<APART>");
    urls("redis+cluster://a", "rediss+cluster://b", "<APART>");
    urls("redis+cluster://a", "redis+sentinel://b/m", "<APART>");
    urls("redis+sentinel://a/m", "redis+sentinel://b/n", "<APART>");
    let users = "servers of Redis with different users or databases; say user and database once, \
                 with the first";
    urls("redis+cluster://u:p@a", "redis+cluster://v:p@b", users);
    urls("redis+cluster://a", "redis+cluster://v:p@b", users);
    urls("redis+sentinel://a/m/1", "redis+sentinel://b/m/2", users);
    let fifty =
        |letter: &str| format!("redis+cluster://{letter}{}", format!(",{letter}").repeat(49));
    urls(&fifty("a"), &fifty("b"), "too many servers of Redis; at most 64");
    check("redis", "url = []", &["2:7: `url` is empty"]);
}

#[test]
fn words_about_a_server_that_do_nothing_are_refused() {
    check(
        "redis",
        "secret_file = \"/s\"",
        &[
            "2:15: `secret_file` does nothing: no `url` says where Redis is; write `url = \"redis://localhost:6379\"`",
        ],
    );
    check(
        "redis",
        "url = \"redis://a\"\nca_file = \"/c\"",
        &[
            "3:11: `ca_file` does nothing: the servers are not spoken to over TLS; write rediss:// for redis://",
        ],
    );
    check(
        "redis",
        "url = \"redis://u:p@a\"\nusername = \"v\"\npassword_file = \"/p\"",
        &[
            "3:12: `username` stands beside a username in the URL: one of them is too many",
            "4:17: `password_file` stands beside a password in the URL: one of them is too many",
        ],
    );
    check(
        "redis",
        "url = \"redis://a\"\nusername = \"u\"",
        &[" Redis has a user and no password; write `password_file` into `[redis]`"],
    );
}

#[test]
fn a_word_about_redis_out_of_bounds_is_refused() {
    let line = |line: &str, said: &str| check("redis", line, &[&format!("2:{said}")]);
    let prefix = "no keys begin so; 1 to 64 visible characters of ASCII without { and }";
    for (written, at) in [("", 10), ("a b", 10), ("{a}:", 10), ("é", 10)] {
        let said = format!("{at}: `prefix` cannot be `\"{written}\"`: {prefix}");
        line(&format!("prefix = \"{written}\""), &said);
    }
    line(
        "timeout = \"11s\"",
        "11: `timeout` cannot be `\"11s\"`: it is too long; allowed: 1ms to 10s",
    );
    line(
        "connect_timeout = \"0s\"",
        "19: `connect_timeout` cannot be `\"0s\"`: it is too short; allowed: 1ms to 10s",
    );
    line(
        "value_bytes_max = \"1GiB\"",
        "19: `value_bytes_max` cannot be `\"1GiB\"`: it is too large; allowed: 0B to 512MiB",
    );
    line(
        "chunk = \"1KiB\"",
        "9: `chunk` cannot be `\"1KiB\"`: it is too small; allowed: 4KiB to 16MiB",
    );
    line(
        "compress_from = \"1B\"",
        "17: `compress_from` cannot be `\"1B\"`: it is too small; `off`, or a size such as \"4KiB\", 64B to 512MiB",
    );
    line(
        "admission = \"second\"",
        "13: `admission` cannot be `\"second\"`: no such word; allowed: `all`, `second-use`",
    );
    line("lease = \"11m\"", "9: `lease` cannot be `\"11m\"`: it is too long; allowed: 1s to 10m");
    line(
        "password = \"hunter\"",
        "1: unknown key `password` in `redis`; known here: `admission`, `ca_file`, `chunk`, \
         `compress_from`, `connect_timeout`, `lease`, `password_file`, `prefix`, `secret_file`, \
         `timeout`, `url`, `username`, `value_bytes_max`",
    );
}

#[test]
fn replicas_of_a_cluster_are_not_waited_for() {
    check(
        "purge",
        "replicas = 1\n[redis]\nurl = \"redis+cluster://r:1\"",
        &[
            "2:12: `replicas` cannot be `1` with a Redis Cluster; leave it out, and set `min-replicas-to-write` in Redis itself",
        ],
    );
}

#[test]
fn a_collector_that_cannot_be_is_refused() {
    let refused = |endpoint: &str| {
        let said = problems(&format!("[traces]\nendpoint = \"{endpoint}\"\n{ROUTE}"));
        assert!(said.starts_with("f:2:12: `endpoint` cannot be"), "{endpoint}: {said}");
    };
    for endpoint in ["localhost:4318", "ftp://a", "http://", "http://a:0x/", "http://a/b c", ""] {
        refused(endpoint);
    }
    let said = problems(&format!("[traces]\nsample = 0.5\n{ROUTE}"));
    assert!(said.contains("`sample` does nothing: no `endpoint` says where spans go"), "{said}");
    let said = problems(&format!("[traces]\nendpoint = \"http://a\"\nsample = 1.5\n{ROUTE}"));
    assert!(said.contains("`sample` cannot be `1.5`"), "{said}");
}

#[test]
fn who_may_purge_is_said_whole() {
    check(
        "purge",
        "secret = \"word\"",
        &["1:1: `purge` has a `secret` and no `field` to say it in"],
    );
    check(
        "purge",
        "field = \"x-purge\"",
        &["1:1: `purge` has a `field` and no `secret` that it must say"],
    );
    check("purge", "peers = []", &["1:1: `peers` is empty: nobody may purge, as without it"]);
    check(
        "purge",
        "in_doubt = \"sreve\"",
        &[
            "2:12: `in_doubt` cannot be `\"sreve\"`: no such word; did you mean `serve`? allowed: `validate`, `strict`, `serve`",
        ],
    );
}
