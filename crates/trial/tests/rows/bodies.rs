//! Bodies: cut ones, large ones, slow readers, trailers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use forebay_trial::client::Client;
use forebay_trial::wire::{Ending, made_body};

use crate::support::{
    Gate, PATIENCE, Stage, check, head, pass, request, said, stage, stage_with, status,
};

const FRESH: &str = "Cache-Control: max-age=60";

/// How an origin's body ends too early.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Length,
    Chunks,
    LengthByReset,
    ChunksByReset,
    UntilCloseByReset,
}

#[tokio::test]
async fn a_cut_body_ends_cleanly_for_nobody_and_is_not_stored() {
    use Cut::*;
    for cut in [Length, Chunks, LengthByReset, ChunksByReset, UntilCloseByReset] {
        let (gate, asked) = (Gate::shut(), Arc::new(AtomicUsize::new(0)));
        let shut = gate.clone();
        let stage = stage(&[], move |_, out| {
            let (gate, number) = (shut.clone(), asked.fetch_add(1, Ordering::SeqCst));
            async move {
                if number > 0 {
                    return out.send(200, &[FRESH], "whole").await;
                }
                let (fields, begin) = match cut {
                    Length | LengthByReset => (vec![FRESH, "Content-Length: 9"], "who"),
                    Chunks | ChunksByReset => {
                        (vec![FRESH, "Transfer-Encoding: chunked"], "3\r\nwho\r\n")
                    }
                    UntilCloseByReset => (vec![FRESH, "Connection: close"], "who"),
                };
                let out = out.write(head(200, &fields)).await.write(begin).await;
                gate.passed().await;
                match cut {
                    Length | Chunks => None,
                    LengthByReset | ChunksByReset | UntilCloseByReset => out.reset(),
                }
            }
        })
        .await;
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = stage.client().await;
            client.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
            client.begin(PATIENCE).await.unwrap();
            assert_eq!(client.some(3, PATIENCE).await.unwrap(), b"who");
            clients.push(client);
        }
        gate.open();
        for client in &mut clients {
            assert_eq!(client.rest(PATIENCE).await.unwrap().ending, Ending::Cut, "{cut:?}");
        }
        assert_eq!((stage.origin.count(), stage.metric("forebay_memory_entries").await), (1, 0));
        check(&stage.get("/a", &[]).await, 200, &["fwd=uri-miss", "stored"], "whole");
        assert_eq!(stage.origin.count(), 2, "{cut:?}");
    }
}

#[tokio::test]
async fn a_body_until_close_is_whole_only_by_a_clean_end() {
    let stage = stage(&[], |_, out| async move {
        drop(out.write(head(200, &[FRESH, "Connection: close"])).await.write("all").await);
        None
    })
    .await;
    check(&stage.get("/a", &[]).await, 200, &["stored"], "all");
    check(&stage.get("/a", &[]).await, 200, &["; hit"], "all");
}

/// Bytes that are more than all sockets between an origin and a client hold.
const LARGE: usize = 24 << 20;

/// Before an origin of a body that is larger than what is kept.
async fn too_large(framing: Framing) -> Stage {
    let body = made_body(LARGE);
    let route: &[&str] = &["stored_body_bytes_max = \"1MiB\""];
    stage_with(&[("gateway", &["memory = \"32MiB\""]), ("route", route)], move |_, out| {
        let body = body.clone();
        async move {
            let length = format!("Content-Length: {}", body.len());
            match framing {
                Framing::Length => {
                    Some(out.write(head(200, &[FRESH, &length])).await.write(body).await)
                }
                Framing::Chunks => {
                    let fields = [FRESH, "Transfer-Encoding: chunked"];
                    let mut out = out.write(head(200, &fields)).await;
                    for chunk in body.chunks(60_000) {
                        out = out.write(format!("{:x}\r\n", chunk.len())).await;
                        out = out.write(chunk).await.write("\r\n").await;
                    }
                    Some(out.write("0\r\n\r\n").await)
                }
            }
        }
    })
    .await
}

#[derive(Clone, Copy, Debug)]
enum Framing {
    Length,
    Chunks,
}

