//! Bodies in files of their own: written while they arrive, read piece by piece, checked.

use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use parking_lot::Condvar;

use super::large::BLOCK_BYTES;
use super::*;
use crate::body::{Body, Limits};
use crate::budget::Budget;

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7) as u8 ^ (at >> 12) as u8).collect()
}

fn large_files(directory: &Scratch) -> usize {
    files_in(&directory.path().join("large")).len()
}

#[tokio::test]
async fn any_range_reads_as_it_was_written() {
    let directory = Scratch::new();
    let tier = directory.open();
    let len = 5 * BLOCK_BYTES + 77;
    put(&tier, "a", 1, &body(len)).await;
    let entry = tier.look_up(&key("a")).await.unwrap().unwrap();
    let (block, end) = (BLOCK_BYTES as u64, len as u64);
    let edges =
        [0, 1, block - 1, block, block + 1, 2 * block, 3 * block + 9, end - 1, end, end + 9];
    for from in edges {
        for to in edges {
            let mut reader = entry.body().reader_of(from..to).unwrap();
            let whole = body(len);
            let wanted = whole.iter().take(to as usize).skip(from as usize).copied();
            let read = read_all(&mut reader).await.unwrap();
            assert!(read.iter().copied().eq(wanted), "{from}..{to}");
        }
    }
}

#[tokio::test]
async fn bodies_of_unknown_length_are_stored_whether_short_or_long() {
    let directory = Scratch::new();
    let tier = directory.open();
    for (name, len) in [("none", 0), ("short", 200_000), ("long", 1_500_000)] {
        let (mut writer, arriving) = arriving(None);
        let entry = Arc::new(Entry::new(1, arriving, Timestamp::FAR));
        let name_key = key(name);
        let (bytes, sent) = (body(len), async {
            for piece in body(len).chunks(10_007) {
                writer.push(Bytes::copy_from_slice(piece)).unwrap();
                tokio::task::yield_now().await;
            }
            writer.finish(Some("end".into()));
        });
        let (admitted, ()) = tokio::join!(tier.put(&name_key, entry, None), sent);
        assert_eq!(admitted, Ok(Admitted::Kept), "{name}");
        assert_eq!(found(&tier, name).await, Some((1, bytes)), "{name}");
    }
    assert_eq!(large_files(&directory), 1);
}

#[tokio::test]
async fn a_body_that_breaks_or_is_given_up_leaves_no_file() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, b"older").await;
    let (mut writer, arriving_body) = arriving(Some(1_000_000));
    let entry = Arc::new(Entry::new(2, arriving_body, Timestamp::FAR));
    writer.push(Bytes::from(body(600_000))).unwrap();
    let name = key("a");
    let broken = async {
        while large_files(&directory) == 0 {
            tokio::task::yield_now().await;
        }
        writer.abort("the origin closed");
    };
    let (admitted, ()) = tokio::join!(tier.put(&name, entry, None), broken);
    assert_eq!(admitted, Ok(Admitted::NotWhole));
    tier.sync().await.unwrap();
    assert_eq!(large_files(&directory), 0);
    assert_eq!(found(&tier, "a").await, Some((1, b"older".to_vec())), "all stays as it was");

    let (mut writer, arriving_body) = arriving(None);
    writer.push(Bytes::from(body(600_000))).unwrap();
    let entry = Arc::new(Entry::new(3, arriving_body, Timestamp::FAR));
    let mut given_up = tier.put(&name, entry, None);
    while large_files(&directory) == 0 {
        assert!(futures_util::poll!(&mut given_up).is_pending());
        tokio::task::yield_now().await;
    }
    drop(given_up);
    tier.sync().await.unwrap();
    assert_eq!(large_files(&directory), 0);
    let before = tier.snapshot().bytes;
    put(&tier, "b", 1, &body(500_000)).await;
    tier.remove(&key("b")).await.unwrap();
    tier.sync().await.unwrap();
    assert!(tier.snapshot().bytes <= before + 2 * 4_096, "what was reserved was given back");
}

#[tokio::test]
async fn a_damaged_block_is_not_served_and_what_lies_before_it_is() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, &body(6 * BLOCK_BYTES)).await;
    let (path, _) = files_in(&directory.path().join("large")).pop_first().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4 * (BLOCK_BYTES + 8) + 100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let entry = tier.look_up(&key("a")).await.unwrap().unwrap();
    let mut begin = entry.body().reader_of(0..2 * BLOCK_BYTES as u64).unwrap();
    assert_eq!(read_all(&mut begin).await.unwrap(), body(2 * BLOCK_BYTES));
    let mut all = entry.body().reader().unwrap();
    assert_eq!(read_all(&mut all).await, None);
    assert_eq!(tier.snapshot().damaged, 1);
    assert_eq!(found(&tier, "a").await, None, "nobody finds it again");
    tier.sync().await.unwrap();
    assert_eq!(large_files(&directory), 0);
    drop(tier);
    assert_eq!(found(&directory.open(), "a").await, None);
}

