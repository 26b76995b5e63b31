//! What is for operators alone: the admin listener, purges, the field that skips the look-up, and
//! fields that only the gateway may say.

use forebay_trial::client::Client;
use forebay_trial::wire::Message;
use tokio::io::AsyncWriteExt;

use crate::frames::{Outcome, get, outcome, request};
use crate::stage::{PATIENCE, Stage, is_hit, mirror, read_to_end, status_lines, text};

async fn admin(stage: &Stage, request: &str) -> Message {
    let mut operator = Client::connect(stage.gateway.admin).await.expect("the admin listens");
    operator.ask(request, PATIENCE).await.expect("an answer")
}

#[tokio::test]
async fn the_admin_listener_changes_nothing_for_strangers() {
    let mut stage = Stage::start(mirror).await;
    stage.get("/k").await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "PURGE", "BAN", "OPTIONS", "X"] {
        for path in ["/metrics", "/health", "/ready", "/purge", "/", "/k", "/routes", "/routes/a"] {
            let request =
                format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let answer = admin(&stage, &request).await;
            let status = answer.head.status().expect("a status");
            assert!([401, 404, 405].contains(&status), "{method} {path}: {status}");
        }
    }
    assert!(is_hit(&stage.get("/k").await));
    stage.lives().await;
}

