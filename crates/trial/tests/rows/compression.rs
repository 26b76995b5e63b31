//! Compressed answers over real sockets, read by decoders that are not ours to write.

use std::io::Read;

use forebay_trial::wire::Message;

use crate::support::{Stage, program, request, said, stage, text};

const ROUTE: &[&str] = &["compress = [\"zstd\", \"br\", \"gzip\"]"];

const FIELDS: &[&str] =
    &["Cache-Control: max-age=60", "Content-Type: text/html", "ETag: \"one\"", "Cache-Tag: t"];

/// A page that gets much smaller.
fn page(name: &str) -> String {
    format!("<p>{name}: a forebay is the pool in front of a dam</p>\n").repeat(2000)
}

async fn pages(route: &[&str]) -> Stage {
    stage(route, |asked, out| async move { out.send(200, FIELDS, page(&path(&asked))).await }).await
}

fn path(asked: &Message) -> String {
    asked.head.start.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn coding(answer: &Message) -> String {
    answer.head.field("content-encoding").unwrap_or_default()
}

fn decoded(answer: &Message) -> String {
    let (bytes, mut out) = (&answer.body[..], Vec::new());
    match coding(answer).as_str() {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).map(drop),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out).map(drop),
        "zstd" => zstd::bulk::decompress(bytes, 8 << 20).map(|all| out = all),
        _ => {
            out = bytes.to_vec();
            Ok(())
        }
    }
    .expect("it decodes");
    String::from_utf8(out).expect("it is text")
}

impl Stage {
    async fn accepting(&self, path: &str, accept: &str) -> Message {
        let accept = format!("Accept-Encoding: {accept}");
        self.ask(&request("GET", path, &[&accept])).await
    }

    /// Waits until so many forms have been made.
    async fn made(&self, count: u64) {
        let name = "forebay_compressions_total{result=\"stored\"}";
        self.measures(name, |made| made >= count).await;
    }
}

#[tokio::test]
async fn each_coding_is_made_once_and_decodes_to_what_the_origin_sent() {
    let stage = pages(ROUTE).await;
    let plain = page("/a");
    for (made, accept) in [(1, "zstd"), (2, "br"), (3, "gzip")] {
        assert_eq!(coding(&stage.accepting("/a", accept).await), "", "{accept}");
        stage.made(made).await;
        for _ in 0..3 {
            let answer = stage.accepting("/a", accept).await;
            assert_eq!(coding(&answer), accept);
            assert!(answer.body.len() < plain.len() / 10);
            assert_eq!(decoded(&answer), plain);
            assert!(said(&answer).contains("hit"), "{}", answer.shown());
        }
    }
    let plainly = stage.get("/a", &[]).await;
    assert_eq!((coding(&plainly), text(&plainly)), (String::new(), plain));
    assert_eq!(stage.origin.count(), 1);
    assert_eq!(stage.metric("forebay_compressions_total{result=\"stored\"}").await, 3);
    assert_eq!(stage.metric("forebay_compressed_answers_total{coding=\"gzip\"}").await, 3);
    assert!(stage.metric("forebay_compression_saved_bytes_total").await > 9 * 100_000);
}

#[tokio::test]
async fn what_does_not_get_shorter_is_tried_once() {
    let stage =
        stage(
            &["compress = [\"gzip\"]"],
            |_, out| async move { out.send(200, FIELDS, noise()).await },
        )
        .await;
    let tried = "forebay_compressions_total{result=\"not-shorter\"}";
    stage.accepting("/a", "gzip").await;
    stage.measures(tried, |tried| tried == 1).await;
    for _ in 0..20 {
        let answer = stage.accepting("/a", "gzip").await;
        assert_eq!((coding(&answer), answer.body), (String::new(), noise()));
    }
    assert_eq!((stage.metric(tried).await, stage.metric(STORED).await), (1, 0));
}

const STORED: &str = "forebay_compressions_total{result=\"stored\"}";

