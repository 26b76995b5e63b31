//! What holds for every sequence of bytes, and for every way in which it arrives.

use forebay::server::serve_connection;
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, duplex};

use crate::stage::{PEER, Stage, limits, read_all};

/// What came back, the date of refusals aside.
fn talk(sent: &[u8], cuts: &[usize]) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut client, server) = duplex(64 * 1024);
        let served = tokio::spawn(serve_connection(server, PEER, limits(), Stage::echo()));
        let mut begin = 0;
        for end in cuts.iter().map(|cut| cut % (sent.len() + 1)).chain([sent.len()]) {
            if end > begin && client.write_all(&sent[begin..end]).await.is_ok() {
                begin = end;
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            }
        }
        let _ = client.shutdown().await;
        let received = read_all(&mut client).await;
        drop(client);
        // A panic of the connection is a failure here, not only a close.
        served.await.unwrap();
        let lines = received.split_inclusive("\r\n").filter(|line| !line.starts_with("date: "));
        lines.collect()
    })
}

/// Bytes that are nearly requests.
fn nearly_requests() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Just("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"),
        Just("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Just("5\r\nhello\r\n"),
        Just("3;a=b\r\nabc\r\n"),
        Just("0\r\n\r\n"),
        Just("0\r\nT: r\r\n\r\n"),
        Just("PRI * HTTP/2.0\r\n"),
        Just("GET"),
        Just(" "),
        Just("/x"),
        Just("HTTP/1.0"),
        Just("Host: a"),
        Just("Expect: 100-continue\r\n"),
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just(":"),
        Just("\0"),
        Just("x"),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_end_in_answers_and_a_close(
        sent in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        talk(&sent, &[]);
    }

    #[test]
    fn any_split_of_the_bytes_gives_the_same_answers(
        sent in nearly_requests(),
        mut cuts in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let at_once = talk(&sent, &[]);
        cuts.iter_mut().for_each(|cut| *cut %= sent.len() + 1);
        cuts.sort_unstable();
        let interim = "HTTP/1.1 100 Continue\r\n\r\n";
        prop_assert_eq!(talk(&sent, &cuts).replace(interim, ""), at_once.replace(interim, ""));
        let each: Vec<_> = (0..=sent.len()).collect();
        prop_assert_eq!(talk(&sent, &each).replace(interim, ""), at_once.replace(interim, ""));
    }
}
