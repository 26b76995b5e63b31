//! What is refused, in which words.
//!
//! `<WORD>` in what is expected stands for a longer text of the table below.

use super::*;

/// Texts that stand in many messages.
const LONG: &[(&str, &str)] = &[
    ("<SIZE>", "a size is a whole number with a unit, such as 64KiB, 256MiB or 1GB"),
    (
        "<SPAN>",
        "a time span is whole numbers with units, the longest first, such as 250ms, 10s, 5m, 1h30m or 1d",
    ),
    ("<SPAN_TEXT>", "a text with a unit, such as \"250ms\", \"10s\" or \"1h30m\""),
    (
        "<LISTEN>",
        "write an address and a port, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:80, or unix:/path",
    ),
    ("<MEMBER>", "write http://host:port, https://host, h2c://host:port, unix:/path or host:port"),
    (
        "<PARTS>",
        "allowed: method, scheme, host, path, query, query:sorted, query:only(a,b), query:without(a,b), field:name, cookie:name",
    ),
    (
        "<STATUS>",
        "write a status such as 404, a class such as 5xx, or a range such as 500-504, within 200 to 599",
    ),
    ("<METHODS>", "allowed: `POST`, `PUT`, `PATCH`, `QUERY`"),
    ("<FRAMING>", "the connection's own fields and the framing are the gateway's"),
    ("<SECRET>", "1 to 1024 visible characters of ASCII without spaces"),
    (
        "<TOP>",
        "`access_log`, `access_log_file`, `access_log_sample`, `admin`, `admin_token`, `admin_token_file`, `defaults`, `destinations`, `disk`, `limits`, `listen`, `memory`, `name`, `proxy_protocol`, `purge`, `redis`, `reload`, `route`, `routes`, `tls`, `traces`, `trusted_peers`, `workers`",
    ),
    (
        "<IN_LIMITS>",
        "`body_bytes_max`, `body_timeout`, `connections_max`, `connections_per_address_max`, `drain_timeout`, `fields_max`, `head_bytes_max`, `head_timeout`, `idle_timeout`, `requests_max`, `resets_max`, `send_timeout`, `streams_max`, `target_bytes_max`",
    ),
    (
        "<IN_DEFAULTS>",
        "`client_directives`, `collapse`, `collapse_wait`, `compress`, `compress_effort`, `compress_from`, `compress_types`, `early_refresh`, `heuristic`, `hit_for_miss`, `host_field`, `keep`, `key`, `keyed_body_bytes_max`, `lifetimes`, `methods`, `ranges_max`, `request_fields`, `response_fields`, `retry_pause`, `set_cookie`, `show_tags`, `skip`, `stale`, `stale_if_error`, `stale_when_unreachable`, `stale_while_revalidate`, `stored_body_bytes_max`, `tags`, `targeted_fields`, `upstream`, `variants_max`, `x_cache`",
    ),
    (
        "<IN_ROUTE>",
        "`client_directives`, `collapse`, `collapse_wait`, `compress`, `compress_effort`, `compress_from`, `compress_types`, `early_refresh`, `heuristic`, `hit_for_miss`, `host`, `host_field`, `keep`, `key`, `keyed_body_bytes_max`, `lifetimes`, `methods`, `name`, `path`, `ranges_max`, `request_fields`, `response_fields`, `retry_pause`, `set_cookie`, `show_tags`, `skip`, `stale`, `stale_if_error`, `stale_when_unreachable`, `stale_while_revalidate`, `stored_body_bytes_max`, `tags`, `targeted_fields`, `to`, `upstream`, `variants_max`, `x_cache`",
    ),
    (
        "<IN_UPSTREAM>",
        "`balance`, `ca_file`, `connect_timeout`, `connections_max`, `ejection`, `head_bytes_max`, `health`, `idle_connections_max`, `idle_timeout`, `queue_max`, `queue_timeout`, `read_timeout`, `requests_max`, `resolve_interval`, `retries`, `retry_statuses`, `send_timeout`, `server_name`, `slow_start`",
    ),
];