#[tokio::test]
async fn a_file_that_is_cut_off_or_gone_is_a_miss() {
    for cut in [true, false] {
        let directory = Scratch::new();
        let tier = directory.open();
        put(&tier, "a", 1, &body(400_000)).await;
        drop(tier);
        let (path, _) = files_in(&directory.path().join("large")).pop_first().unwrap();
        match cut {
            true => File::options().write(true).open(&path).unwrap().set_len(300_000).unwrap(),
            false => std::fs::remove_file(&path).unwrap(),
        }
        let tier = directory.open();
        assert_eq!(found(&tier, "a").await, None);
        assert_eq!(tier.snapshot().damaged, 1);
    }
}

#[tokio::test]
async fn no_more_bodies_are_written_at_once_than_may() {
    let directory = Scratch::new();
    let tier = directory.open_as(|options| options.streams_max = 1);
    let (mut writer, arriving_body) = arriving(Some(600_000));
    let (first, second) = (key("a"), key("b"));
    let entry_of_first = Arc::new(Entry::new(1, arriving_body, Timestamp::FAR));
    let mut storing = tier.put(&first, entry_of_first, None);
    assert!(futures_util::poll!(&mut storing).is_pending());
    let admitted = tier.put(&second, entry(2, &body(600_000)), None).await;
    assert_eq!((admitted, tier.snapshot().dropped_streams), (Ok(Admitted::Busy), 1));
    writer.push(Bytes::from(body(600_000))).unwrap();
    writer.finish(None);
    assert_eq!(storing.await, Ok(Admitted::Kept));
    put(&tier, "b", 2, &body(600_000)).await;
}

#[tokio::test]
async fn bodies_that_arrive_do_not_drive_out_more_than_half() {
    let directory = Scratch::new();
    let tier = directory.open();
    let keys: Vec<_> = (0..4).map(|name| key(&format!("{name}"))).collect();
    let (mut open, mut refused) = (Vec::new(), 0);
    for key in &keys {
        let (writer, arriving_body) = arriving(Some(1_900_000));
        let arriving_entry = Arc::new(Entry::new(1, arriving_body, Timestamp::FAR));
        let mut storing = tier.put(key, arriving_entry, None);
        // It waits for its room, and then, if it got that, for its body.
        let mut polled = futures_util::poll!(&mut storing);
        tier.sync().await.unwrap();
        if polled.is_pending() {
            polled = futures_util::poll!(&mut storing);
        }
        match polled {
            std::task::Poll::Pending => open.push((writer, storing)),
            std::task::Poll::Ready(admitted) => {
                assert_eq!(admitted, Ok(Admitted::Busy));
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 2, "half of 8 MiB takes two of these");
}

/// A disk whose large files take no write until it is told.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Medium for Gate {
    fn create(&self, path: &Path) -> io::Result<File> {
        System.create(path)
    }

    fn write_at(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
        if path.extension().is_some_and(|ending| ending == "body") {
            let mut is_open = self.is_open.lock();
            while !*is_open {
                self.opened.wait(&mut is_open);
            }
        }
        System.write_at(file, path, bytes, at)
    }

    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        System.sync(file, path)
    }

    fn delete(&self, path: &Path) -> io::Result<()> {
        System.delete(path)
    }

    fn sync_names(&self, directory: &Path) -> io::Result<()> {
        System.sync_names(directory)
    }
}

#[tokio::test]
async fn a_disk_that_is_too_slow_is_left_behind_and_counted() {
    let directory = Scratch::new();
    let gate = Arc::new(Gate::default());
    let tier = directory.open_on_as(gate.clone(), |options| options.size_bytes = 256 << 20);
    let len = 40 << 20;
    let limits =
        Limits { kept_bytes_max: 1_000, tapped_bytes_max: u64::MAX, window_bytes_max: 64 << 10 };
    let (mut writer, passing) = Body::arriving(limits, &Budget::new(1 << 30), Some(len));
    let mut reader = passing.reader().unwrap();
    let name = key("a");
    let passing_entry = Arc::new(Entry::new(1, passing.clone(), Timestamp::FAR));
    let send = async {
        for _ in 0..len / (64 << 10) {
            writer.room().await.unwrap();
            writer.push(Bytes::from(vec![1; 64 << 10])).unwrap();
        }
        writer.finish(None)
    };
    let read = async {
        let read = read_all(&mut reader).await.unwrap().len() as u64;
        *gate.is_open.lock() = true;
        gate.opened.notify_all();
        read
    };
    let (admitted, _, read) = tokio::join!(tier.put(&name, passing_entry, None), send, read);
    assert_eq!(read, len, "the reader was not held up");
    assert_eq!((admitted, tier.snapshot().dropped_slow), (Ok(Admitted::Busy), 1));
    tier.sync().await.unwrap();
    assert_eq!(large_files(&directory), 0);
}
