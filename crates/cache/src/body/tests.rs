use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use super::*;
use crate::budget::CHUNK_OVERHEAD;
use crate::error::NobodyReads;

const ROOMY: Limits =
    Limits { kept_bytes_max: 1 << 30, tapped_bytes_max: u64::MAX, window_bytes_max: 1 << 18 };

fn narrow(kept_bytes_max: u64) -> Limits {
    // Room for two chunks of ten bytes, not for three.
    Limits {
        kept_bytes_max,
        tapped_bytes_max: u64::MAX,
        window_bytes_max: 2 * (10 + CHUNK_OVERHEAD),
    }
}

fn budget() -> Budget {
    Budget::new(1 << 30)
}

fn ten(number: u8) -> Bytes {
    Bytes::from(vec![b'0' + number; 10])
}

fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// All that is there now, and whether it ended (`Some(true)` well, `Some(false)` broken).
fn drain(reader: &mut Reader) -> (Vec<u8>, Option<bool>) {
    let (mut bytes, mut cx) = (Vec::new(), Context::from_waker(Waker::noop()));
    loop {
        match reader.poll_next(&mut cx) {
            Poll::Ready(Some(Ok(slice))) => bytes.extend_from_slice(&slice),
            Poll::Ready(Some(Err(_))) => return (bytes, Some(false)),
            Poll::Ready(None) => return (bytes, Some(true)),
            Poll::Pending => return (bytes, None),
        }
    }
}

#[test]
fn every_reader_begins_at_the_first_byte_whenever_it_comes() {
    let (mut writer, body) = Body::arriving(ROOMY, &budget(), None);
    let mut early = body.reader().unwrap();
    writer.push(ten(1)).unwrap();
    assert_eq!(drain(&mut early), (ten(1).to_vec(), None));
    writer.push(ten(2)).unwrap();
    let mut late = body.reader().unwrap();
    assert_eq!(drain(&mut late), ([ten(1), ten(2)].concat(), None));
    assert_eq!(writer.finish(None), End::Whole);
    let mut last = body.reader().unwrap();
    assert_eq!(drain(&mut early), (ten(2).to_vec(), Some(true)));
    assert_eq!(drain(&mut late), (vec![], Some(true)));
    assert_eq!(drain(&mut last), ([ten(1), ten(2)].concat(), Some(true)));
}

#[test]
fn a_small_body_becomes_one_exact_slice() {
    let (mut writer, body) = Body::arriving(ROOMY, &budget(), None);
    for _ in 0..200 {
        writer.push(Bytes::from(vec![7; 5_000])).unwrap();
    }
    writer.finish(None);
    assert_eq!(body.as_whole().unwrap().as_bytes().unwrap(), &vec![7; 1_000_000]);
}

#[test]
fn a_large_body_stays_in_pages_that_read_as_one() {
    let (mut writer, body) = Body::arriving(ROOMY, &budget(), None);
    let all: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
    all.chunks(70_001).for_each(|chunk| writer.push(Bytes::copy_from_slice(chunk)).unwrap());
    writer.finish(None);
    let whole = body.as_whole().unwrap();
    assert!(whole.as_bytes().is_none());
    assert_eq!(drain(&mut body.reader().unwrap()).0, all);
    for range in [0..1, 69_999..70_003, 2_999_999..9_000_000, 5..5, 3_000_000..4_000_000] {
        let to = (range.end as usize).min(all.len());
        let expected = all.get(range.start as usize..to).unwrap_or_default();
        let slices: Vec<u8> = whole.slices(range.clone()).flatten().collect();
        assert_eq!(slices, expected, "{range:?}");
        assert_eq!(drain(&mut body.reader_of(range).unwrap()).0, expected);
    }
}

