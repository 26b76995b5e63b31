//! Explosions held by bounds: ranges, variants, queries, encodings (CVE-2018-8005, CVE-2024-35296).

use forebay_trial::client::Client;
use forebay_trial::origin::Reply;

use crate::stage::{PATIENCE, Stage, is_hit, mirror, text};

/// Asks one after the other over one connection.
async fn ask_all(stage: &Stage, requests: impl Iterator<Item = String>) {
    let mut client: Client = stage.client().await;
    for request in requests {
        let answer = client.ask(&request, PATIENCE).await;
        let answer = answer
            .unwrap_or_else(|failure| panic!("{failure}, asked:\n{request}{}", stage.last_words()));
        assert!(answer.head.status().is_ok_and(|status| status < 500), "{}", answer.shown());
    }
}

#[tokio::test]
async fn a_thousand_ranges_are_no_thousand_parts() {
    let size = 100_000;
    let mut stage =
        Stage::start(move |_| Reply::whole(200, &["Cache-Control: max-age=60"], &vec![b'x'; size]))
            .await;
    stage.get("/k").await;
    let apart: Vec<_> = (0..1000).map(|n| format!("{}-{}", n * 50, n * 50)).collect();
    let many = (0..1000).map(|_| "0-".to_owned()).collect::<Vec<_>>();
    let growing: Vec<_> = (0..1000).map(|n| format!("{n}-")).collect();
    let suffixes: Vec<_> = (1..1000).map(|n| format!("-{n}")).collect();
    for ranges in [apart, many, growing, suffixes] {
        for kept in ["/k", "/cold"] {
            let ranges = ranges.join(",");
            let sent = format!("GET {kept} HTTP/1.1\r\nHost: a\r\nRange: bytes={ranges}\r\n\r\n");
            let answer = stage.ask(&sent).await;
            assert!(answer.body.len() <= size + 1000, "{} bytes", answer.body.len());
        }
    }
    // Overlapping ones within the bound are no more than the whole either.
    let few = "bytes=0-,0-,1-,2-,3-,4-,5-,6-,7-,8-";
    let answer = stage.ask(&format!("GET /k HTTP/1.1\r\nHost: a\r\nRange: {few}\r\n\r\n")).await;
    assert!(answer.body.len() <= size + 2000, "{} bytes", answer.body.len());
    for odd in [
        "bytes=18446744073709551615-",
        "bytes=-18446744073709551616",
        "bytes=0-18446744073709551616",
        "bytes=9-1",
        "bytes=--1",
        "bytes=1-2-3",
        "x=0-1",
        "bytes=,,,,",
        "bytes=0-0,-1",
    ] {
        let answer =
            stage.ask(&format!("GET /k HTTP/1.1\r\nHost: a\r\nRange: {odd}\r\n\r\n")).await;
        let status = answer.head.status().unwrap_or(0);
        assert!([200, 206, 416].contains(&status), "{odd}: {status}");
        assert!(answer.body.len() <= size);
    }
    assert_eq!(stage.origin.asked().iter().filter(|asked| *asked == "GET /k").count(), 1);
    stage.lives().await;
}

#[tokio::test]
async fn ten_thousand_variants_of_one_key_are_a_bounded_number_of_entries() {
    let mut stage = Stage::start(|_| {
        Reply::whole(200, &["Cache-Control: max-age=600", "Vary: X-Which"], b"page")
    })
    .await;
    let requests =
        (0..10_000).map(|n| format!("GET /k HTTP/1.1\r\nHost: a\r\nX-Which: {n}\r\n\r\n"));
    ask_all(&stage, requests).await;
    let entries = stage.metric("forebay_memory_entries").await;
    assert!(entries <= 64 + 2, "{entries} entries");
    // And the last of them is a hit.
    let last = stage.ask("GET /k HTTP/1.1\r\nHost: a\r\nX-Which: 9999\r\n\r\n").await;
    assert!(is_hit(&last));
    stage.lives().await;
}

