//! What tells stored responses apart: scheme, host and port always; the path byte for byte; and
//! what the key leaves out, the origin does not see either (CVE-2026-2836, VSV00018, Host of
//! Troubles).

use forebay_trial::wire::Message;

use crate::stage::{Stage, is_hit, mirror, status_lines, text};

async fn by_host(stage: &Stage, host: &str) -> Message {
    stage.ask(&format!("GET /k HTTP/1.1\r\nHost: {host}\r\n\r\n")).await
}

#[tokio::test]
async fn two_hosts_never_share() {
    let stage = Stage::start(mirror).await;
    let hosts =
        ["a", "b", "a.b", "b.a", "a-b", "a_b", "127.0.0.1", "[::1]", "a:81", "a:8", "a:443"];
    for host in hosts {
        assert!(!is_hit(&by_host(&stage, host).await), "{host} shares with one before it");
    }
    for host in hosts {
        let answer = by_host(&stage, host).await;
        assert!(is_hit(&answer), "{host}");
        assert!(
            text(&answer).to_ascii_lowercase().contains(&format!("host: {host}\r\n")),
            "{host}"
        );
    }
}

#[tokio::test]
async fn spellings_of_one_host_share_and_the_origin_sees_the_one_spelling() {
    // Were the origin told what the key leaves out, its answer to one spelling would poison all.
    for spelling in ["A", "a.", "a:80", "A.:80", "a:080"] {
        let stage = Stage::start(mirror).await;
        by_host(&stage, spelling).await;
        let second = by_host(&stage, "a").await;
        assert!(is_hit(&second), "{spelling} is another key than a");
        let heard = stage.origin.heard().remove(0);
        assert_eq!(heard.head.field("host").as_deref(), Some("a"), "{spelling}");
        assert_eq!(heard.head.field("x-forwarded-host").as_deref(), Some("a"), "{spelling}");
        let forwarded = heard.head.field("forwarded").unwrap_or_default();
        assert!(forwarded.contains("host=\"a\""), "{spelling}: {forwarded}");
    }
}

#[tokio::test]
async fn the_scheme_that_a_trusted_peer_says_is_in_the_key() {
    let lines = [("gateway", "trusted_peers = [\"127.0.0.1\"]")];
    let stage = Stage::with(&lines, mirror).await;
    let ask = |scheme: &str| {
        let request = format!("GET /k HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: {scheme}\r\n\r\n");
        let stage = &stage;
        async move { stage.ask(&request).await }
    };
    let http = ask("http").await;
    let https = ask("https").await;
    assert!(!is_hit(&https), "http and https share");
    assert!(text(&http).contains("X-Forwarded-Proto: http\r\n"), "{}", text(&http));
    assert!(text(&https).contains("X-Forwarded-Proto: https\r\n"), "{}", text(&https));
    assert!(is_hit(&ask("https").await) && is_hit(&stage.get("/k").await));
}

#[tokio::test]
async fn the_scheme_that_a_stranger_says_counts_for_nothing() {
    let stage = Stage::start(mirror).await;
    let said = "GET /k HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\
        X-Forwarded-Ssl: on\r\nFront-End-Https: on\r\nX-Url-Scheme: https\r\n\
        Forwarded: proto=https;host=evil\r\n\r\n";
    let first = text(&stage.ask(said).await).to_ascii_lowercase();
    assert!(!first.contains("https") && !first.contains("evil"), "{first}");
    assert!(is_hit(&stage.get("/k").await));
    // Nor can one ask for https over a connection that is not secured.
    let absolute = "GET https://a/k HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(stage.ask(absolute).await.head.status(), Ok(421));
}