/// Reads an answer to its end, with a pause behind each part.
async fn read(mut client: Client, part: usize, pause: Duration) -> Vec<u8> {
    client.send(request("GET", "/large", &[]).as_bytes(), PATIENCE).await;
    let begun = client.begin(PATIENCE).await.expect("a head comes");
    assert_eq!(begun.status(), Ok(200));
    let mut body = Vec::new();
    loop {
        let read = client.some(part, PATIENCE).await.expect("more comes");
        let is_over = read.len() < part;
        body.extend(read);
        if is_over {
            return body;
        }
        pass(pause).await;
    }
}

#[tokio::test]
async fn a_body_announced_larger_than_the_limit_passes_through_to_all() {
    passes_through(Framing::Length).await;
}

#[tokio::test]
async fn a_body_that_outgrows_the_limit_passes_through_to_all() {
    passes_through(Framing::Chunks).await;
}

async fn passes_through(framing: Framing) {
    let body = made_body(LARGE);
    let stage = too_large(framing).await;
    let before = stage.resident_bytes();
    let mut reading = Vec::new();
    for number in 0..20 {
        let pause = Duration::from_millis(if number == 7 { 100 } else { 0 });
        let client = stage.client().await;
        reading.push(tokio::spawn(read(client, 2 << 20, pause)));
    }
    for reading in reading {
        assert!(reading.await.expect("all read on") == body, "the body came otherwise");
    }
    let more = stage.resident_bytes().saturating_sub(before);
    // Twenty copies would be 480 MiB; windows and sockets are a few.
    assert!(more < 160 << 20, "{} MiB more", more >> 20);
    let again = stage.get("/large", &[]).await;
    assert!(said(&again).contains("fwd=") && again.body == body, "{}", said(&again));
}

#[tokio::test]
async fn a_slow_reader_holds_up_nobody() {
    let body = made_body(8 << 20);
    let sent = body.clone();
    let stage = stage(&[], move |_, out| {
        let sent = sent.clone();
        async move { out.send(200, &[FRESH], sent).await }
    })
    .await;
    // This one reads its head and no more until all others have had everything.
    let mut slow = stage.client().await;
    slow.send(request("GET", "/a", &[]).as_bytes(), PATIENCE).await;
    slow.begin(PATIENCE).await.unwrap();
    let answers = stage.crowd(10, &request("GET", "/a", &[])).await;
    assert!(answers.iter().all(|answer| answer.body == body));
    assert_eq!(stage.origin.count(), 1);
    let rest = slow.rest(PATIENCE).await.unwrap();
    assert!(rest.body == body && rest.ending == Ending::Whole);
}

#[tokio::test]
async fn trailers_come_with_a_miss_and_with_a_hit() {
    let stage = stage(&[], |_, out| async move {
        let fields = [FRESH, "Transfer-Encoding: chunked", "Trailer: X-Sum"];
        let out = out.write(head(200, &fields)).await;
        Some(out.write("3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n").await)
    })
    .await;
    for words in ["stored", "; hit"] {
        let answer = stage.get("/a", &["TE: trailers", "Connection: te"]).await;
        check(&answer, 200, &[words], "abcde");
        let trailers = vec![("x-sum".to_owned(), "5".to_owned())];
        let lower = |(name, value): &(String, String)| (name.to_lowercase(), value.clone());
        assert_eq!(answer.trailers.iter().map(lower).collect::<Vec<_>>(), trailers, "{words}");
    }
}

#[tokio::test]
async fn a_pause_in_a_body_longer_than_the_limit_cuts_it() {
    let route = ["upstream = { read_timeout = \"1s\" }"];
    let stage = stage(&route, |_, out| async move {
        let out = out.write(head(200, &[FRESH, "Content-Length: 6"])).await.write("abc").await;
        pass(PATIENCE).await;
        Some(out.write("def").await)
    })
    .await;
    let answer = stage.get("/a", &[]).await;
    assert_eq!((status(&answer), answer.ending), (200, Ending::Cut), "{}", answer.shown());
    assert_eq!(stage.metric("forebay_memory_entries").await, 0);
}