#[tokio::test]
async fn long_values_that_vary_are_bounded_in_bytes() {
    let lines = [("gateway", "memory = \"4MiB\"")];
    let mut stage = Stage::with(&lines, |_| {
        Reply::whole(200, &["Cache-Control: max-age=600", "Vary: X-Which"], b"page")
    })
    .await;
    let long = "x".repeat(30_000);
    let requests = (0..500)
        .map(|n| format!("GET /k{} HTTP/1.1\r\nHost: a\r\nX-Which: {long}{n}\r\n\r\n", n % 5));
    ask_all(&stage, requests).await;
    let (now, max) = (stage.metric("forebay_memory_bytes").await, 4 << 20);
    assert!(now <= max, "{now} bytes are held, {max} are allowed");
    stage.lives().await;
}

#[tokio::test]
async fn any_number_of_queries_stays_within_the_memory_bound() {
    let lines = [("gateway", "memory = \"8MiB\"")];
    let mut stage =
        Stage::with(&lines, |_| Reply::whole(200, &["Cache-Control: max-age=600"], &[b'x'; 8000]))
            .await;
    let before = stage.resident_bytes();
    let long = "q".repeat(2000);
    let requests = (0..6000).map(|n| format!("GET /k?{n}{long} HTTP/1.1\r\nHost: a\r\n\r\n"));
    ask_all(&stage, requests).await;
    let (now, max) = (stage.metric("forebay_memory_bytes").await, 8 << 20);
    assert!(now <= max, "{now} bytes are held, {max} are allowed");
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more are resident, for a bound of {max}");
    stage.lives().await;
}

#[tokio::test]
async fn heads_count_toward_the_memory_bound() {
    let lines = [("gateway", "memory = \"8MiB\"")];
    let stage = Stage::with(&lines, |_| {
        let long = format!("X-Long: {}", "x".repeat(30_000));
        Reply::whole(200, &["Cache-Control: max-age=600", &long], b"")
    })
    .await;
    let before = stage.resident_bytes();
    let requests = (0..2000).map(|n| format!("GET /k?{n} HTTP/1.1\r\nHost: a\r\n\r\n"));
    ask_all(&stage, requests).await;
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more are resident for 60 MB of heads");
}

#[tokio::test]
async fn keys_known_not_to_be_shareable_are_remembered_within_a_bound() {
    let mut stage = Stage::start(|_| Reply::whole(200, &["Cache-Control: private"], b"x")).await;
    let before = stage.resident_bytes();
    let long = "q".repeat(3000);
    let requests = (0..6000).map(|n| format!("GET /k?{n}{long} HTTP/1.1\r\nHost: a\r\n\r\n"));
    ask_all(&stage, requests).await;
    let more = stage.resident_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "{more} bytes more are resident");
    stage.lives().await;
}

#[tokio::test]
async fn encodings_that_mean_nothing_flood_no_origin() {
    let stage = Stage::start(mirror).await;
    for encoding in ["x", "gzip;q=x", ",,,", "gzip, x;;;=", "\"", "gzip;q=2", "*;q=-1", "gzip/br"] {
        let request = format!("GET /k HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {encoding}\r\n\r\n");
        stage.ask(&request).await;
    }
    assert_eq!(stage.origin.heard().len(), 1, "without Vary it is one response");

    let stage = Stage::start(|request| {
        let encoding = request.head.field("accept-encoding").unwrap_or_default();
        let fields = ["Cache-Control: max-age=60", "Vary: Accept-Encoding"];
        Reply::whole(200, &fields, encoding.as_bytes())
    })
    .await;
    for encoding in ["gzip, br", "br,gzip", "GZIP , BR", "gzip;q=1, br", "br;q=1.0,gzip;q=1.000"] {
        let request = format!("GET /k HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {encoding}\r\n\r\n");
        let answer = stage.ask(&request).await;
        assert!(text(&answer).to_ascii_lowercase().contains("gzip"), "{encoding}");
    }
    assert!(
        stage.origin.heard().len() <= 2,
        "spellings of one wish are one: {:?}",
        stage.origin.asked()
    );
}