#[tokio::test]
async fn the_absolute_form_is_its_host_and_never_another() {
    let stage = Stage::start(mirror).await;
    let absolute = stage.ask("GET http://a/k HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(text(&absolute).starts_with("GET /k HTTP/1.1\r\n"), "{}", text(&absolute));
    assert!(is_hit(&stage.get("/k").await), "two forms of one target are two keys");
    assert!(is_hit(&stage.ask("GET HTTP://A:80/k HTTP/1.1\r\nHost: A\r\n\r\n").await));
    // An empty path is the root.
    let empty = stage.ask("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(text(&empty).starts_with("GET / HTTP/1.1\r\n"), "{}", text(&empty));
    assert!(is_hit(&stage.get("/").await));
    let query = stage.ask("GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(text(&query).starts_with("GET /?q HTTP/1.1\r\n"), "{}", text(&query));
    assert!(is_hit(&stage.get("/?q").await));
}

#[tokio::test]
async fn a_host_against_the_target_poisons_neither() {
    let stage = Stage::start(mirror).await;
    let sent = "GET http://a/k HTTP/1.1\r\nHost: evil\r\n\r\n";
    let answer = stage.ask(sent).await;
    assert!(answer.head.status() == Ok(400) || !text(&answer).contains("evil"));
    for host in ["a", "evil"] {
        let answer = text(&by_host(&stage, host).await);
        assert!(answer.to_ascii_lowercase().contains(&format!("host: {host}\r\n")), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_host_is_refused() {
    let stage = Stage::start(mirror).await;
    for host in [
        "",
        ":80",
        "a:b",
        "a:99999",
        "a:-1",
        "a b",
        "a,b",
        "a/b",
        "a?b",
        "a#b",
        "a@b",
        "user:p@a",
        "a\\b",
        "a%00",
        "%61",
        "a;b",
        "a\tb",
        "[::1",
        "::1",
        "[::1%25eth0]",
        "http://a",
        "a..",
        "a:80:80",
        "\"a\"",
        "a'b",
        "<a>",
        "a\u{e9}",
    ] {
        let sent = format!("GET /k HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let came = stage.talk(sent.as_bytes()).await;
        assert_eq!(status_lines(&came), [400], "{host:?}: {came}");
    }
    assert_eq!(stage.origin.heard().len(), 0);
}

/// Paths that some server or cache takes for one another.
const PATHS: [&str; 51] = [
    "/a/b",
    "/a/./b",
    "/a/../b",
    "/b",
    "/a%2fb",
    "/a%2Fb",
    "/a%2e%2e/b",
    "/a/%2e%2e/b",
    "//a/b",
    "/a//b",
    "/a/b/",
    "/A/b",
    "/a/b;c",
    "/a/b%3bc",
    "/a;c/b",
    "/a/b%00",
    "/a/b%00.css",
    "/a/b%0a",
    "/a/b%0d%0aX:%20y",
    "/a/b?",
    "/a/b?c",
    "/a/b?c=",
    "/a/b?c&c",
    "/a/b?c;c",
    "/a/b%3fc",
    "/a/b%23c",
    "/a\\b",
    "/a%5cb",
    "/a/b%20",
    "/%61/b",
    "/a/b+c",
    "/a/b?c=%26d",
    "/a/b?c&d",
    "/a/b?d&c",
    "/a/b?C",
    "/..",
    "/../..",
    "/%2e%2e/",
    "/a/b%c0%af",
    "/a/b%ff",
    "/a/b%",
    "/a/b%zz",
    "/a/b|c",
    "/a/b\"c",
    "/a/b{c}",
    "/a/b^c",
    "/a/b`c",
    "/a/b<c>",
    "/http://b/",
    "/a:80/b",
    "/*",
];

#[tokio::test]
async fn every_spelling_of_a_path_is_a_key_of_its_own_and_reaches_the_origin_as_it_is() {
    let stage = Stage::start(mirror).await;
    let mut taken = Vec::new();
    for path in PATHS {
        let answer = stage.get(path).await;
        if answer.head.status() == Ok(400) {
            continue;
        }
        assert!(!is_hit(&answer), "{path} shares with one before it");
        let line = format!("GET {path} HTTP/1.1\r\n");
        assert!(text(&answer).starts_with(&line), "{path} reached the origin as {}", text(&answer));
        taken.push(path);
    }
    for path in &taken {
        let answer = stage.get(path).await;
        assert!(is_hit(&answer), "{path}");
        assert!(text(&answer).starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{path}");
    }
    assert!(taken.len() > 40, "too many are refused: {taken:?}");
}

#[tokio::test]
async fn what_is_no_target_is_refused() {
    let stage = Stage::start(mirror).await;
    for target in [
        "a",
        "a/b",
        "?a",
        "*",
        "/a#b",
        "#",
        "ftp://a/",
        "file:///etc/passwd",
        "http:/a",
        "http://",
        "http:///a",
        "http://u@a/",
        "http://u:p@a/",
        "http://a:b/",
        "http://a:99999/",
        "http://%61/",
        "javascript:x",
        "/a\u{e9}",
        "/\x7f",
        "/\x01",
        "/a\x0bb",
        "http://a\\b/",
        "http://[::1/",
    ] {
        let sent = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let came = stage.talk(sent.as_bytes()).await;
        assert_eq!(status_lines(&came), [400], "{target:?}: {came}");
    }
    assert_eq!(stage.origin.heard().len(), 0);
}

#[tokio::test]
async fn no_bytes_of_one_part_pass_for_another_part() {
    // Key injection: with joined keys these pairs would be one.
    let lines =
        [("route", "key = [\"path\", \"query\", \"field:x-a\", \"field:x-b\", \"cookie:c\"]")];
    let stage = Stage::with(&lines, mirror).await;
    for request in [
        "GET /k HTTP/1.1\r\nHost: a\r\nX-A: 1, 2\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-A: 2\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nX-B: 1\r\nX-A: 2\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nX-A: 1x-b2\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nX-A: \r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nCookie: c=1\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nCookie: c=\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a\r\nCookie: c=1x\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: ak\r\n\r\n",
        "GET /kk HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /k? HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /k?X-A:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /k%0d%0aX-A:%201 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /k HTTP/1.1\r\nHost: a:8080\r\n\r\n",
        "GET /:8080k HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/k HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET //a/k HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert!(!is_hit(&stage.ask(request).await), "shares with one before it:\n{request}");
    }
}

#[tokio::test]
async fn parameters_cannot_hide_behind_other_separators() {
    // Parameter cloaking: what is left out of the key is one parameter to every origin.
    let lines = [("route", "key = [\"path\", \"query:without(utm)\"]")];
    let stage = Stage::with(&lines, mirror).await;
    stage.get("/k?id=1&utm=x").await;
    assert!(is_hit(&stage.get("/k?id=1").await), "utm is left out");
    for query in ["id=1&utm=x;id=2", "id=1&utm;id=2", "id=1&id=2", "id=1&UTM=x", "id=1;utm=x"] {
        let answer = stage.get(&format!("/k?{query}")).await;
        assert!(!is_hit(&answer), "{query}");
    }
    assert!(!text(&stage.get("/k?id=1").await).contains("id=2"));
}

#[tokio::test]
async fn a_cookie_that_comes_twice_is_no_key_of_the_one_for_an_origin_that_takes_the_other() {
    let lines = [("route", "key = [\"path\", \"cookie:lang\"]")];
    let stage = Stage::with(&lines, mirror).await;
    for cookie in ["lang=de; lang=evil", "lang=evil; lang=de", "lang=de\r\nCookie: lang=evil"] {
        stage.ask(&format!("GET /k HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n")).await;
    }
    let clean = stage.ask("GET /k HTTP/1.1\r\nHost: a\r\nCookie: lang=de\r\n\r\n").await;
    assert!(!text(&clean).contains("evil"), "{}", text(&clean));
}

#[tokio::test]
async fn the_host_never_chooses_where_the_request_goes() {
    let other = Stage::start(mirror).await;
    let mut stage = Stage::start(mirror).await;
    let (port, ip) = (other.origin.address.port(), "127.0.0.1");
    for request in [
        format!("GET / HTTP/1.1\r\nHost: {ip}:{port}\r\n\r\n"),
        format!("GET http://{ip}:{port}/ HTTP/1.1\r\nHost: {ip}:{port}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n"),
        format!("GET //{ip}:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET /http://{ip}:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: {ip}:{port}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nForwarded: host={ip}:{port}\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n".to_owned(),
    ] {
        stage.ask(&request).await;
    }
    assert_eq!(other.origin.heard().len(), 0);
    stage.lives().await;
}
