//! The body under every order of its writer's and readers' steps that shuttle comes upon.

use shuttle::future::block_on;
use shuttle::{check_random, thread};

use super::*;
use crate::budget::CHUNK_OVERHEAD;

const ROUNDS: usize = 4_000;

async fn read_all(mut reader: Reader) -> (Vec<u8>, Result<(), Broken>) {
    let mut bytes = Vec::new();
    while let Some(slice) = reader.next().await {
        match slice {
            Ok(slice) => bytes.extend_from_slice(&slice),
            Err(broken) => return (bytes, Err(broken)),
        }
    }
    (bytes, Ok(()))
}

fn reading(reader: Reader) -> thread::JoinHandle<(Vec<u8>, Result<(), Broken>)> {
    thread::spawn(move || block_on(read_all(reader)))
}

#[test]
fn a_kept_body_is_read_whole_by_all_and_late_comers_too() {
    let round = || {
        let limits =
            Limits { kept_bytes_max: 100, tapped_bytes_max: u64::MAX, window_bytes_max: 1 };
        let (mut writer, body) = Body::arriving(limits, &Budget::new(10_000), None);
        let early = [reading(body.reader().unwrap()), reading(body.reader().unwrap())];
        let late = body.clone();
        let late = thread::spawn(move || block_on(read_all(late.reader().unwrap())));
        for chunk in [&b"ab"[..], b"cde", b"f"] {
            writer.push(Bytes::from_static(chunk)).unwrap();
        }
        assert_eq!(writer.finish(None), End::Whole);
        assert_eq!(block_on(body.ended()), End::Whole);
        for reader in early.into_iter().chain([late]) {
            assert_eq!(reader.join().unwrap(), (b"abcdef".to_vec(), Ok(())));
        }
    };
    check_random(round, ROUNDS);
}

#[test]
fn an_abort_is_seen_by_all_after_exactly_a_prefix() {
    let round = || {
        let limits =
            Limits { kept_bytes_max: 100, tapped_bytes_max: u64::MAX, window_bytes_max: 1 };
        let (mut writer, body) = Body::arriving(limits, &Budget::new(10_000), None);
        let readers = [reading(body.reader().unwrap()), reading(body.reader().unwrap())];
        writer.push(Bytes::from_static(b"ab")).unwrap();
        writer.push(Bytes::from_static(b"c")).unwrap();
        drop(writer);
        for reader in readers {
            let (bytes, end) = reader.join().unwrap();
            assert_eq!(bytes, b"abc");
            end.unwrap_err();
        }
        assert!(body.reader().is_none());
    };
    check_random(round, ROUNDS);
}

#[test]
fn a_window_neither_loses_nor_repeats_and_holds_no_more_than_its_bound() {
    let round = || {
        let budget = Budget::new(10_000);
        let limits = Limits { kept_bytes_max: 2, tapped_bytes_max: u64::MAX, window_bytes_max: 1 };
        let (mut writer, body) = Body::arriving(limits, &budget, None);
        let readers = [reading(body.reader().unwrap()), reading(body.reader().unwrap())];
        for chunk in [&b"ab"[..], b"cd", b"ef", b"gh"] {
            block_on(writer.room()).unwrap();
            writer.push(Bytes::from_static(chunk)).unwrap();
            assert!(budget.bytes() <= 2 * (2 + CHUNK_OVERHEAD));
        }
        assert_eq!(writer.finish(None), End::PassedThrough);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), (b"abcdefgh".to_vec(), Ok(())));
        }
        assert_eq!(budget.bytes(), 0);
    };
    check_random(round, ROUNDS);
}

#[test]
fn a_writer_whose_last_reader_leaves_is_woken() {
    let round = || {
        let limits = Limits { kept_bytes_max: 0, tapped_bytes_max: u64::MAX, window_bytes_max: 1 };
        let (mut writer, body) = Body::arriving(limits, &Budget::new(10_000), None);
        let mut reader = body.reader().unwrap();
        let leaves = thread::spawn(move || {
            let first = block_on(reader.next());
            assert_eq!(first.unwrap().unwrap(), "ab");
        });
        writer.push(Bytes::from_static(b"ab")).unwrap();
        while block_on(writer.room()).is_ok() && writer.push(Bytes::from_static(b"cd")).is_ok() {}
        block_on(writer.deserted());
        leaves.join().unwrap();
    };
    check_random(round, ROUNDS);
}

#[test]
fn a_hook_set_while_the_body_ends_is_called_exactly_once() {
    let round = || {
        let limits =
            Limits { kept_bytes_max: 100, tapped_bytes_max: u64::MAX, window_bytes_max: 1 };
        let (writer, body) = Body::arriving(limits, &Budget::new(10_000), None);
        let ends = thread::spawn(move || drop(writer.finish(None)));
        let called = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = Arc::clone(&called);
        body.on_end(Box::new(move |_| {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }));
        ends.join().unwrap();
        assert_eq!(called.load(std::sync::atomic::Ordering::SeqCst), 1);
    };
    check_random(round, ROUNDS);
}
