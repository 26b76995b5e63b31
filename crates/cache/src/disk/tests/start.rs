//! The start: who else has it, what it refuses, what it does with what it finds.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

#[test]
fn a_second_opening_is_refused_with_the_number_of_the_first() {
    let directory = Scratch::new();
    let tier = directory.open();
    let pid = std::process::id();
    let refused = directory.refused();
    assert!(matches!(refused, DiskError::Taken { pid: Some(it), .. } if it == pid), "{refused}");
    assert!(refused.to_string().contains(&format!("process {pid} has it")), "{refused}");
    drop(tier);
    directory.open();
}

#[test]
fn a_second_process_is_refused() {
    let directory = Scratch::new();
    directory.open();
    let lock = directory.path().join("forebay.lock");
    let mut other = std::process::Command::new("flock")
        .args(["--exclusive", "--no-fork"])
        .arg(&lock)
        .args(["sleep", "60"])
        .spawn()
        .unwrap();
    let mut refused = None;
    for _ in 0..1_000 {
        let opened = DiskTier::<u32>::open(directory.options(), Arc::new(Numbers), Clock::system());
        refused = opened.map(drop).err();
        if refused.is_some() {
            break;
        }
        std::thread::yield_now();
    }
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(matches!(refused, Some(DiskError::Taken { .. })), "{refused:?}");
}

#[test]
fn what_is_no_directory_or_of_another_kind_is_refused_with_a_sentence() {
    let file = Scratch::new();
    std::fs::write(file.path(), "a file").unwrap();
    assert!(matches!(file.refused(), DiskError::NotADirectory { .. }));
    let _ = std::fs::remove_file(file.path());

    let below = Scratch::under(&file.path().join("missing"));
    let refused = below.refused();
    assert!(matches!(refused, DiskError::NoParent { .. }), "{refused}");
    let advice = format!("mkdir -p {}", file.path().join("missing").display());
    assert!(refused.to_string().ends_with(&advice), "{refused}");

    let foreign = Scratch::new();
    std::fs::create_dir(foreign.path()).unwrap();
    std::fs::write(foreign.path().join("forebay.disk"), "something else\n").unwrap();
    assert!(matches!(foreign.refused(), DiskError::Foreign { .. }));

    let small = Scratch::new();
    let options = DiskOptions { size_bytes: SIZE_BYTES_MIN - 1, ..small.options() };
    let refused = DiskTier::<u32>::open(options, Arc::new(Numbers), Clock::system());
    assert!(matches!(refused, Err(DiskError::TooSmall { .. })));
    assert!(!small.path().exists());
}