fn whole(text: &str, said: &[&str]) {
    let said = said.iter().map(|line| format!("f:{line}\n")).collect::<String>();
    let said = LONG.iter().fold(said, |said, (word, long)| said.replace(word, long));
    assert_eq!(problems(text), said, "{text}");
}

/// The same for lines at the top of a file that is otherwise fine.
fn top(lines: &str, said: &[&str]) {
    whole(&format!("{lines}\n{ROUTE}"), said);
}

/// The same for lines of a route.
fn in_route(lines: &str, said: &[&str]) {
    let to = if lines.starts_with("to =") { "" } else { "to = \"a:1\"" };
    whole(&format!("[[route]]\n{to}\n{lines}\n"), said);
}

#[test]
fn a_problem_at_the_top_is_said_with_its_place() {
    top("lisen = 1", &["1:1: unknown key `lisen`; did you mean `listen`? known here: <TOP>"]);
    top("backend = 1", &["1:1: unknown key `backend`; known here: <TOP>"]);
    top("workers = 0", &["1:11: `workers` cannot be `0`: it is too small; allowed: 1 to 1024"]);
    top("workers = -1", &["1:11: `workers` cannot be `-1`: it is too small; allowed: 1 to 1024"]);
    top(
        "workers = 99999999999",
        &["1:11: `workers` cannot be `99999999999`: it is too large; allowed: 1 to 1024"],
    );
    top(
        r#"workers = "auto""#,
        &[r#"1:11: `workers` cannot be `"auto"`: it is a text; allowed: a whole number"#],
    );
    top(
        r#"name = "my gateway""#,
        &[
            r#"1:8: `name` cannot be `"my gateway"`: it is no word for `Via`; 1 to 64 letters, digits and -._~ without spaces"#,
        ],
    );
    top(
        r#"access_log = "jsno""#,
        &[
            r#"1:14: `access_log` cannot be `"jsno"`: no such word; did you mean `json`? allowed: `off`, `text`, `json`"#,
        ],
    );
    top(
        "access_log = true",
        &[
            r#"1:14: `access_log` cannot be `true`: it is a boolean; allowed: "off", "text", "json""#,
        ],
    );
    top(
        r#"trusted_peers = ["10.1.0.0/8"]"#,
        &[
            r#"1:18: `trusted_peers` cannot be `"10.1.0.0/8"`: bits are set beyond the first 8; did you mean 10.0.0.0/8?"#,
        ],
    );
}

#[test]
fn a_listener_that_cannot_be_is_refused() {
    top(
        "listen = []",
        &[
            "1:10: `listen` is empty, and nobody is accepted by TLS; write an address, or `[tls]` with a `listen`",
        ],
    );
    top(
        "listen = 8080",
        &["1:10: `listen` cannot be `8080`: it is a whole number; allowed: a text in quotes"],
    );
    top(
        r#"listen = ["localhost:1", "127.0.0.1"]"#,
        &[
            r#"1:11: `listen` cannot be `"localhost:1"`: it is no address with a port; <LISTEN>"#,
            r#"1:26: `listen` cannot be `"127.0.0.1"`: the port is missing; <LISTEN>"#,
        ],
    );
    top(r#"listen = ["127.0.0.1:1", "0.0.0.0:1"]"#, &["1:26: `0.0.0.0:1` is listened to already"]);
    top(
        r#"admin = "on""#,
        &[
            r#"1:9: `admin` cannot be `"on"`: it is no address with a port; write an address such as 127.0.0.1:8081 or [::1]:8081, or `off`"#,
        ],
    );
    top(
        r#"admin = "127.0.0.1:8080""#,
        &[
            "1:9: `admin` cannot be `127.0.0.1:8080`: clients are accepted there; choose another port, or `off`",
        ],
    );
    top(
        r#"admin = "0.0.0.0:9""#,
        &[
            "1:9: `admin` cannot be `0.0.0.0:9`: others reach it, and no token guards it; write `admin_token_file`, or choose an address such as 127.0.0.1:8081",
        ],
    );
    top(
        r#"admin_token = """#,
        &["1:15: `admin_token` cannot be `…`: no field can carry it; <SECRET>"],
    );
    top(
        "admin_token = \"a\"\nadmin_token_file = \"b\"",
        &["2:20: `admin_token_file` stands beside `admin_token`: one of them is too many"],
    );
}

#[test]
fn a_bound_that_cannot_be_is_refused() {
    top(
        r#"memory = "1MiB""#,
        &[r#"1:10: `memory` cannot be `"1MiB"`: it is too small; allowed: 4MiB to 64TiB"#],
    );
    top(
        "memory = 256",
        &[
            r#"1:10: `memory` cannot be `256`: it is a whole number; allowed: a text with a unit, such as "64KiB" or "256MiB""#,
        ],
    );
    top(r#"memory = "256""#, &[r#"1:10: `memory` cannot be `"256"`: the unit is missing; <SIZE>"#]);
    top(
        r#"memory = { sise = "1GiB" }"#,
        &["1:12: unknown key `sise` in `memory`; did you mean `size`? known here: `size`"],
    );
    top(
        r#"memory = "100TiB""#,
        &[r#"1:10: `memory` cannot be `"100TiB"`: it is too large; allowed: 4MiB to 64TiB"#],
    );
    top("limits = 1", &["1:10: `limits` cannot be `1`: it is a whole number; allowed: a table"]);
    top(
        r#"limits.head_timeout = "0s""#,
        &[r#"1:23: `head_timeout` cannot be `"0s"`: it is too short; allowed: 10ms to 1d"#],
    );
    top(
        r#"limits.head_timeout = "2d""#,
        &[r#"1:23: `head_timeout` cannot be `"2d"`: it is too long; allowed: 10ms to 1d"#],
    );
    top(
        "limits.head_timeout = 10",
        &["1:23: `head_timeout` cannot be `10`: it is a whole number; allowed: <SPAN_TEXT>"],
    );
    top(
        "limits.fields_max = 1",
        &["1:21: `fields_max` cannot be `1`: it is too small; allowed: 8 to 10000"],
    );
    top(
        r#"limits.head_bytes_max = "1KiB""#,
        &["1:1: `target_bytes_max` is larger than `head_bytes_max`, which holds it"],
    );
    top(
        r#"limits.haed_timeout = "1s""#,
        &[
            "1:8: unknown key `haed_timeout` in `limits`; did you mean `head_timeout`? known here: <IN_LIMITS>",
        ],
    );
    top(
        r#"defaults.to = "a:1""#,
        &["1:10: unknown key `to` in `defaults`; known here: <IN_DEFAULTS>"],
    );
    top(
        "defaults.stale = 1979-05-27",
        &["1:18: `stale` cannot be `1979-05-27`: it is a date or time; allowed: <SPAN_TEXT>"],
    );
    top(
        "memory = 256MiB",
        &["1:10: not TOML: string values must be quoted, expected literal string"],
    );
}

#[test]
fn a_key_that_cannot_be_is_refused() {
    in_route(
        r#"key = ["scheme"]"#,
        &[
            "3:7: `key` cannot be `[…]`: it tells nothing apart, or has too many parts; 1 to 64 parts; <PARTS>",
        ],
    );
    in_route(
        "key = []",
        &[
            "3:7: `key` cannot be `[…]`: it tells nothing apart, or has too many parts; 1 to 64 parts; <PARTS>",
        ],
    );
    in_route(
        r#"key = ["methd"]"#,
        &[r#"3:8: `key` cannot be `"methd"`: no such part; did you mean `method`? <PARTS>"#],
    );
    in_route(
        r#"key = ["header:accept"]"#,
        &[
            r#"3:8: `key` cannot be `"header:accept"`: no such part; did you mean `field:accept`? <PARTS>"#,
        ],
    );
    in_route(
        r#"key = ["path", "path"]"#,
        &[r#"3:16: `key` cannot be `"path"`: the same part stands before it; <PARTS>"#],
    );
    in_route(
        r#"key = ["query", "query:sorted"]"#,
        &[r#"3:17: `key` cannot be `"query:sorted"`: the same part stands before it; <PARTS>"#],
    );
    in_route(
        r#"key = ["query:only()"]"#,
        &[
            r#"3:8: `key` cannot be `"query:only()"`: `()` is no list of parameters; 1 to 64 names as they stand in a query, with commas between them"#,
        ],
    );
    in_route(
        r#"key = ["field:a b"]"#,
        &[r#"3:8: `key` cannot be `"field:a b"`: no field has the name `a b`; <PARTS>"#],
    );
    in_route(
        r#"key = ["cookie:"]"#,
        &[r#"3:8: `key` cannot be `"cookie:"`: no cookie has the name ``; <PARTS>"#],
    );
    in_route(
        "key = [1]",
        &["3:8: `key` cannot be `1`: it is a whole number; allowed: a text in quotes"],
    );
}

#[test]
fn fields_and_skips_that_cannot_be_are_refused() {
    in_route(
        r#"targeted_fields = ["cache-control"]"#,
        &[
            r#"3:20: `targeted_fields` cannot be `"cache-control"`: it always counts, after these; write the targeted fields only"#,
        ],
    );
    in_route(
        r#"request_fields.remove = ["connection", "Content-Length", "host", "if-none-match", "a b"]"#,
        &[
            r#"3:26: `remove` cannot be `"connection"`: <FRAMING>"#,
            r#"3:40: `remove` cannot be `"Content-Length"`: <FRAMING>"#,
            r#"3:58: `remove` cannot be `"host"`: `host_field` says which host the origin sees"#,
            r#"3:66: `remove` cannot be `"if-none-match"`: the cache itself asks by it"#,
            r#"3:83: `remove` cannot be `"a b"`: no field has such a name; a field's name is letters, digits and -_.~ (RFC 9110 section 5.1)"#,
        ],
    );
    in_route(
        "request_fields.set = { transfer-encoding = \"chunked\", x-a = \"a\\nb\", x-b = 1 }",
        &[
            "3:24: `set` cannot set `transfer-encoding`: <FRAMING>",
            "3:61: `set` cannot be `\"a\\nb\"`: no field has such a value; visible ASCII with blanks between (RFC 9110 section 5.5)",
            "3:75: `set` cannot be `1`: it is a whole number; allowed: a text in quotes",
        ],
    );
    in_route(
        r#"response_fields.set.age = "0""#,
        &["3:21: `set` cannot set `age`: it must stay true (RFC 9111 section 5.1)"],
    );
    in_route(
        "request_fields.add = {}",
        &["3:16: unknown key `add` in `request_fields`; known here: `remove`, `set`"],
    );
    in_route(
        r#"skip = "on""#,
        &[
            r#"3:8: `skip` cannot be `"on"`: it is a text; allowed: "off" or a table such as { field = "x-skip", secret = "…" }"#,
        ],
    );
    in_route(
        "skip = {}",
        &[
            "3:8: `skip` has no `field` to listen for",
            "3:8: `skip` needs a `secret` or `peers`: without them anyone could flood the origin",
        ],
    );
    in_route(
        r#"skip = { field = "x-skip" }"#,
        &["3:8: `skip` needs a `secret` or `peers`: without them anyone could flood the origin"],
    );
    in_route(
        r#"skip = { field = "host", secret = "a b" }"#,
        &[
            r#"3:18: `field` cannot be `"host"`: `host_field` says which host the origin sees"#,
            "3:35: `secret` cannot be `…`: no field can carry it; <SECRET>",
        ],
    );
    in_route(
        r#"skip = { field = "x", peers = [] }"#,
        &["3:8: `skip` needs a `secret` or `peers`: without them anyone could flood the origin"],
    );
}

#[test]
fn methods_and_lifetimes_that_cannot_be_are_refused() {
    in_route(
        r#"lifetimes = { 99 = "1s", 404 = "5" }"#,
        &[
            "3:15: `lifetimes` has no status `99`: no final status is like this; <STATUS>",
            r#"3:32: `lifetimes` cannot be `"5"`: the unit is missing; <SPAN>"#,
        ],
    );
    in_route(
        r#"lifetimes = "1s""#,
        &[
            r#"3:13: `lifetimes` cannot be `"1s"`: it is a text; allowed: a table such as { 200 = "60s", 5xx = "1s" }"#,
        ],
    );
    in_route(r#"stale = "60""#, &[r#"3:9: `stale` cannot be `"60"`: the unit is missing; <SPAN>"#]);
    in_route(
        "stale = 60",
        &["3:9: `stale` cannot be `60`: it is a whole number; allowed: <SPAN_TEXT>"],
    );
    in_route(r#"stale = "11y""#, &[r#"3:9: `stale` cannot be `"11y"`: no unit `y`; <SPAN>"#]);
    in_route(
        r#"heuristic = "on""#,
        &[
            r#"3:13: `heuristic` cannot be `"on"`: a number is missing; `off`, or the longest lifetime, such as "1d""#,
        ],
    );
    in_route(
        r#"methods = ["TRACE"]"#,
        &[r#"3:12: `methods` cannot be `"TRACE"`: responses to it cannot be kept; <METHODS>"#],
    );
    in_route(
        r#"methods = ["CONNECT"]"#,
        &[r#"3:12: `methods` cannot be `"CONNECT"`: responses to it cannot be kept; <METHODS>"#],
    );
    in_route(
        r#"methods = ["post"]"#,
        &[
            r#"3:12: `methods` cannot be `"post"`: responses to it cannot be kept; did you mean `POST`? <METHODS>"#,
        ],
    );
    in_route(
        r#"methods = ["GET"]"#,
        &[
            r#"3:12: `methods` cannot be `"GET"`: its responses are kept without being listed; <METHODS>"#,
        ],
    );
    in_route(
        "methods = [\"POST\"]\nkeyed_body_bytes_max = \"0B\"",
        &["1:1: `methods` needs the request body in the key, and `keyed_body_bytes_max` is 0"],
    );
    in_route(
        "methods = \"POST\"\nkey = [\"path\"]",
        &[
            r#"1:1: `methods` lists methods, and `key` does not tell them apart; add "method" to `key`"#,
        ],
    );
}

#[test]
fn another_word_of_a_route_that_cannot_be_is_refused() {
    in_route(
        r#"colapse = "on""#,
        &["3:1: unknown key `colapse` in `route`; did you mean `collapse`? known here: <IN_ROUTE>"],
    );
    in_route(
        r#"path = "api""#,
        &[
            r#"3:8: `path` cannot be `"api"`: it does not begin with `/`; write a prefix such as / or /api/, as a client sends it"#,
        ],
    );
    in_route(
        r#"host = "a:80""#,
        &[
            r#"3:8: `host` cannot be `"a:80"`: hosts are compared without their port; write a name such as example.com, *.example.com, or * for every host"#,
        ],
    );
    in_route("to = []", &["3:6: `to` is empty"]);
    in_route(
        r#"name = """#,
        &[
            r#"3:8: `name` cannot be `""`: no log can show it; 1 to 64 visible characters of ASCII without spaces"#,
        ],
    );
    in_route(
        r#"client_directives = "obay""#,
        &[
            r#"3:21: `client_directives` cannot be `"obay"`: no such word; did you mean `obey`? allowed: `protect`, `obey`"#,
        ],
    );
    in_route(
        r#"set_cookie = "keep_out""#,
        &[
            r#"3:14: `set_cookie` cannot be `"keep_out"`: no such word; did you mean `keep-out`? allowed: `keep-out`, `allow`"#,
        ],
    );
}

#[test]
fn a_bound_of_a_route_that_cannot_be_is_refused() {
    in_route(
        r#"stored_body_bytes_max = "512MiB""#,
        &[
            r#"3:25: `stored_body_bytes_max` cannot be `"512MiB"`: it is too large; allowed: 1B to 256MiB"#,
        ],
    );
    in_route(
        r#"stored_body_bytes_max = "0B""#,
        &[
            r#"3:25: `stored_body_bytes_max` cannot be `"0B"`: it is too small; allowed: 1B to 256MiB"#,
        ],
    );
    in_route(
        "collapse = true",
        &[r#"3:12: `collapse` cannot be `true`: it is a boolean; allowed: "on", "off""#],
    );
    in_route(
        r#"collapse_wait = "0s""#,
        &[r#"3:17: `collapse_wait` cannot be `"0s"`: it is too short; allowed: 10ms to 1d"#],
    );
    in_route(
        r#"hit_for_miss = "2d""#,
        &[r#"3:16: `hit_for_miss` cannot be `"2d"`: it is too long; allowed: 0s to 1d"#],
    );
    in_route(
        "early_refresh = -1.0",
        &["3:17: `early_refresh` cannot be `-1.0`: it is out of bounds; allowed: 0.0 to 100.0"],
    );
    in_route(
        "early_refresh = nan",
        &["3:17: `early_refresh` cannot be `nan`: it is out of bounds; allowed: 0.0 to 100.0"],
    );
    in_route(
        r#"early_refresh = "1""#,
        &[r#"3:17: `early_refresh` cannot be `"1"`: it is a text; allowed: a number, such as 1.0"#],
    );
    in_route(
        "variants_max = 0",
        &["3:16: `variants_max` cannot be `0`: it is too small; allowed: 1 to 10000"],
    );
    in_route(
        "ranges_max = 1001",
        &["3:14: `ranges_max` cannot be `1001`: it is too large; allowed: 1 to 1000"],
    );
    in_route(
        r#"x_cache = "yes""#,
        &[r#"3:11: `x_cache` cannot be `"yes"`: no such word; allowed: `on`, `off`"#],
    );
    in_route(
        r#"host_field = "origin""#,
        &[r#"3:14: `host_field` cannot be `"origin"`: no such word; allowed: `client`, `member`"#],
    );
    in_route(
        r#"upstream.connect_timeout = "1ms""#,
        &[r#"3:28: `connect_timeout` cannot be `"1ms"`: it is too short; allowed: 10ms to 1d"#],
    );
    in_route(
        r#"upstream.timeout = "1s""#,
        &["3:10: unknown key `timeout` in `upstream`; known here: <IN_UPSTREAM>"],
    );
}

#[test]
fn problems_of_a_whole_file_are_all_said() {
    whole(
        "",
        &[
            r#" no route: nothing says where requests go; type `forebay run --to http://localhost:3000`, or write `[[route]]` and `to = "http://localhost:3000"` into the file"#,
        ],
    );
    whole("route = 1", &["1:9: `route` cannot be `1`: it is a whole number; allowed: a table"]);
    whole(
        "[[route]]\nhost = \"a\"\n",
        &[
            r#"1:1: `route` has no `to`: nothing says where it leads; write `to = "http://localhost:3000"`"#,
        ],
    );
    whole(
        "[[route]]\nto = [\"http://a/app\", \"http://u:p@a\", \"a\"]\n",
        &[
            r#"2:7: `to` cannot be `"http://a/app"`: a member has no path: the client's path is sent on; <MEMBER>"#,
            r#"2:23: `to` cannot be `"http://u:p@a"`: a member has no user name or password; <MEMBER>"#,
            r#"2:39: `to` cannot be `"a"`: the port is missing; <MEMBER>"#,
        ],
    );
    whole(
        "[[route]]\nname = \"x\"\nhost = \"a\"\nto = \"a:1\"\n[[route]]\nname = \"y\"\nhost = \"A.\"\nto = \"b:1\"\n",
        &["5:1: route `y` is never chosen: route `x` has the same host and path, `a/`"],
    );
    whole(
        "[[route]]\nname = \"x\"\nto = \"a:1\"\n[[route]]\nname = \"x\"\nhost=\"b\"\nto = \"b:1\"\n",
        &["4:1: two routes are named `x`"],
    );
    whole(
        "[[route]]\nto = \"unix:/a\"\nhost_field = \"member\"\n",
        &["1:1: `host_field` cannot be `member`: a Unix socket has no name to send"],
    );
    whole(
        "route = []",
        &[
            r#" no route: nothing says where requests go; type `forebay run --to http://localhost:3000`, or write `[[route]]` and `to = "http://localhost:3000"` into the file"#,
        ],
    );
    whole(
        "[defaults]\nstored_body_bytes_max = \"1GiB\"\n[[route]]\nto = \"a:1\"\n[[route]]\nhost=\"b\"\nto=\"a:1\"\n",
        &[
            r#"2:25: `stored_body_bytes_max` cannot be `"1GiB"`: it is too large; allowed: 1B to 256MiB"#,
        ],
    );
}

#[test]
fn what_is_not_toml_is_said_beside_what_is_wrong_on_other_lines() {
    whole(
        "listen = [\nworkers = 0\n[limits]\nfields_max = 0\n",
        &[
            "2:1: not TOML: string values must be quoted, expected literal string",
            "2:9: not TOML: unexpected `=` in array, expected value, `]`",
            "2:11: not TOML: missing comma between array elements, expected `,`",
            "3:1: not TOML: missing comma between array elements, expected `,`",
            "3:2: not TOML: string values must be quoted, expected literal string",
            "4:1: not TOML: missing comma between array elements, expected `,`",
            "4:1: not TOML: invalid boolean, expected `false`",
            "4:12: not TOML: unexpected `=` in array, expected value, `]`",
            "4:14: not TOML: missing comma between array elements, expected `,`",
            "4:15: not TOML: unclosed array, expected `]`",
        ],
    );
    whole(
        "a = \n b = 1\n= 3\nworkers = 0\n",
        &[
            "1:5: not TOML: string values must be quoted, expected literal string",
            "2:2: unknown key `b`; known here: <TOP>",
            "3:1: not TOML: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`",
            "4:11: `workers` cannot be `0`: it is too small; allowed: 1 to 1024",
        ],
    );
    whole("name = \"a\n", &[r#"1:10: not TOML: invalid basic string, expected `"`"#]);
    whole(
        "\n\nworkers = 1\nworkers = 2\nzz = 1\n[[route]]\nto = \"a:1\"",
        &["4:1: not TOML: duplicate key", "5:1: unknown key `zz`; known here: <TOP>"],
    );
}

#[test]
fn a_coding_or_a_media_type_that_cannot_be_is_refused() {
    in_route(
        r#"compress = ["gzip", "zsdt"]"#,
        &[
            r#"3:21: `compress` cannot be `"zsdt"`: no such word; did you mean `zstd`? allowed: `zstd`, `br`, `gzip`"#,
        ],
    );
    for types in ["html", "*/*", "a/b/c", "a/", "text/html;charset=utf-8"] {
        in_route(
            &format!("compress_types = [\"{types}\"]"),
            &[&format!(
                "3:19: `compress_types` cannot be `\"{types}\"`: no response has such a type; a media type such as \"application/x-protobuf\", or all of a group: \"model/*\""
            )],
        );
    }
}