#[test]
fn a_sender_of_single_bytes_costs_no_list_of_them() {
    let budget = budget();
    let (mut writer, body) = Body::arriving(ROOMY, &budget, None);
    for number in 0..40_000_u32 {
        writer.push(Bytes::from(vec![number as u8])).unwrap();
    }
    assert!(budget.bytes() < 40_000 + 20 * CHUNK_OVERHEAD, "{}", budget.bytes());
    let expected: Vec<u8> = (0..40_000_u32).map(|number| number as u8).collect();
    assert_eq!(drain(&mut body.reader().unwrap()).0, expected);
}

#[test]
fn what_is_kept_does_not_pin_the_buffer_it_came_in() {
    let large = Bytes::from(vec![1; 1 << 20]);
    let (mut writer, _body) = Body::arriving(ROOMY, &budget(), None);
    writer.push(large.slice(0..10)).unwrap();
    assert!(large.is_unique());
}

#[test]
fn an_aborted_or_dropped_or_short_body_is_an_error_after_its_prefix_and_never_an_end() {
    let endings: [fn(BodyWriter); 3] =
        [|writer| writer.abort("origin closed"), drop, |writer| drop(writer.finish(None))];
    for limits in [ROOMY, narrow(5)] {
        for end in endings {
            let (mut writer, body) = Body::arriving(limits, &budget(), Some(11));
            let mut reader = body.reader().unwrap();
            writer.push(ten(1)).unwrap();
            end(writer);
            assert_eq!(drain(&mut reader), (ten(1).to_vec(), Some(false)));
            assert_eq!(drain(&mut reader), (vec![], Some(false)));
            assert!(matches!(body.end(), Some(End::Broken(_))));
            assert!(body.reader().is_none());
            assert!(body.as_whole().is_none());
        }
    }
}

#[test]
fn a_body_longer_than_announced_is_broken() {
    let (mut writer, body) = Body::arriving(ROOMY, &budget(), Some(3));
    writer.push(ten(1)).unwrap();
    assert!(matches!(writer.finish(None), End::Broken(_)));
    assert!(body.as_whole().is_none());
}

#[test]
fn a_body_that_outgrows_its_limit_goes_on_and_cuts_off_nobody() {
    let (mut writer, body) = Body::arriving(narrow(25), &budget(), None);
    let (mut fast, mut slow) = (body.reader().unwrap(), body.reader().unwrap());
    (1..=3).for_each(|number| writer.push(ten(number)).unwrap());
    assert_eq!(drain(&mut fast).0, [ten(1), ten(2), ten(3)].concat());
    assert!(poll(writer.room()).is_pending(), "the slow reader has read nothing");
    assert!(body.reader().is_some(), "the slow reader still holds the begin");
    assert_eq!(drain(&mut slow).0, [ten(1), ten(2), ten(3)].concat());
    assert_eq!(poll(writer.room()), Poll::Ready(Ok(())));
    assert!(body.reader().is_none(), "the begin has gone");
    writer.push(ten(4)).unwrap();
    assert_eq!(writer.finish(Some(Bytes::from_static(b"t"))), End::PassedThrough);
    for reader in [&mut fast, &mut slow] {
        assert_eq!(drain(reader), (ten(4).to_vec(), Some(true)));
        assert_eq!(reader.trailer().unwrap(), "t");
    }
}

#[test]
fn a_body_announced_too_long_is_never_kept() {
    let budget = budget();
    let (mut writer, body) = Body::arriving(narrow(25), &budget, Some(30));
    let mut reader = body.reader().unwrap();
    for number in 1..=3 {
        writer.push(ten(number)).unwrap();
        assert_eq!(drain(&mut reader).0, ten(number));
    }
    assert_eq!(budget.bytes(), 2 * (10 + CHUNK_OVERHEAD), "the window");
    assert_eq!(writer.finish(None), End::PassedThrough);
    assert_eq!((budget.windowed(), budget.bytes()), (1, 0));
}

