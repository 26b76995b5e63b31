//! A node that comes back serves what its disk has.

use std::time::Duration;

use forebay_trial::counting::{CountingOrigin, Failing};
use forebay_trial::nodes::Nodes;
use forebay_trial::patience::until;
use forebay_trial::redis::RedisServer;

use super::support::*;

const DISK: &str = "[disk]\npath = \"{folder}/disk\"\nsize = \"256MiB\"\n";

async fn restarted(nodes: &mut Nodes) {
    // What was written longer ago than the interval survives even the machine.
    nodes.node_mut(0).restart().await.unwrap();
}

#[tokio::test]
async fn a_killed_node_serves_its_working_set_from_disk_without_an_origin_request() {
    let origin = origin(&[FRESH, "X-Kept: yes"]).await;
    let mut nodes = nodes(1, origin.address(), DISK, "").await;
    for number in 0..300 {
        ask(&nodes, 0, &format!("/{number}")).await;
    }
    stored(&nodes, "disk", 300).await;
    restarted(&mut nodes).await;
    for number in 0..300 {
        let (body, said) = ask(&nodes, 0, &format!("/{number}")).await;
        assert_eq!(body, format!("body of /{number}"));
        assert!(said.contains("hit") && said.contains("detail=disk"), "{said}");
    }
    assert_eq!(origin.count(), 300);
    let (_, said) = ask(&nodes, 0, "/7").await;
    assert!(!said.contains("detail"), "promoted into memory: {said}");
}

#[tokio::test]
async fn a_large_body_lies_on_disk_alone_and_its_ranges_are_read_there() {
    let body: Vec<u8> = (0..20_000_000_u32).map(|number| (number % 251) as u8).collect();
    let origin = CountingOrigin::saying(&[FRESH, "ETag: \"a\""], &body).await.unwrap();
    let tables = format!("memory = \"64MiB\"\n{DISK}body_bytes_max = \"64MiB\"\n");
    let mut nodes = nodes(1, origin.address(), &tables, "").await;
    // On a busy machine the client may outrun the disk, which then does not keep it.
    let kept = async || {
        let answer = nodes.node(0).get("/large", &[]).await.unwrap();
        assert!(answer.body == body);
        let labels = [("tier", "disk"), ("result", "stored")];
        nodes.sum("forebay_tier_stores_total", &labels).await.unwrap() > 0
    };
    until("the disk has it", PATIENCE, kept).await.unwrap();
    origin.forget();
    for _ in 0..2 {
        let answer = nodes.node(0).get("/large", &[]).await.unwrap();
        let said = answer.head.field("cache-status").unwrap();
        assert!(said.contains("hit") && answer.body == body, "{said}");
        let answer =
            nodes.node(0).get("/large", &["Range: bytes=15000000-15000009"]).await.unwrap();
        assert_eq!(answer.head.status().unwrap(), 206);
        assert_eq!(answer.body, &body[15_000_000..15_000_010]);
        let answer = nodes.node(0).get("/large", &["If-None-Match: \"a\""]).await.unwrap();
        assert_eq!(answer.head.status().unwrap(), 304);
        restarted(&mut nodes).await;
    }
    assert_eq!(origin.count(), 0);
}

#[tokio::test]
async fn with_redis_and_the_origin_dead_what_may_be_served_on_error_still_is() {
    let mut store = RedisServer::start().await.unwrap();
    let mut origin = origin(&["Cache-Control: max-age=1, stale-if-error=600"]).await;
    let tables = format!("{DISK}{}", redis(&store.url()));
    let mut nodes = nodes(1, origin.address(), &tables, "early_refresh = 0").await;
    ask(&nodes, 0, "/a").await;
    stored(&nodes, "disk", 1).await;
    pass(Duration::from_millis(1_200)).await;
    store.kill().await.unwrap();
    origin.fail(Failing::Refuse).await.unwrap();
    restarted(&mut nodes).await;
    let (body, said) = ask(&nodes, 0, "/a").await;
    assert_eq!(body, "body of /a");
    assert!(said.contains("detail="), "{said}");
}

#[tokio::test]
async fn what_was_removed_does_not_come_back_after_a_kill() {
    let origin = origin(&[FRESH]).await;
    let mut nodes = nodes(1, origin.address(), DISK, "").await;
    ask(&nodes, 0, "/a").await;
    stored(&nodes, "disk", 1).await;
    let delete = "DELETE /a HTTP/1.1\r\nHost: example.test\r\n\r\n";
    assert_eq!(nodes.node(0).ask(delete).await.unwrap().head.status().unwrap(), 200);
    restarted(&mut nodes).await;
    let (_, said) = ask(&nodes, 0, "/a").await;
    assert!(said.contains("fwd=uri-miss"), "{said}");
}

#[tokio::test]
async fn a_large_body_that_was_cut_is_not_on_the_disk() {
    let origin = CountingOrigin::start(|_| {
        let body = vec![b'x'; 5_000_000];
        std::future::ready(forebay_trial::origin::Reply::whole(200, &[FRESH], &body).cut(1_000_000))
    });
    let origin = origin.await.unwrap();
    let tables = format!("memory = \"8MiB\"\n{DISK}body_bytes_max = \"64MiB\"\n");
    let mut nodes = nodes(1, origin.address(), &tables, "").await;
    for count in 1..=2 {
        let answer = nodes.node(0).get("/cut", &[]).await.unwrap();
        assert_eq!(answer.ending, forebay_trial::wire::Ending::Cut);
        assert_eq!(origin.count(), count);
        restarted(&mut nodes).await;
    }
}

#[tokio::test]
async fn a_disk_that_cannot_be_used_is_said_at_the_start() {
    let origin = origin(&[FRESH]).await;
    let folder = std::env::temp_dir().join(format!("forebay-no-disk-{}", std::process::id()));
    std::fs::write(&folder, "a file").unwrap();
    let flags = ["--disk".to_owned(), format!("{}:64MiB", folder.display())];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let failed = Nodes::before(1, origin.address(), &flags).await;
    let said = failed.err().expect("it does not start").to_string();
    assert!(said.contains(&folder.display().to_string()), "{said}");
    std::fs::remove_file(&folder).unwrap();
}

#[tokio::test]
async fn two_nodes_never_share_a_disk() {
    let origin = origin(&[FRESH]).await;
    let folder = std::env::temp_dir().join(format!("forebay-one-disk-{}", std::process::id()));
    let flags = ["--disk".to_owned(), format!("{}:64MiB", folder.display())];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let first = Nodes::before(1, origin.address(), &flags).await.unwrap();
    let failed = Nodes::before(1, origin.address(), &flags).await;
    let said = failed.err().expect("it does not start").to_string();
    assert!(said.contains(&first.node(0).id().unwrap().to_string()), "{said}");
    drop(first);
    std::fs::remove_dir_all(&folder).unwrap();
}