#[tokio::test]
async fn encodings_that_mean_nothing_flood_no_origin_of_a_route_that_compresses() {
    // CVE-2024-35296: such a field made each request one for the origin.
    let lines = [("route", "compress = [\"br\", \"gzip\"]")];
    let page = "a forebay is the pool in front of a dam\n".repeat(200);
    let fields = ["Cache-Control: max-age=60", "Content-Type: text/plain"];
    let sent = page.clone();
    let stage = Stage::with(&lines, move |_| Reply::whole(200, &fields, sent.as_bytes())).await;
    let long = ["gzip;q=0.".to_owned() + &"0".repeat(16 << 10), "x,".repeat(8 << 10)];
    let odd =
        ["x", "gzip;q=x", ",,,", "\"", "gzip;q=2", "*;q=-1", "gzip/br", "identity;q=0, *;q=0"];
    for round in 0..3 {
        for encoding in odd.iter().copied().chain(long.iter().map(String::as_str)) {
            let request =
                format!("GET /k HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {encoding}\r\n\r\n");
            let answer = stage.ask(&request).await;
            assert_eq!(answer.head.field("content-encoding"), None, "{round}: {encoding:.40}");
            assert_eq!(text(&answer), page, "{round}: {encoding:.40}");
        }
    }
    let any = (0..200).map(|n| format!("x-{n};q=0.{n}, zstd;q=0"));
    ask_all(
        &stage,
        any.map(|it| format!("GET /k HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {it}\r\n\r\n")),
    )
    .await;
    assert_eq!(stage.origin.heard().len(), 1);
    assert_eq!(stage.metric("forebay_compressions_total{result=\"stored\"}").await, 0);
}

#[tokio::test]
async fn nobody_is_given_a_coding_that_he_refuses() {
    // HAProxy#988: two wishes that look alike and are not.
    let takes_gzip = |wish: &str| {
        let wish = wish.to_ascii_lowercase().replace(' ', "");
        let refuses = ["gzip;q=0", "gzip;q=0.0", "gzip;q=0.000"];
        wish.split(',').any(|one| one.starts_with("gzip") && !refuses.contains(&one))
    };
    let wishes = [
        "gzip",
        "gzip;q=0",
        "identity",
        "gzip;q=0.0, br",
        "gzip, identity;q=0",
        "br",
        "gzip;q=0.001",
        "*;q=0",
        "gzip ; q=0",
        "GZIP;Q=0",
        "gzip;q=0,gzip",
        "deflate, gzip;q=0.000",
        "",
    ];
    for first in wishes {
        let stage = Stage::start(move |request| {
            let wish = request.head.field("accept-encoding").unwrap_or_default();
            let fields = ["Cache-Control: max-age=60", "Vary: Accept-Encoding"];
            match takes_gzip(&wish) {
                true => {
                    Reply::whole(200, &[fields[0], fields[1], "Content-Encoding: gzip"], b"zip")
                }
                false => Reply::whole(200, &fields, b"plain"),
            }
        })
        .await;
        for wish in [first].into_iter().chain(wishes) {
            let request = format!("GET /k HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {wish}\r\n\r\n");
            let zipped = stage.ask(&request).await.head.field("content-encoding").is_some();
            assert!(!zipped || takes_gzip(&wish.to_ascii_lowercase()), "{wish:?} after {first:?}");
        }
    }
}

#[tokio::test]
async fn an_origin_that_varies_on_thousands_of_fields_costs_no_more_than_its_head() {
    let names: Vec<_> = (0..4000).map(|n| format!("x-{n}")).collect();
    let vary = format!("Vary: {}", names.join(", "));
    let mut stage = Stage::start(move |request| match request.head.target() {
        "/k" => Reply::whole(200, &["Cache-Control: max-age=600", &vary], b"page"),
        _ => mirror(request),
    })
    .await;
    let requests = (0..300).map(|n| format!("GET /k HTTP/1.1\r\nHost: a\r\nX-{n}: {n}\r\n\r\n"));
    ask_all(&stage, requests).await;
    stage.lives().await;
}

#[tokio::test]
async fn metrics_do_not_grow_with_what_clients_say() {
    let stage = Stage::start(mirror).await;
    let metrics = async || {
        let mut operator = Client::connect(stage.gateway.admin).await.expect("the admin listens");
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
        operator.ask(request, PATIENCE).await.expect("metrics are told").body.len()
    };
    stage.get("/k").await;
    let few = metrics().await;
    let requests =
        (0..500).map(|n| format!("M{n} /p{n} HTTP/1.1\r\nHost: h{n}\r\nUser-Agent: u{n}\r\n\r\n"));
    ask_all(&stage, requests).await;
    let many = metrics().await;
    assert!(many < few + 4000, "{few} bytes became {many}");
}