#[test]
fn the_begin_of_a_body_that_is_not_kept_is_there_until_its_room_is_needed() {
    let (mut writer, body) = Body::arriving(narrow(0), &budget(), None);
    let mut leader = body.reader().unwrap();
    for number in 1..=2 {
        writer.push(ten(number)).unwrap();
        drain(&mut leader);
    }
    let mut told_late = body.reader().unwrap();
    writer.push(ten(3)).unwrap();
    drain(&mut leader);
    assert!(poll(writer.room()).is_pending());
    assert_eq!(drain(&mut told_late).0, [ten(1), ten(2), ten(3)].concat());
    assert_eq!(poll(writer.room()), Poll::Ready(Ok(())));
    assert!(body.reader().is_none());
}

#[test]
fn without_budget_a_body_passes_through() {
    let budget = Budget::new(CHUNK_OVERHEAD + 15);
    let (mut writer, body) = Body::arriving(ROOMY, &budget, None);
    let mut reader = body.reader().unwrap();
    writer.push(Bytes::from(vec![1; 15])).unwrap();
    writer.push(Bytes::from(vec![2; 15])).unwrap();
    assert_eq!(drain(&mut reader).0, [vec![1; 15], vec![2; 15]].concat());
    assert_eq!(writer.finish(None), End::PassedThrough);
    assert_eq!(budget.bytes(), 0);
}

#[test]
fn kept_or_not_decides_whether_the_fetch_goes_on_when_all_readers_left() {
    let (mut kept, body) = Body::arriving(ROOMY, &budget(), None);
    drop(body.reader());
    kept.push(ten(1)).unwrap();
    assert_eq!(poll(kept.room()), Poll::Ready(Ok(())));
    assert!(poll(kept.deserted()).is_pending());

    let (mut windowed, body) = Body::arriving(narrow(5), &budget(), None);
    let reader = body.reader().unwrap();
    windowed.push(ten(1)).unwrap();
    assert!(poll(windowed.deserted()).is_pending());
    drop(reader);
    assert_eq!(poll(windowed.deserted()), Poll::Ready(()));
    assert_eq!(poll(windowed.room()), Poll::Ready(Err(NobodyReads)));
    assert_eq!(windowed.push(ten(2)), Err(NobodyReads));
}

#[test]
fn a_range_reader_holds_nothing_before_its_range_and_leaves_after_it() {
    let (mut writer, body) = Body::arriving(narrow(0), &budget(), None);
    let mut reader = body.reader_of(25..32).unwrap();
    for number in 0..4 {
        assert_eq!(poll(writer.room()), Poll::Ready(Ok(())));
        writer.push(ten(number)).unwrap();
    }
    assert_eq!(drain(&mut reader), (b"2222233".to_vec(), Some(true)));
    assert_eq!(writer.push(ten(4)), Err(NobodyReads));
}

#[test]
fn who_has_read_all_that_was_announced_finds_the_body_whole() {
    let (mut writer, body) = Body::arriving(ROOMY, &budget(), Some(20));
    let (mut reader, mut part) = (body.reader().unwrap(), body.reader_of(15..20).unwrap());
    writer.push(ten(1)).unwrap();
    assert_eq!(drain(&mut reader), (ten(1).to_vec(), None));
    writer.push(ten(2)).unwrap();
    assert_eq!(drain(&mut reader), (vec![], None));
    assert_eq!(drain(&mut part), (vec![], None));
    assert_eq!(drain(&mut body.reader().unwrap()), (ten(1).to_vec(), None));
    assert_eq!(writer.finish(None), End::Whole);
    assert_eq!(drain(&mut reader), (ten(2).to_vec(), Some(true)));
    assert_eq!(drain(&mut part), (b"22222".to_vec(), Some(true)));
}