#[tokio::test]
async fn the_admin_listener_answers_no_page_of_another_site() {
    // A page can make a browser ask; it cannot read what comes, for nothing allows it to. Nor can a
    // name that was bound anew (DNS rebinding): without a token only this machine's names are served.
    let stage = Stage::start(mirror).await;
    for (path, statuses) in [
        ("/metrics", &[421][..]),
        ("/health", &[200]),
        ("/ready", &[200]),
        ("/openapi.json", &[200]),
        ("/nothing", &[404]),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: evil.example\r\n\
            Origin: http://evil.example\r\nReferer: http://evil.example/\r\n\r\n"
        );
        let answer = admin(&stage, &request).await;
        let status = answer.head.status().expect("a status");
        assert!(statuses.contains(&status), "{path}: {status}");
        let allowed = answer.head.fields.iter();
        let allowed =
            allowed.filter(|(name, _)| name.to_ascii_lowercase().starts_with("access-control"));
        assert_eq!(allowed.count(), 0, "{path}");
        assert!(!text(&answer).contains("evil.example"), "{path}: {}", text(&answer));
        assert!(!text(&answer).contains("forebay_requests_total"), "{path}");
        let kind = answer.head.field("content-type").unwrap_or_default();
        let is_page = !kind.starts_with("text/plain") && !kind.starts_with("application/json");
        assert!(!is_page, "{path} is {kind}");
        assert_eq!(
            answer.head.field("x-content-type-options").as_deref(),
            Some("nosniff"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn metrics_with_a_token_are_for_those_who_say_it() {
    let stage = Stage::with(&[("gateway", "admin_token = \"tell-me-not\"")], mirror).await;
    for field in [
        "",
        "Authorization: tell-me-not\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer tell-me-no\r\n",
        "Authorization: Bearer tell-me-nott\r\n",
        "Authorization: Basic tell-me-not\r\n",
        "Authorization: Bearer TELL-ME-NOT\r\n",
        "Cookie: admin_token=tell-me-not\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        "Authorization: Bearer x\r\nAuthorization: Bearer tell-me-not\r\n",
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{field}\r\n");
        let answer = admin(&stage, &request).await;
        assert_eq!(answer.head.status(), Ok(401), "{field}");
        assert!(!text(&answer).contains("forebay_"), "{field}");
    }
    let query = "GET /metrics?admin_token=tell-me-not HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(admin(&stage, query).await.head.status(), Ok(401));
    let said =
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tell-me-not\r\n\r\n";
    assert_eq!(admin(&stage, said).await.head.status(), Ok(200));
}

#[tokio::test]
async fn the_admin_listener_reads_as_strictly_as_the_other() {
    let stage = Stage::start(mirror).await;
    for sent in [
        "GET /metrics HTTP/1.1\nHost: a\n\n",
        "GET /metrics HTTP/1.1\r\n\r\n",
        "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    ] {
        let mut stream =
            tokio::net::TcpStream::connect(stage.gateway.admin).await.expect("it listens");
        let _ = stream.write_all(sent.as_bytes()).await;
        let _ = stream.shutdown().await;
        let came = read_to_end(&mut stream).await;
        assert!(matches!(status_lines(&came)[..], [400 | 405 | 501]), "{sent}: {came}");
    }
}

#[tokio::test]
async fn the_public_port_knows_no_purge() {
    // To it PURGE is a method that it does not know: passed on, and the origin's to refuse.
    let mut stage = Stage::start(|request| match request.head.method() {
        "GET" => mirror(request),
        _ => forebay_trial::origin::Reply::whole(405, &[], b"no"),
    })
    .await;
    stage.get("/k").await;
    for method in ["PURGE", "BAN", "REFRESH", "INVALIDATE", "PURGEALL", "SOFTPURGE", "purge"] {
        for fields in ["", "Surrogate-Key: k\r\n", "X-Purge-Regex: .*\r\n", "Cache-Tag: *\r\n"] {
            let request = format!("{method} /k HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let answer = stage.ask(&request).await;
            assert_eq!(answer.head.status(), Ok(405), "{method}");
        }
        assert!(is_hit(&stage.get("/k").await), "{method} purged it");
    }
    for path in ["/metrics", "/health", "/ready", "/.forebay", "/purge"] {
        let answer = text(&stage.get(path).await);
        assert!(answer.starts_with(&format!("GET {path} ")), "{path} is the origin's: {answer}");
    }
    stage.lives().await;
}

#[tokio::test]
async fn the_skip_field_without_its_secret_skips_nothing() {
    let lines = [("route", "skip = { field = \"x-refresh\", secret = \"letmein\" }")];
    let stage = Stage::with(&lines, mirror).await;
    stage.get("/k").await;
    for value in
        ["", "TRUE", "1", "letmei", "letmeinn", "LETMEIN", "letmein, letmein", "\"letmein\""]
    {
        let request = format!("GET /k HTTP/1.1\r\nHost: a\r\nX-Refresh: {value}\r\n\r\n");
        assert!(is_hit(&stage.ask(&request).await), "{value}");
    }
    let alias = "GET /k HTTP/1.1\r\nHost: a\r\nX_Refresh: letmein\r\n\r\n";
    assert!(is_hit(&stage.ask(alias).await));
    assert!(is_hit(&stage.ask("GET /k HTTP/1.1\r\nHost: a\r\nX-Skip-Fetch: TRUE\r\n\r\n").await));
    let right = "GET /k HTTP/1.1\r\nHost: a\r\nX-Refresh: letmein\r\n\r\n";
    assert!(!is_hit(&stage.ask(right).await));
    // And the secret goes to nobody.
    assert!(!text(&stage.get("/k").await).contains("letmein"));
}

#[tokio::test]
async fn a_client_cannot_say_what_only_the_gateway_says() {
    let stage = Stage::with(&[("route", "x_cache = \"on\"")], mirror).await;
    for field in [
        "X-Cache: HIT",
        "X-Store: memory",
        "Cache-Status: evil; hit",
        "Age: 100000",
        "Via: 1.1 evil",
        "X-Accel-Expires: 100000",
        "Surrogate-Control: max-age=100000",
        "Surrogate-Capability: x",
        "CDN-Cache-Control: max-age=1",
        "X-Forwarded-For: 10.0.0.1",
        "Forwarded: for=10.0.0.1",
    ] {
        let path = format!("/{}", field.split(':').next().unwrap_or_default());
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        let first = stage.ask(&request).await;
        assert!(!is_hit(&first), "{field}");
        for answer in [first, stage.get(&path).await] {
            let said = answer.head.field("cache-status").unwrap_or_default();
            assert!(said.starts_with("forebay") && !said.contains("evil"), "{field}: {said}");
            let age = answer.head.field("age").unwrap_or_default();
            assert!(age.len() <= 2, "{field}: {age}");
            assert!(!text(&answer).contains("10.0.0.1"), "{field}");
        }
    }
}

#[tokio::test]
async fn what_clients_say_of_keeping_floods_no_origin() {
    // Reload buttons and scripts: by default they pass the cache over for nobody.
    let stage = Stage::start(mirror).await;
    stage.get("/k").await;
    for field in [
        "Cache-Control: no-cache",
        "Cache-Control: max-age=0",
        "Pragma: no-cache",
        "Cache-Control: min-fresh=1000000",
        "Cache-Control: no-cache, max-age=0, must-revalidate",
        "If-None-Match: \"evil\"",
        "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
        "If-Range: \"evil\"",
        "Range: bytes=x",
        "Accept: evil",
        "Accept-Language: evil",
    ] {
        for _ in 0..3 {
            stage.ask(&format!("GET /k HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).await;
        }
        assert_eq!(stage.origin.heard().len(), 1, "{field}");
    }
}

#[tokio::test]
async fn an_unsafe_request_spoils_nothing_of_another_host() {
    // Else who may make an origin redirect may purge whatever he likes.
    let stage = Stage::start(|request| match request.head.method() {
        "POST" => {
            let to = request.head.field("x-to").unwrap_or_default();
            let fields = [format!("Location: {to}"), format!("Content-Location: {to}")];
            forebay_trial::origin::Reply::whole(201, &[&fields[0], &fields[1]], b"")
        }
        _ => mirror(request),
    })
    .await;
    stage.get("/k").await;
    for to in ["http://a/k", "//a/k", "http://a:80/k", "http://evil@a/k", "http://a.evil/../k"] {
        let sent =
            format!("POST /p HTTP/1.1\r\nHost: evil\r\nX-To: {to}\r\nContent-Length: 0\r\n\r\n");
        stage.ask(&sent).await;
        assert!(is_hit(&stage.get("/k").await), "{to}");
    }
    let own = "POST /p HTTP/1.1\r\nHost: a\r\nX-To: /k\r\nContent-Length: 0\r\n\r\n";
    stage.ask(own).await;
    assert!(!is_hit(&stage.get("/k").await), "its own is spoiled");
}

#[tokio::test]
async fn no_client_writes_a_line_of_the_access_log() {
    for form in ["text", "json"] {
        let line = format!("access_log = \"{form}\"");
        let stage = Stage::with(&[("gateway", &line)], mirror).await;
        for sent in [
            "GET /\"forged HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\\forged HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /%0aforged HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: \"\\forged\x1b[2J\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\nReferer: \u{85}forged\u{2028}\r\n\r\n",
            "FORGED\"x /a HTTP/1.1\r\nHost: a\r\n\r\n",
            "FORGED' /a HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            stage.talk(sent.as_bytes()).await;
        }
        stage.get("/last").await;
        let begun = std::time::Instant::now();
        while !stage.gateway.process.output().contains("/last") {
            assert!(begun.elapsed() < PATIENCE, "nothing is logged");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let said = stage.gateway.process.output();
        assert!(!said.contains('\x1b') || !said.contains("[2J"), "{said}");
        for line in said.lines() {
            assert!(!line.trim_start().starts_with("forged"), "{said}");
            // In JSON, quotes that end nothing are escaped: an even number is left.
            let plain = line.replace("\\\\", "").replace("\\\"", "");
            let is_object = line.starts_with('{');
            assert!(!is_object || plain.matches('"').count() % 2 == 0, "{line}");
        }
    }
}

/// Heads that are refused before they are requests: what is sent, the status, and the log's word.
fn refused() -> Vec<(String, u16, &'static str)> {
    let head = |rest: &str| format!("POST /secret HTTP/1.1\r\nHost: a\r\n{rest}\r\n\r\n");
    vec![
        (head("X: \0"), 400, "syntax"),
        (head("Host: b"), 400, "host"),
        (head("Content-Length: x"), 400, "framing"),
        ("GET secret HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "target"),
        ("GET /secret HTTP/1.1\r\nHost: a".to_owned(), 408, "head_timeout"),
        (head("Content-Length: 9"), 408, "body_timeout"),
        (head("Content-Length: 99999999999999"), 413, "body_too_large"),
        (format!("GET /{} HTTP/1.1\r\n", "secret".repeat(10_000)), 414, "target_too_long"),
        (head("Expect: x"), 417, "expectation"),
        (head(&format!("X: {}", "x".repeat(100_000))), 431, "head_too_large"),
        ("CONNECT secret:1 HTTP/1.1\r\nHost: secret:1\r\n\r\n".to_owned(), 501, "method"),
        ("GET /secret HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505, "version"),
    ]
}

/// Waits for the one line of the log about this client.
async fn line_of(stage: &Stage, client: &str) -> String {
    let begun = std::time::Instant::now();
    loop {
        let said = stage.gateway.process.output();
        let lines: Vec<_> = said.lines().filter(|line| line.contains(client)).collect();
        if let [line] = lines[..] {
            return line.to_owned();
        }
        assert!(lines.is_empty() && begun.elapsed() < PATIENCE, "{client} in\n{said}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_is_refused_before_it_is_a_request_is_a_line_of_the_access_log() {
    for form in ["text", "json"] {
        let log = format!("access_log = \"{form}\"");
        let lines = [
            ("gateway", log.as_str()),
            ("limits", "head_timeout = \"300ms\""),
            ("limits", "body_timeout = \"300ms\""),
        ];
        let stage = Stage::with(&lines, mirror).await;
        for (sent, status, word) in refused() {
            let mut stream = stage.connect().await;
            let client = stream.local_addr().expect("it is connected").to_string();
            let _ = stream.write_all(sent.as_bytes()).await;
            let came = read_to_end(&mut stream).await;
            assert_eq!(status_lines(&came), [status], "{word}: {came}");
            let why = came.rsplit("\r\n\r\n").next().unwrap_or_default().trim_end();
            let line = line_of(&stage, &client).await;
            let expected = match form {
                "text" => {
                    format!(" {client} \"-\" {status} - - route=- - detail={word} error=\"{why}\"")
                }
                _ => format!("\"detail\":\"{word}\",\"duration_ms\":null,\"error\":\"{why}\""),
            };
            assert!(line.contains(&expected), "no `{expected}` in\n{line}");
            assert!(line.contains(&status.to_string()) && !line.contains("secret"), "{line}");
        }
    }
}

#[tokio::test]
async fn a_malformed_stream_of_http2_is_a_line_of_the_access_log() {
    let stage = Stage::start(mirror).await;
    let [method, scheme, authority, path] = get("/secret");
    let twice = [method, scheme, authority, path, ("host", "b")];
    for (fields, said) in [
        (&twice[..], "\"-\" - - - route=- - detail=host"),
        (
            &[(":method", "TRACE"), scheme, authority, path][..],
            "\"-\" 501 - - route=- - detail=method",
        ),
    ] {
        let mut stream = stage.h2(&[]).await;
        let client = stream.local_addr().expect("it is connected").to_string();
        stream.write_all(&request(1, fields)).await.expect("it reads");
        let came = outcome(&mut stream).await;
        assert!(!matches!(came, Outcome::Answered(200, _)), "{came:?}");
        let line = line_of(&stage, &client).await;
        assert!(line.contains(said) && !line.contains("secret"), "{line}");
    }
}
