//! Poisoning: what one client says changes what the next one gets only where the key or `Vary`
//! tells them apart (unkeyed fields, fat GET, CPDoS by HHO, HMC and HMO).

use forebay_trial::origin::{Reply, Then};

use crate::stage::{Stage, is_hit, mirror, shown, status_lines, text};

/// Fields by which some origin or framework takes a request for another than it is: another host,
/// path, scheme, port, method, or another client.
const RENAMING: [&str; 62] = [
    "X-Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Method",
    "X-Forwarded-Path",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Uri",
    "X-Forwarded-Url",
    "X-Host",
    "X-HTTP-Host-Override",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-HTTP-Path-Override",
    "X-Method-Override",
    "X-Original-Host",
    "X-Original-Method",
    "X-Original-Path",
    "X-Original-Uri",
    "X-Original-Url",
    "X-Rewrite-Uri",
    "X-Rewrite-Url",
    "X-Scheme",
    "X-Url-Scheme",
    "Front-End-Https",
    "X-Envoy-Original-Path",
    "X-Envoy-Original-Host",
    "X-Middleware-Rewrite",
    "X-Middleware-Subrequest",
    "X-Middleware-Override-Headers",
    "X-Invoke-Path",
    "X-Invoke-Query",
    "X-Invoke-Status",
    "X-Invoke-Output",
    "X-Now-Route-Matches",
    "X-Matched-Path",
    "X-Accel-Mapping",
    "X-Accel-Redirect",
    "X-Sendfile",
    "X-Sendfile-Type",
    "Proxy",
    "Forwarded",
    "Forwarded-For",
    "X-Real-Ip",
    "X-Client-Ip",
    "Client-Ip",
    "True-Client-Ip",
    "X-Cluster-Client-Ip",
    "X-Originating-Ip",
    "X-Remote-Ip",
    "X-Remote-Addr",
    "CF-Connecting-Ip",
    "Fastly-Client-Ip",
    "X-ProxyUser-Ip",
    "X-Forwarded-Client-Cert",
    "X-Envoy-External-Address",
    "X-Azure-ClientIp",
];

#[tokio::test]
async fn fields_that_rename_the_request_never_reach_the_origin() {
    let stage = Stage::start(mirror).await;
    for name in RENAMING {
        // An alias by underscores is the same name to a CGI origin; without a dash there is none.
        for spelling in
            [name.to_owned(), name.to_uppercase(), format!("X_{}", name.replace('-', "_"))]
        {
            for value in ["evil.example", "host=evil.example;proto=evil.example"] {
                let path = format!("/{spelling}/{}", value.len());
                let sent = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{spelling}: {value}\r\n\r\n");
                stage.ask(&sent).await;
                let clean = stage.get(&path).await;
                assert!(is_hit(&clean), "{spelling}");
                assert!(!text(&clean).contains("evil"), "{spelling}: {}", text(&clean));
            }
        }
    }
}

