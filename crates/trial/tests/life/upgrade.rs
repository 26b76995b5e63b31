//! Another process in the place of one, without a request lost; and one that does not get ready.

use std::os::unix::fs::PermissionsExt;

use forebay_trial::client::Client;
use forebay_trial::counting::CountingOrigin;
use forebay_trial::origin::Reply;
use forebay_trial::patience::until;
use forebay_trial::wire::Message;

use super::support::*;

const DISK: &str = "[disk]\npath = \"{folder}/disk\"\nsize = \"64MiB\"\n";

#[tokio::test]
async fn a_load_runs_through_ten_upgrades_without_a_failed_request() {
    let one = origin("one").await;
    let life = Life::start(&format!("{DISK}{}", route(&one))).await;
    let load = Load::begin(life.address, 12, 40);
    let mut pids = vec![life.process.id().unwrap()];
    for _ in 0..10 {
        pids.push(life.upgrade().await);
    }
    let counted = load.end().await;
    assert_eq!(counted.failures, Vec::<String>::new(), "{}", life.process.output());
    assert!(counted.answers > counted.connections, "{counted:?}");
    assert!(counted.connections > 12, "the old ones end their connections: {counted:?}");
    let last = pids.pop().unwrap();
    let ended = async || pids.iter().all(|pid| !lives(*pid));
    until("the old ones have ended", PATIENCE, ended).await.unwrap();
    assert!(lives(last));
    assert_eq!(life.body("/1").await.0, 200);
}

#[tokio::test]
async fn http2_runs_through_upgrades_too() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let load = Load::begin_http2(life.address, 6, 40);
    for _ in 0..4 {
        life.upgrade().await;
    }
    let counted = load.end().await;
    assert_eq!(counted.failures, Vec::<String>::new(), "{}", life.process.output());
    assert!(counted.answers > counted.connections, "{counted:?}");
    assert!(counted.connections > 6, "the old ones end their connections: {counted:?}");
}

