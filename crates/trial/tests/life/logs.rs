//! The access log in a file: moved away and opened again, sampled.

use forebay_trial::counting::CountingOrigin;
use forebay_trial::origin::Reply;
use forebay_trial::patience::until;
use forebay_trial::wire::Message;

use super::support::*;

const LOG: &str = "access_log = \"text\"\naccess_log_file = \"{folder}/access.log\"\n";

#[tokio::test]
async fn a_log_that_was_moved_away_is_opened_again_when_it_is_told_and_no_line_is_lost() {
    let one = origin("one").await;
    let life = Life::start(&format!("{LOG}{}", route(&one))).await;
    let (log, moved) = (life.folder.path().join("access.log"), life.folder.path().join("access.1"));
    let lines =
        |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    for _ in 0..3 {
        life.get("/a").await;
    }
    until("they are written", PATIENCE, async || lines(&log) == 3).await.unwrap();
    std::fs::rename(&log, &moved).unwrap();
    life.get("/a").await;
    until("it is written where it was", PATIENCE, async || lines(&moved) == 4).await.unwrap();
    life.signal("-USR1", life.process.id().unwrap()).await;
    life.says("opened the access log again").await;
    life.get("/a").await;
    until("it is written anew", PATIENCE, async || lines(&log) == 1).await.unwrap();
    assert_eq!(lines(&moved), 4);
    // A reload leads elsewhere, and switches off.
    let other = LOG.replace("access.log", "other.log");
    life.write(&format!("{other}{}", route(&one)));
    assert_eq!(life.type_in(&["reload"]).await.status, 0);
    life.get("/a").await;
    let elsewhere = life.folder.path().join("other.log");
    until("it is written elsewhere", PATIENCE, async || lines(&elsewhere) == 1).await.unwrap();
    life.write(&format!(
        "access_log_file = \"/no/such/folder/x\"\naccess_log = \"json\"\n{}",
        route(&one)
    ));
    let said = life.type_in(&["reload"]).await;
    assert_eq!(said.status, 1, "{said:?}");
    assert!(said.complained.contains("cannot write the access log"), "{said:?}");
    life.get("/a").await;
    until("it goes on as before", PATIENCE, async || lines(&elsewhere) == 2).await.unwrap();
}

#[tokio::test]
async fn a_sample_leaves_out_what_went_well_and_nothing_else() {
    let origin = CountingOrigin::start(|asked: Message| {
        let status = if asked.head.target().starts_with("/bad") { 500 } else { 200 };
        std::future::ready(Reply::whole(status, &["Cache-Control: no-store"], b"x"))
    });
    let origin = origin.await.unwrap();
    let life = Life::start(&format!("{LOG}access_log_sample = 0.0\n{}", route(&origin))).await;
    for number in 0..20 {
        life.get(&format!("/good/{number}")).await;
        life.get(&format!("/bad/{number}")).await;
    }
    let log = life.folder.path().join("access.log");
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    until("they are written", PATIENCE, async || text().lines().count() == 20).await.unwrap();
    assert!(!text().contains("/good"), "{}", text());
    life.write(&format!("{LOG}access_log_sample = 0.5\n{}", route(&origin)));
    assert_eq!(life.type_in(&["reload"]).await.status, 0);
    for number in 0..200 {
        life.get(&format!("/good/{number}")).await;
    }
    life.get("/bad/last").await;
    until("they are written", PATIENCE, async || text().contains("/bad/last")).await.unwrap();
    let kept = text().matches("/good").count();
    assert!((50..=150).contains(&kept), "{kept} of 200");
}