#[test]
fn hooks_come_before_any_reader_sees_the_end() {
    for announced in [None, Some(10)] {
        let (mut writer, body) = Body::arriving(ROOMY, &budget(), announced);
        let mut reader = body.reader().unwrap();
        writer.push(ten(1)).unwrap();
        let seen = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&seen);
        body.on_end(Box::new(move |_| {
            assert_eq!(drain(&mut reader).1, None);
            told.store(1, Ordering::SeqCst);
        }));
        writer.finish(None);
        assert_eq!(seen.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_body_that_passed_by_is_read_for_as_long_as_its_begin_is_held() {
    let (mut writer, body) = Body::arriving(narrow(5), &budget(), None);
    let held = body.reader().unwrap();
    writer.push(ten(1)).unwrap();
    assert_eq!(writer.finish(None), End::PassedThrough);
    let mut late = body.reader().unwrap();
    drop(held);
    assert_eq!(drain(&mut late), (ten(1).to_vec(), Some(true)));
    assert!(body.reader().is_none());
}

#[test]
fn the_end_is_told_once_to_hooks_and_to_all_who_wait() {
    let told = Arc::new(AtomicUsize::new(0));
    let (writer, body) = Body::arriving(ROOMY, &budget(), None);
    let count = || {
        let told = Arc::clone(&told);
        Box::new(move |end: &End| {
            assert_eq!(end, &End::Whole);
            told.fetch_add(1, Ordering::SeqCst);
        })
    };
    body.on_end(count());
    let mut waits = Box::pin(body.ended());
    assert!(poll(waits.as_mut()).is_pending());
    drop(body.ended());
    writer.finish(None);
    body.on_end(count());
    assert_eq!(told.load(Ordering::SeqCst), 2);
    assert_eq!(poll(waits), Poll::Ready(End::Whole));
    assert_eq!(body.len_known(), Some(0));
}

#[test]
fn all_bytes_are_given_back_when_the_body_goes() {
    let budget = budget();
    let (mut writer, body) = Body::arriving(ROOMY, &budget, None);
    let mut reader = body.reader().unwrap();
    (0..9).for_each(|number| writer.push(ten(number)).unwrap());
    writer.finish(None);
    assert_eq!(budget.bytes(), 90 + CHUNK_OVERHEAD);
    let Poll::Ready(Some(Ok(pinned))) = poll(reader.next()) else { panic!("not whole") };
    drop((reader, body));
    assert_eq!(budget.bytes(), 90 + CHUNK_OVERHEAD, "a slice is still being sent");
    drop(pinned);
    assert_eq!(budget.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_holds_up_the_writer_of_a_window_and_nobody_loses_a_byte() {
    let (mut writer, body) = Body::arriving(narrow(0), &budget(), None);
    let readers: Vec<_> = (0..20_u64)
        .map(|pace| {
            let mut reader = body.reader().unwrap();
            tokio::spawn(async move {
                let mut all = Vec::new();
                while let Some(slice) = reader.next().await {
                    all.extend_from_slice(&slice.unwrap());
                    tokio::time::sleep(Duration::from_millis(pace)).await;
                }
                all
            })
        })
        .collect();
    let mut sent = Vec::new();
    for number in 0..100_u8 {
        writer.room().await.unwrap();
        let chunk = Bytes::from(vec![number; 10]);
        sent.extend_from_slice(&chunk);
        writer.push(chunk).unwrap();
    }
    writer.finish(None);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), sent);
    }
}

#[test]
fn a_tap_sets_the_pace_alone_and_is_cut_off_where_another_waits() {
    // Room for two chunks, and little lag while the budget is short.
    let (mut writer, body) = Body::arriving(narrow(0), &Budget::new(0), None);
    let mut tap = body.tap().unwrap();
    for number in 0..3 {
        writer.push(ten(number)).unwrap();
    }
    assert!(poll(writer.room()).is_pending(), "nobody else waits for more");
    let mut client = body.reader().unwrap();
    assert_eq!(drain(&mut client).0.len(), 30);
    assert!(poll(writer.room()).is_ready(), "the client is not held up");
    assert_eq!(drain(&mut tap).0.len(), 30, "nor is the tap cut off for being late once");
    writer.push(vec![7; 2 << 20].into()).unwrap();
    assert_eq!(drain(&mut client).0.len(), 2 << 20);
    assert!(poll(writer.room()).is_ready());
    assert_eq!(drain(&mut tap), (vec![], Some(false)));
    drop(client);
    assert_eq!(poll(writer.room()), Poll::Ready(Err(NobodyReads)));
}

#[test]
fn a_tap_is_cut_off_when_the_body_outgrows_what_is_stored_at_all() {
    let limits = Limits { tapped_bytes_max: 25, ..narrow(0) };
    let (mut writer, body) = Body::arriving(limits, &budget(), None);
    let (mut tap, mut client) = (body.tap().unwrap(), body.reader().unwrap());
    for number in 0..2 {
        writer.push(ten(number)).unwrap();
        assert_eq!(drain(&mut tap), (ten(number).to_vec(), None));
    }
    writer.push(ten(2)).unwrap();
    assert_eq!(drain(&mut tap), (vec![], Some(false)));
    assert_eq!(drain(&mut client).0.len(), 30);
}

#[test]
fn it_is_told_when_a_body_is_not_kept_while_its_begin_is_held() {
    let (mut writer, body) = Body::arriving(narrow(15), &budget(), None);
    let tapped = Arc::new(Mutex::new(None));
    let (tap, of) = (Arc::clone(&tapped), body.clone());
    body.on_outgrown(Box::new(move || *tap.lock() = of.tap()));
    writer.push(ten(1)).unwrap();
    assert!(tapped.lock().is_none());
    writer.push(ten(2)).unwrap();
    let mut tap = tapped.lock().take().unwrap();
    assert_eq!(drain(&mut tap), ([ten(1), ten(2)].concat(), None));
}

/// A source that has so many bytes, and gives at most four at a time.
struct Lying(Vec<u8>);

impl Source for Lying {
    fn read_at_once(&self, at: u64, bytes_max: usize) -> Option<Result<Bytes, Broken>> {
        let at = at as usize;
        // Every other piece is not there at once.
        (at % 8 < 4).then(|| {
            let end = (at + bytes_max.min(4)).min(self.0.len());
            Ok(Bytes::copy_from_slice(&self.0[at.min(end)..end]))
        })
    }

    fn read(self: Arc<Self>, at: u64, bytes_max: usize) -> Reading {
        Box::pin(async move {
            let end = (at as usize + bytes_max.min(4)).min(self.0.len());
            Ok(Bytes::copy_from_slice(&self.0[at as usize..end]))
        })
    }

    fn as_any(&self) -> &(dyn std::any::Any + Send + Sync) {
        self
    }
}

#[test]
fn a_body_that_lies_elsewhere_is_read_in_pieces_from_any_place() {
    let source = Arc::new(Lying((0..20).collect()));
    let body = Body::elsewhere(source, 20, Some("trailer".into()));
    assert_eq!((body.end(), body.len_known()), (Some(End::Whole), Some(20)));
    assert!(body.as_whole().is_none());
    let mut reader = body.reader().unwrap();
    assert_eq!(drain(&mut reader), ((0..20).collect(), Some(true)));
    assert_eq!(reader.trailer(), Some("trailer".into()));
    assert_eq!(drain(&mut body.reader_of(3..11).unwrap()), ((3..11).collect(), Some(true)));
    assert_eq!(drain(&mut body.reader_of(18..u64::MAX).unwrap()).0, [18, 19]);
}

#[test]
fn a_body_that_is_shorter_where_it_lies_than_it_was_breaks() {
    let body = Body::elsewhere(Arc::new(Lying(vec![1, 2, 3])), 5, None);
    assert_eq!(drain(&mut body.reader().unwrap()), (vec![1, 2, 3], Some(false)));
}