#[tokio::test]
async fn two_hundred_fields_that_the_origin_varies_on_are_two_answers_each() {
    let stage = Stage::start(|request| {
        let name = request.head.target().trim_start_matches('/').to_owned();
        let vary = format!("Vary: {name}");
        Reply::whole(200, &["Cache-Control: max-age=60", &vary], shown(request).as_bytes())
    })
    .await;
    for number in 0..200 {
        let name = format!("X-Field-{number}");
        for value in ["evil", "other"] {
            let field = format!("{name}: {value}");
            stage.ask(&format!("GET /{name} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).await;
        }
        let clean = text(&stage.get(&format!("/{name}")).await);
        assert!(!clean.contains("evil") && !clean.contains("other"), "{clean}");
    }
}

#[tokio::test]
async fn the_body_of_a_get_is_neither_passed_on_nor_believed() {
    let stage = Stage::start(mirror).await;
    for (number, head) in [
        "Content-Length: 12\r\n\r\nx=evil&y=bad",
        "Content-Length: 12\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nx=evil&y=bad",
        "Transfer-Encoding: chunked\r\n\r\nc\r\nx=evil&y=bad\r\n0\r\n\r\n",
        "Range: bytes=0-\r\nContent-Length: 12\r\n\r\nx=evil&y=bad",
        "Cache-Control: no-store\r\nContent-Length: 12\r\n\r\nx=evil&y=bad",
        "Authorization: x\r\nContent-Length: 12\r\n\r\nx=evil&y=bad",
    ]
    .iter()
    .enumerate()
    {
        for method in ["GET", "HEAD"] {
            let path = format!("/{method}{number}?x=1");
            stage.talk(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{head}").as_bytes()).await;
            let clean = text(&stage.get(&path).await);
            assert!(clean.starts_with("GET") && !clean.contains("evil"), "{head}: {clean}");
        }
    }
    for heard in stage.origin.heard() {
        assert!(heard.body.is_empty(), "{}", heard.shown());
        assert_eq!(heard.head.field("content-length"), None, "{}", heard.shown());
    }
}

#[tokio::test]
async fn a_body_that_is_keyed_is_keyed_with_all_that_it_means() {
    let lines = [("route", "methods = [\"POST\"]"), ("route", "keyed_body_bytes_max = \"1KiB\"")];
    let stage = Stage::with(&lines, mirror).await;
    let long = "x".repeat(2000);
    let bodies = [
        "Content-Length: 3\r\n\r\na=1",
        "Content-Length: 3\r\n\r\na=2",
        "Content-Length: 3\r\nContent-Type: text/plain\r\n\r\na=1",
        "Content-Length: 3\r\nContent-Type: application/json\r\n\r\na=1",
        "Content-Length: 3\r\nContent-Encoding: gzip\r\n\r\na=1",
        "Content-Length: 3\r\nContent-Type: text/plain\r\nContent-Type: text/html\r\n\r\na=1",
        "Content-Length: 0\r\n\r\n",
        &format!("Content-Length: {}\r\n\r\n{long}", long.len()),
        &format!("Transfer-Encoding: chunked\r\n\r\n7d0\r\n{long}\r\n0\r\n\r\n"),
    ];
    for body in bodies {
        let came = stage.talk(format!("POST /k HTTP/1.1\r\nHost: a\r\n{body}").as_bytes()).await;
        assert!(!came.contains("forebay; hit"), "shares with one before it: {body}");
    }
    let same =
        "POST /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n";
    assert!(stage.talk(same.as_bytes()).await.contains("forebay; hit"), "framing is no meaning");
    // One that was cut is no shorter body.
    let cut = "POST /k HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\na=1";
    assert!(!stage.talk(cut.as_bytes()).await.contains("forebay; hit"));
    assert!(!text(&stage.get("/k").await).starts_with("POST"));
}

/// An origin that fails for a request like this one, and hints at nothing about keeping.
async fn breaks(fails: fn(&str) -> bool, status: u16) -> Stage {
    let modified = "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT";
    Stage::start(move |request| match fails(&shown(request)) {
        true => Reply::whole(status, &[modified], b"broken"),
        false => Reply::whole(200, &["Cache-Control: max-age=60"], b"good"),
    })
    .await
}

async fn breaks_nobody(stage: &Stage, name: &str, attack: &str) {
    let path = format!("/{}", name.replace(' ', "-"));
    let attack = attack.replace("/PATH", &path);
    let came = stage.talk(attack.as_bytes()).await;
    let clean = stage.get(&path).await;
    assert_eq!(text(&clean), "good", "{name} broke it for others; it got:\n{came}");
}

#[tokio::test]
async fn an_oversized_head_breaks_nothing_for_others_hho() {
    for status in [400, 413, 431, 500, 503] {
        let stage = breaks(|heard| heard.len() > 8192, status).await;
        let head = format!("X-Long: {}", "x".repeat(20_000));
        let attack = format!("GET /PATH HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n");
        breaks_nobody(&stage, "one long field", &attack).await;
        let many: String = (0..100).map(|n| format!("X-{n}: {}\r\n", "y".repeat(100))).collect();
        let attack = format!("GET /PATH HTTP/1.1\r\nHost: a\r\n{many}\r\n");
        breaks_nobody(&stage, "many fields", &attack).await;
        // More than we take ourselves.
        let head = format!("X-Long: {}", "x".repeat(200_000));
        let attack = format!("GET /PATH HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n");
        breaks_nobody(&stage, "a longer field", &attack).await;
        let many: String = (0..1000).map(|n| format!("X-{n}: y\r\n")).collect();
        let attack = format!("GET /PATH HTTP/1.1\r\nHost: a\r\n{many}\r\n");
        breaks_nobody(&stage, "more fields", &attack).await;
    }
}

#[tokio::test]
async fn meta_characters_break_nothing_for_others_hmc() {
    let has_meta = |heard: &str| heard.contains("X-Meta") || heard.contains("x-meta");
    for status in [400, 403, 500] {
        let stage = breaks(has_meta, status).await;
        for (number, meta) in [
            "\u{7}",
            "\u{8}",
            "\0",
            "\\n",
            "\u{1b}",
            "\u{7f}",
            "\u{ff}",
            "\t\t",
            "\n",
            "\r",
            "${jndi:x}",
        ]
        .iter()
        .enumerate()
        {
            let attack = format!("GET /PATH HTTP/1.1\r\nHost: a\r\nX-Meta: a{meta}b\r\n\r\n");
            breaks_nobody(&stage, &format!("meta {number}"), &attack).await;
        }
    }
}

#[tokio::test]
async fn a_method_override_breaks_nothing_for_others_hmo() {
    let overrides = |heard: &str| heard.to_ascii_lowercase().contains("method");
    for status in [404, 405, 501] {
        for name in
            ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X_HTTP_METHOD"]
        {
            let stage = breaks(overrides, status).await;
            let attack = format!("GET /PATH HTTP/1.1\r\nHost: a\r\n{name}: DELETE\r\n\r\n");
            breaks_nobody(&stage, "override", &attack).await;
        }
    }
}

#[tokio::test]
async fn the_gateways_own_refusals_are_kept_by_nobody() {
    let stage = Stage::start(|_| Reply::whole(200, &["Cache-Control: max-age=60"], b"good")).await;
    for (number, attack) in [
        "GET /PATH HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
        "GET /PATH HTTP/1.1\r\nHost: a\r\nCache-Control: only-if-cached\r\n\r\n",
        "GET /PATH HTTP/1.1\r\nHost: a\r\nCDN-Loop: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n\r\n",
        "GET /PATH HTTP/1.1\r\nHost: a\r\nVia: 1 a,1 a,1 a,1 a,1 a,1 a,1 a,1 a,1 a,1 a,1 a,1 a,\
         1 a,1 a,1 a,1 a,1 a,1 a\r\n\r\n",
        "GET /PATH HTTP/1.1\r\nHost: a\r\nIf-Match: \"x\"\r\n\r\n",
        "GET /PATH HTTP/1.1\r\nHost: a\r\nRange: bytes=900-\r\n\r\n",
        "GET /PATH HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n",
    ]
    .iter()
    .enumerate()
    {
        breaks_nobody(&stage, &format!("refusal {number}"), attack).await;
    }
}

#[tokio::test]
async fn fields_that_connection_names_take_away_nothing_that_counts() {
    // CVE-2026-26365 and kin: hop-by-hop naming.
    for name in [
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "Forwarded",
        "Via",
        "CDN-Loop",
        "Authorization",
        "Cookie",
        "Cache-Control",
        "If-None-Match",
        "Accept-Encoding",
        "close, Cookie",
        "Age",
        "Date",
    ] {
        let stage = Stage::start(|request| {
            // Answers differ by who asks, as an origin may that says so.
            let who = request.head.field("authorization").or(request.head.field("cookie"));
            let private = ["Cache-Control: private, max-age=60"];
            let public = ["Cache-Control: max-age=60"];
            let fields = if who.is_some() { &private } else { &public };
            Reply::whole(200, fields, shown(request).as_bytes())
        })
        .await;
        let attack = format!(
            "GET /k HTTP/1.1\r\nHost: a\r\nCookie: c=mine\r\n\
            Authorization: mine\r\nConnection: {name}\r\n\r\n"
        );
        let came = stage.talk(attack.as_bytes()).await;
        assert!(matches!(status_lines(&came)[..], [200 | 400]), "{name}: {came}");
        for heard in stage.origin.heard() {
            assert_eq!(heard.head.field("host").as_deref(), Some("a"), "{name}");
            assert_eq!(heard.head.field("x-forwarded-for").as_deref(), Some("127.0.0.1"), "{name}");
            assert!(heard.head.field("via").is_some(), "{name}");
            assert!(heard.head.field("cdn-loop").is_some(), "{name}");
            assert_eq!(heard.head.field("connection"), None, "{name}");
        }
        let clean = text(&stage.get("/k").await);
        assert!(!clean.contains("mine"), "{name}: {clean}");
    }
    let stage = Stage::start(mirror).await;
    let sent = "POST /k HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\nhello";
    stage.talk(sent.as_bytes()).await;
    let heard = stage.origin.heard();
    assert!(heard.iter().all(|heard| heard.body == b"hello"), "the body lost its length");
}

#[tokio::test]
async fn a_request_that_makes_the_origin_hang_up_breaks_nothing_for_others() {
    let stage = Stage::start(|request| match request.head.field("x-meta").is_some() {
        true => Reply { bytes: Vec::new(), then: Then::Close },
        false => Reply::whole(200, &["Cache-Control: max-age=60"], b"good"),
    })
    .await;
    for number in 0..5 {
        let attack = "GET /PATH HTTP/1.1\r\nHost: a\r\nX-Meta: evil\r\n\r\n";
        breaks_nobody(&stage, &format!("hang up {number}"), attack).await;
    }
}

#[tokio::test]
async fn an_answer_for_one_keeps_no_others_from_the_cache() {
    // Whoever gets a private answer must not make the key one that is never kept.
    for fields in ["Cache-Control: private", "Cache-Control: no-store", "Set-Cookie: a=1"] {
        let stage = Stage::start(move |request| match request.head.field("cookie").is_some() {
            true => Reply::whole(200, &[fields], b"mine"),
            false => Reply::whole(200, &["Cache-Control: max-age=60"], b"for all"),
        })
        .await;
        for _ in 0..3 {
            stage.ask("GET /k HTTP/1.1\r\nHost: a\r\nCookie: x\r\n\r\n").await;
            assert_eq!(text(&stage.get("/k").await), "for all", "{fields}");
            assert!(is_hit(&stage.get("/k").await), "{fields}");
            // What is kept answers the one with the cookie as well: its origin says so.
            stage.ask("DELETE /k HTTP/1.1\r\nHost: a\r\n\r\n").await;
        }
    }
}
