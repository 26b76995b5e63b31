use std::fs::File;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::clock::Timestamp;
use crate::purge::Epoch;
use crate::purge::{Belongs, Group, Kind, Prefix, Scope, Verdict};

/// A directory that goes when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("forebay-purges-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self) -> FileLog {
        self.open_on(Arc::new(System)).unwrap()
    }

    fn open_on(&self, medium: Arc<dyn Medium>) -> Result<FileLog, DiskError> {
        let clock = Clock::virtual_from(Timestamp::from_millis(5));
        FileLog::open_on(medium, FileOptions::new(&self.0), "here".to_owned(), clock)
    }

    fn journal(&self) -> (Journal, Rules) {
        Journal::open(FileOptions::new(&self.0)).unwrap()
    }

    fn files(&self) -> Vec<PathBuf> {
        crate::disk::numbered(&self.0, ".purges", 10)
            .unwrap()
            .into_iter()
            .map(|(_, path)| path)
            .collect()
    }

    fn file(&self) -> PathBuf {
        match &self.files()[..] {
            [one] => one.clone(),
            others => panic!("not one file: {others:?}"),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tag(name: &str) -> Group {
    Group::of("tag", name.as_bytes())
}

fn purge(name: &str) -> Vec<Rule> {
    vec![Rule { scope: Scope::Group(tag(name)), kind: Kind::Hard }]
}

fn judged(purges: &Purges, epoch: Epoch, name: &str) -> Verdict {
    let mut belongs = Belongs::new();
    belongs.to(tag(name));
    purges.judge(epoch, &belongs)
}

fn is_unproven(purges: &Purges, epoch: Epoch) -> bool {
    judged(purges, epoch, "none") == Verdict::Unproven
}

#[tokio::test(start_paused = true)]
async fn purges_outlive_a_restart_and_go_on_in_the_same_log() {
    let scratch = Scratch::new();
    let (before, between, last);
    {
        let log = scratch.open();
        before = log.purges().epoch();
        log.append(purge("a")).await.unwrap();
        between = log.purges().epoch();
        last = log.append([purge("b"), purge("c")].concat()).await.unwrap().last;
        assert_eq!(log.snapshot().file_bytes, std::fs::metadata(scratch.file()).unwrap().len());
    }
    let log = scratch.open();
    assert_eq!(log.purges().position(), last);
    assert_eq!(judged(log.purges(), before, "a"), Verdict::Gone { by: 1 });
    assert_eq!(judged(log.purges(), between, "a"), Verdict::Alive);
    assert_eq!(judged(log.purges(), between, "c"), Verdict::Gone { by: 3 });
    assert_eq!(log.append(purge("a")).await.unwrap().first, 4);
}

#[tokio::test(start_paused = true)]
async fn a_torn_end_is_cut_off_and_what_was_acknowledged_before_it_stays() {
    let scratch = Scratch::new();
    let (before, whole, one);
    {
        let log = scratch.open();
        before = log.purges().epoch();
        log.append(purge("a")).await.unwrap();
        one = std::fs::metadata(scratch.file()).unwrap().len();
        log.append(purge("b")).await.unwrap();
        whole = std::fs::read(scratch.file()).unwrap();
    }
    for len in one as usize..whole.len() {
        std::fs::write(scratch.file(), &whole[..len]).unwrap();
        let log = scratch.open();
        assert_eq!(log.purges().position().number, 1, "{len}");
        assert_eq!(judged(log.purges(), before, "a"), Verdict::Gone { by: 1 }, "{len}");
        assert_eq!(std::fs::metadata(scratch.file()).unwrap().len(), one, "{len}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_damage_makes_another_log_to_which_all_is_unproven() {
    let scratch = Scratch::new();
    let (before, after, whole);
    {
        let log = scratch.open();
        before = log.purges().epoch();
        log.append(purge("a")).await.unwrap();
        let bytes = Prefix::new(tag("h"), b"/shop").unwrap();
        let rule = Rule { scope: Scope::Prefix(bytes), kind: Kind::Soft };
        log.append(vec![rule]).await.unwrap();
        log.append(purge("c")).await.unwrap();
        after = log.purges().epoch();
        whole = std::fs::read(scratch.file()).unwrap();
    }
    let path = scratch.file();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        scratch.files().into_iter().filter(|other| *other != path).for_each(|other| {
            std::fs::remove_file(other).unwrap();
        });
        let log = scratch.open();
        assert!(is_unproven(log.purges(), before) && is_unproven(log.purges(), after), "{at}");
        assert_eq!(log.purges().position().number, 0, "{at}");
        log.append(purge("a")).await.unwrap();
        drop(log);
        // And so it stays.
        assert_eq!(scratch.open().purges().position().number, 1, "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_cannot_write_the_same_log() {
    let scratch = Scratch::new();
    let _log = scratch.open();
    assert!(matches!(scratch.open_on(Arc::new(System)), Err(DiskError::Taken { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_file_over_its_bound_loses_its_older_half_and_the_floor_rises_at_the_next_start() {
    let scratch = Scratch::new();
    let file = FileBounds { bytes_max: 0, entries_max: 0 };
    let options = FileOptions { file, ..FileOptions::new(&scratch.0) };
    let open = || FileLog::open(options.clone(), "here", Clock::system()).unwrap();
    let log = open();
    let before = log.purges().epoch();
    let mut last = before;
    for round in 0..9 {
        let name = round.to_string();
        let rules = (0..500).flat_map(|_| purge(&name)).collect();
        log.append(rules).await.unwrap();
        last = log.purges().epoch();
    }
    // It knows all while it runs.
    assert_eq!(judged(log.purges(), before, "none"), Verdict::Alive);
    drop(log);
    let log = open();
    assert_eq!(log.purges().epoch(), last);
    let snapshot = log.purges().snapshot(Instant::now());
    assert!((2_500..4_500).contains(&snapshot.floor), "{}", snapshot.floor);
    assert!(is_unproven(log.purges(), before));
    assert!(matches!(judged(log.purges(), before, "8"), Verdict::Gone { .. }));
    assert_eq!(scratch.files().len(), 1);
}

/// A disk on which an act fails, counted from now on, and each after it until it is mended.
#[derive(Default)]
struct Failing {
    acts_left: AtomicUsize,
    is_on: std::sync::atomic::AtomicBool,
}

impl Failing {
    fn after(&self, acts: usize) {
        self.acts_left.store(acts, Ordering::SeqCst);
        self.is_on.store(true, Ordering::SeqCst);
    }

    fn mend(&self) {
        self.is_on.store(false, Ordering::SeqCst);
    }

    fn act(&self) -> io::Result<()> {
        if !self.is_on.load(Ordering::SeqCst) {
            return Ok(());
        }
        let one_less = |left: usize| left.checked_sub(1);
        match self.acts_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }
}

impl Medium for Failing {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.act()?;
        System.create(path)
    }

    fn write_at(&self, file: &File, path: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
        if self.act().is_err() {
            // A full disk takes a part.
            System.write_at(file, path, &bytes[..bytes.len() / 2], at)?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        System.write_at(file, path, bytes, at)
    }

    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.act()?;
        System.sync(file, path)
    }

    fn delete(&self, path: &Path) -> io::Result<()> {
        self.act()?;
        System.delete(path)
    }

    fn sync_names(&self, directory: &Path) -> io::Result<()> {
        self.act()?;
        System.sync_names(directory)
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_the_purge_and_loses_none_that_was_acknowledged() {
    for first_failure in 0..12 {
        let (scratch, disk) = (Scratch::new(), Arc::new(Failing::default()));
        let log = scratch.open_on(disk.clone()).unwrap();
        let before = log.purges().epoch();
        log.append(purge("a")).await.unwrap();
        disk.after(first_failure);
        let mut acknowledged = vec!["a".to_owned()];
        for number in 0..8 {
            let name = number.to_string();
            match log.append(purge(&name)).await {
                Ok(_) => acknowledged.push(name),
                Err(failure) => {
                    assert!(failure.to_string().contains("no storage space"), "{failure}");
                    assert_eq!(judged(log.purges(), before, &name), Verdict::Alive);
                }
            }
            if number == 5 {
                disk.mend();
            }
        }
        assert!(acknowledged.contains(&"7".to_owned()), "{first_failure}: {acknowledged:?}");
        drop(log);
        let log = scratch.open();
        for name in &acknowledged {
            let verdict = judged(log.purges(), before, name);
            assert!(matches!(verdict, Verdict::Gone { .. }), "{first_failure} {name}: {verdict:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_finished_is_not_read_in_place_of_what_is() {
    let scratch = Scratch::new();
    let last = {
        let log = scratch.open();
        log.append(purge("a")).await.unwrap().last
    };
    std::fs::write(scratch.0.join("00000009.purges"), [0; 500]).unwrap();
    let log = scratch.open();
    assert_eq!((log.purges().position(), scratch.files().len()), (last, 1));
}

fn entry(number: u64) -> LogEntry {
    let (at, rule) = (Timestamp::default(), purge("a").remove(0));
    let previous = if number == 1 { 0 } else { number + 99 };
    LogEntry { number, token: number + 100, previous, at, rule }
}

#[tokio::test(start_paused = true)]
async fn a_journal_gives_back_what_was_read_of_another_log_and_where_to_read_on() {
    let scratch = Scratch::new();
    let at = |lineage, number| Position { lineage, number, token: number + 100 };
    {
        let (journal, rules) = scratch.journal();
        assert_eq!(rules.position(), Position::default());
        journal.write(7, (1..=3).map(entry).collect()).await.unwrap();
        journal.write(7, (2..=5).map(entry).collect()).await.unwrap();
        journal.write(7, Vec::new()).await.unwrap();
    }
    let (journal, rules) = scratch.journal();
    assert_eq!((rules.position(), rules.floor(), rules.len()), (at(7, 5), 0, 1));
    // What lies between has gone.
    journal.write(7, (9..=10).map(entry).collect()).await.unwrap();
    drop(journal);
    let (journal, rules) = scratch.journal();
    assert_eq!((rules.position(), rules.floor()), (at(7, 10), 8));
    journal.write(8, (1..=2).map(entry).collect()).await.unwrap();
    drop(journal);
    let (_, rules) = scratch.journal();
    assert_eq!((rules.position(), rules.floor()), (at(8, 2), 0));
    assert_eq!(scratch.files().len(), 1);
}