/// Bytes without any order, the same each time.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..8192).map(|_| next()).collect()
}

#[tokio::test]
async fn a_purge_of_the_page_is_a_purge_of_its_forms() {
    let stage = pages(ROUTE).await;
    stage.accepting("/a", "br").await;
    stage.made(1).await;
    assert_eq!(coding(&stage.accepting("/a", "br").await), "br");
    let admin = stage.gateway.admin.to_string();
    let mut purge = tokio::process::Command::new(program());
    let purged = purge.args(["purge", "--tag", "t", "--admin", &admin]).output().await;
    assert!(purged.expect("the program starts").status.success());
    stage.forgotten().await;
    let again = stage.accepting("/a", "br").await;
    assert!(!said(&again).contains("hit"), "{}", again.shown());
    assert_eq!(decoded(&again), page("/a"));
}

#[tokio::test]
async fn many_pages_at_once_are_all_answered_whole_in_either_form() {
    let stage = pages(&["compress = [\"gzip\"]", "compress_effort = \"fast\""]).await;
    for _ in 0..3 {
        let ask = |n: usize| request("GET", &format!("/{}", n % 50), &["Accept-Encoding: gzip"]);
        let answers = stage.ask_all((0..200).map(ask).collect()).await;
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!(decoded(answer), page(&format!("/{}", n % 50)), "{}", coding(answer));
        }
    }
    stage.made(50).await;
    assert_eq!(stage.metric(STORED).await, 50);
    assert_eq!(stage.origin.count(), 50);
}

/// What `forebay why` says of a page to who accepts this.
async fn why(stage: &Stage, path: &str, accept: &str) -> (String, String) {
    let mut why = tokio::process::Command::new(program());
    let url = format!("http://{}{path}", stage.gateway.address);
    let (field, admin) = (format!("Accept-Encoding: {accept}"), stage.gateway.admin.to_string());
    why.args(["why", &url, "-H", &field, "--admin", &admin]);
    let typed = why.output().await.expect("the program starts");
    let said = String::from_utf8_lossy(&typed.stdout).into_owned();
    assert!(typed.status.success(), "{said}{}", String::from_utf8_lossy(&typed.stderr));
    let sentence = said.lines().next().unwrap_or_default().to_owned();
    (sentence, said)
}

#[tokio::test]
async fn why_says_which_forms_are_kept_and_in_which_one_it_would_answer() {
    let stage = stage(ROUTE, |asked, out| async move {
        let body = match path(&asked).as_str() {
            "/noise" => noise(),
            other => page(other).into_bytes(),
        };
        out.send(200, FIELDS, body).await
    })
    .await;
    let host = format!("{}", stage.gateway.address);
    let warm = async |path: &str, accept: &str| {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: {accept}\r\n\r\n");
        stage.ask(&request).await
    };
    warm("/a", "identity").await;
    stage.stored(1).await;
    let (sentence, said) = why(&stage, "/a", "br").await;
    assert!(sentence.contains("as it is stored, and its br form made behind the answer"), "{said}");
    assert!(!said.contains("form of"), "nobody has asked for one, and why makes none: {said}");
    warm("/a", "br").await;
    stage.made(1).await;
    let (sentence, said) = why(&stage, "/a", "br, gzip;q=0.5").await;
    assert!(sentence.contains("it would be served from memory in br: fresh for"), "{said}");
    assert!(said.contains("  memory        br form of "), "{said}");
    let (sentence, said) = why(&stage, "/a", "identity").await;
    assert!(sentence.contains("it would be served from memory: fresh for"), "{said}");
    assert!(said.contains("br form of"), "{said}");
    warm("/noise", "gzip").await;
    stage.measures("forebay_compressions_total{result=\"not-shorter\"}", |tried| tried == 1).await;
    let (sentence, said) = why(&stage, "/noise", "gzip").await;
    assert!(sentence.contains("it would be served from memory: fresh for"), "{said}");
    assert!(said.contains("gzip form: it would not be shorter"), "{said}");
}