#[test]
fn another_version_is_refused_and_left_as_it_is() {
    let directory = Scratch::new();
    directory.open();
    let path = directory.path().join("forebay.disk");
    let text = "forebay disk tier 2\nwhatever";
    let sealed = format!("{text}\n{:016x}\n", crate::codec::checksum(text.as_bytes()));
    std::fs::write(&path, &sealed).unwrap();
    let refused = directory.refused();
    assert!(matches!(refused, DiskError::OtherVersion { found: 2, ours: 1, .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), sealed);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let directory = Scratch::new();
    directory.open();
    // A superuser may write anywhere but where there is no writing at all.
    let is_root = is_root();
    let path = match is_root {
        true => PathBuf::from("/proc/self"),
        false => directory.path().to_owned(),
    };
    if !is_root {
        let _ = std::fs::remove_file(path.join("forebay.lock"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o500)).unwrap();
    }
    let options = DiskOptions { path: path.clone(), ..directory.options() };
    let refused = DiskTier::<u32>::open(options, Arc::new(Numbers), Clock::system());
    if !is_root {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let refused = refused.map(drop).unwrap_err();
    assert!(matches!(refused, DiskError::System { tried: "open", .. }), "{refused}");
    assert!(refused.to_string().starts_with("cannot open `"), "{refused}");
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[tokio::test]
async fn nothing_that_is_not_ours_is_ever_deleted() {
    let directory = Scratch::new();
    std::fs::create_dir_all(directory.path().join("segments")).unwrap();
    let names = ["notes.txt", "segments/notes.seg.txt", "segments/index.html"];
    for name in names {
        std::fs::write(directory.path().join(name), "mine").unwrap();
    }
    let tier = directory.open();
    put(&tier, "a", 1, b"one").await;
    drop(tier);
    directory.open();
    for name in names {
        assert_eq!(std::fs::read(directory.path().join(name)).unwrap(), b"mine");
    }
}

#[tokio::test]
async fn a_damaged_version_file_begins_anew() {
    let directory = Scratch::new();
    let tier = directory.open();
    put(&tier, "a", 1, b"one").await;
    put(&tier, "b", 1, &[1; 400_000]).await;
    drop(tier);
    let path = directory.path().join("forebay.disk");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[30] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let tier = directory.open();
    assert_eq!((found(&tier, "a").await, found(&tier, "b").await), (None, None));
    assert!(files_in(&directory.path().join("large")).is_empty());
}

#[tokio::test]
async fn a_segment_without_a_sound_sidecar_is_scanned() {
    let directory = Scratch::new();
    let tier = directory.open();
    for number in 0..40 {
        put(&tier, &format!("{number}"), number, format!("body {number}").as_bytes()).await;
    }
    drop(tier);
    let sidecar = directory.path().join("segments/00000001.idx");
    let listed = std::fs::read(&sidecar).unwrap();
    for damaged in [Vec::new(), listed[..50].to_vec(), [&listed[..60], &[0; 99]].concat()] {
        std::fs::write(&sidecar, damaged).unwrap();
        let tier = directory.open();
        assert_eq!(tier.snapshot().objects, 40);
        assert_eq!(found(&tier, "39").await, Some((39, b"body 39".to_vec())));
        drop(tier);
        assert_eq!(std::fs::read(&sidecar).unwrap(), listed, "it is written anew");
    }
}

#[tokio::test(start_paused = true)]
async fn what_expired_while_it_was_down_is_gone_and_hides_what_is_older() {
    let directory = Scratch::new();
    let clock = clock();
    let soon = clock.now().plus(Duration::from_secs(5));
    let tier = directory.open_with(&clock);
    put(&tier, "a", 1, b"older").await;
    let newer = entry_until(2, b"newer", soon);
    assert_eq!(tier.put(&key("a"), newer, None).await, Ok(Admitted::Kept));
    drop(tier);
    tokio::time::advance(Duration::from_secs(6)).await;
    let tier = directory.open_with(&clock);
    assert_eq!(found(&tier, "a").await, None);
    tier.sync().await.unwrap();
    assert_eq!((tier.snapshot().objects, tier.snapshot().expired), (0, 1));
}

#[test]
fn a_million_entries_are_found_again() {
    let directory = Scratch::new();
    directory.open();
    let paths = Directory::open(directory.path()).unwrap().paths.clone();
    let (segments, each) = (20_u32, 50_000_u32);
    for number in 1..=segments {
        let id = u64::from(number) << 32;
        let record = |index: u32| {
            let seq = u64::from(number * each + index);
            let hash = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let keep_until = Timestamp::FAR;
            let frame = frame::Frame { seq, hash, len: 100, keep_until, large: None };
            (32 + index * 168, frame)
        };
        let records: Vec<_> = (0..each).map(record).collect();
        std::fs::write(paths.segment(number), frame::segment_header(id, number)).unwrap();
        std::fs::write(paths.sidecar(number), sidecar::to_bytes(id, &records)).unwrap();
    }
    let begin = std::time::Instant::now();
    let tier = directory.open_as(|options| options.size_bytes = 4 << 30);
    println!("a million entries in {:?}", begin.elapsed());
    let snapshot = tier.snapshot();
    assert_eq!(snapshot.objects, 1_000_000);
    let each = snapshot.index_bytes as f64 / snapshot.objects as f64;
    println!("{each:.1} bytes of index for each");
    assert!(each < 62.0, "{each}");
}