#[tokio::test]
async fn what_the_disk_holds_and_what_was_purged_is_the_successors() {
    let one = origin("one").await;
    let life = Life::start(&format!("{DISK}{}", route(&one))).await;
    for path in ["/a", "/b"] {
        assert_eq!(life.body(path).await.0, 200);
    }
    let stored = async || {
        let labels = [("tier", "disk"), ("result", "stored")];
        life.metrics().await.count("forebay_tier_stores_total", &labels) >= 2
    };
    until("the disk has it", PATIENCE, stored).await.unwrap();
    let said = life.type_in(&["purge", "http://example.test/b"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    life.upgrade().await;
    let answer = life.get("/a").await;
    let said = answer.head.field("cache-status").unwrap();
    assert!(said.contains("hit") && said.contains("detail=disk"), "{said}");
    let said = life.get("/b").await.head.field("cache-status").unwrap();
    assert!(!said.contains("hit"), "{said}");
    let said = life.type_in(&["purge", "http://example.test/a"]).await;
    assert_eq!(said.status, 0, "{said:?}");
}

#[tokio::test]
async fn what_the_successor_purges_the_predecessor_does_not_serve() {
    let version = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(1));
    let now = std::sync::Arc::clone(&version);
    let origin = CountingOrigin::start(move |_: Message| {
        let version = now.load(std::sync::atomic::Ordering::Relaxed).to_string();
        std::future::ready(Reply::whole(200, &["Cache-Control: max-age=60"], version.as_bytes()))
    });
    let origin = origin.await.unwrap();
    let life = Life::start(&route(&origin)).await;
    let mut standing = Client::connect(life.address).await.unwrap();
    for _ in 0..2 {
        assert_eq!(standing.ask(&request("/a"), PATIENCE).await.unwrap().body, b"1");
    }
    let mut unused = Client::connect(life.address).await.unwrap();
    life.upgrade().await;
    version.store(2, std::sync::atomic::Ordering::Relaxed);
    let said = life.type_in(&["purge", "--all", "--yes"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    // Connections that the old process has accepted are answered once more, by it.
    for client in [&mut standing, &mut unused] {
        let answer = client.ask(&request("/a"), PATIENCE).await.unwrap();
        assert_eq!(answer.body, b"2", "{}", answer.shown());
        assert!(answer.head.closes(), "{}", answer.shown());
    }
}

#[tokio::test]
async fn a_program_that_ends_at_once_leaves_everything_as_it_was() {
    let one = origin("one").await;
    let life = Life::start(&format!("{DISK}{}", route(&one))).await;
    let load = Load::begin(life.address, 4, 20);
    let broken = life.program("broken", "exit 3");
    let said = life.type_in(&["upgrade", "--binary", broken.to_str().unwrap()]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.complained.contains("it ended at its start (exit status: 3)"), "{said:?}");
    let counted = load.end().await;
    assert_eq!(counted.failures, Vec::<String>::new());
    assert_eq!(counted.connections, 4, "no connection was ended");
    life.upgrade().await;
}

#[tokio::test]
async fn a_program_that_hangs_is_given_up_and_ended() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let load = Load::begin(life.address, 4, 20);
    let mark = life.folder.path().join("pid");
    let hanging = life.program("hanging", &format!("echo $$ > {}; exec sleep 600", mark.display()));
    let words = ["upgrade", "--within", "1s", "--binary", hanging.to_str().unwrap()];
    let said = life.type_in(&words).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.complained.contains("it was not ready within 1s"), "{said:?}");
    if let Ok(pid) = std::fs::read_to_string(mark) {
        assert!(!lives(pid.trim().parse().unwrap()), "it still runs");
    }
    let counted = load.end().await;
    assert_eq!(counted.failures, Vec::<String>::new());
    assert_eq!(counted.connections, 4, "no connection was ended");
}

#[tokio::test]
async fn what_was_let_go_for_a_successor_that_fails_is_taken_back() {
    let one = origin("one").await;
    let tables = format!("{DISK}{}", route(&one));
    let life = Life::start(&tables).await;
    assert_eq!(life.body("/a").await.0, 200);
    // It fails when it has opened the disk already.
    let redis = "[redis]\nurl = \"rediss://127.0.0.1:1\"\nca_file = \"{folder}/none\"\n";
    life.write(&format!("{redis}{tables}"));
    let said = life.type_in(&["upgrade"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.complained.contains("cannot read the certificates"), "{said:?}");
    assert_eq!(life.get("/a").await.head.field("cache-status").unwrap().matches("hit").count(), 1);
    let said = life.type_in(&["purge", "http://example.test/a"]).await;
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(life.body("/b").await.0, 200);
    let stored = async || {
        let labels = [("tier", "disk"), ("result", "stored")];
        life.metrics().await.count("forebay_tier_stores_total", &labels) >= 2
    };
    until("the disk takes again", PATIENCE, stored).await.unwrap();
    life.write(&tables);
    life.upgrade().await;
    let said = life.get("/b").await.head.field("cache-status").unwrap();
    assert!(said.contains("detail=disk"), "{said}");
    let said = life.get("/a").await.head.field("cache-status").unwrap();
    assert!(!said.contains("hit"), "{said}");
}

#[tokio::test]
async fn a_wrong_file_is_said_to_who_upgrades() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    life.write("memry = 1\n");
    let said = life.type_in(&["upgrade"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.complained.contains("did you mean `memory`"), "{said:?}");
    assert_eq!(life.body("/pass").await.0, 200);
}

#[tokio::test]
async fn a_program_that_others_can_write_is_not_started() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let open = life.program("open", "exit 0");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    for (binary, why) in [
        (open.to_str().unwrap(), "others can write it"),
        ("/no/such/program", "No such file"),
        (life.folder.path().to_str().unwrap(), "it is no file"),
    ] {
        let said = life.type_in(&["upgrade", "--binary", binary]).await;
        assert_eq!(said.status, 1, "{said:?}");
        assert!(said.complained.contains(why), "{said:?}");
    }
    let (status, said) = life.operate("POST", "/upgrade", "{\"within\": \"x\"}").await.unwrap();
    assert_eq!(status, 422, "{said}");
}

#[tokio::test]
async fn sigusr2_upgrades_and_the_file_may_say_what_a_reload_cannot() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    life.write(&format!("name = \"second\"\n{}", route(&one)));
    let old = life.process.id().unwrap();
    life.signal("-USR2", old).await;
    life.says(" has taken over; draining").await;
    let output = life.process.output();
    let (before, _) = output.split_once(" has taken over").unwrap();
    let pid = before.rsplit(' ').next().unwrap().parse().unwrap();
    life.succeeded_by(pid);
    let said = life.get("/pass").await.head.field("cache-status").unwrap();
    assert!(said.starts_with("second;"), "{said}");
    let ended = async || !lives(old);
    until("the old one has ended", PATIENCE, ended).await.unwrap();
}
