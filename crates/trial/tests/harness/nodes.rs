//! Several nodes: started as told, asked, killed, stalled, started again.

use forebay_trial::counting::CountingOrigin;
use forebay_trial::nodes::{Nodes, Orders};
use forebay_trial::patience::until;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{MOMENT, PATIENCE};

const FRESH: &str = "Cache-Control: max-age=60";

#[tokio::test]
async fn nodes_answer_each_for_itself_and_say_what_they_counted() {
    let origin = CountingOrigin::saying(&[FRESH], b"hello").await.unwrap();
    let nodes = Nodes::before(2, origin.address(), &["--memory", "16MiB"]).await.unwrap();
    assert_eq!((nodes.count(), nodes.addresses().len()), (2, 2));
    for node in nodes.iter() {
        for _ in 0..2 {
            assert_eq!(node.get("/a", &[]).await.unwrap().body, b"hello", "{}", node.number());
        }
    }
    assert_eq!(origin.count_of("/a"), 2);
    assert_eq!(origin.heard()[0].field("host").unwrap(), "example.test");
    let exchanges = "forebay_exchanges_total";
    // An exchange is counted when its last byte has left.
    let counted = async || nodes.sum(exchanges, &[]).await.unwrap() == 4;
    until("all is counted", PATIENCE, counted).await.unwrap();
    let metrics = nodes.node(0).metrics().await.unwrap();
    assert_eq!(metrics.count(exchanges, &[]), 2, "{:?}", metrics.names());
    assert_eq!(metrics.count(exchanges, &[("result", "hit")]), 1);
    assert_eq!(nodes.sum(exchanges, &[("result", "miss")]).await.unwrap(), 2);
}

#[tokio::test]
async fn a_killed_node_comes_back_at_the_same_addresses_with_the_same_orders() {
    let origin = CountingOrigin::saying(&[FRESH], b"hello").await.unwrap();
    let told = |to: &str| Orders::File(format!("[[route]]\nto = [\"{to}\"]\n"));
    let to = format!("http://{}", origin.address());
    let mut nodes = Nodes::start(1, |seat| {
        std::fs::write(seat.folder.join("mine"), "kept").unwrap();
        told(&to)
    })
    .await
    .unwrap();
    let node = nodes.node_mut(0);
    assert_eq!(node.get("/a", &[]).await.unwrap().body, b"hello");
    let (address, admin) = (node.address(), node.admin());
    node.kill().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    assert!(node.get("/a", &[]).await.is_err());
    node.restart().await.unwrap();
    assert_eq!((node.address(), node.admin()), (address, admin));
    assert_eq!(node.get("/a", &[]).await.unwrap().body, b"hello");
    assert_eq!(std::fs::read_to_string(node.folder().join("mine")).unwrap(), "kept");
    assert!(node.terminate().await.unwrap().success());
    let folder = node.folder().to_owned();
    drop(nodes);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_stalled_node_says_nothing_until_it_is_resumed() {
    let origin = CountingOrigin::saying(&[FRESH], b"hello").await.unwrap();
    let nodes = Nodes::before(1, origin.address(), &[]).await.unwrap();
    let node = nodes.node(0);
    node.stall().await.unwrap();
    assert!(timeout(MOMENT, node.get("/a", &[])).await.is_err());
    node.resume().await.unwrap();
    assert_eq!(node.get("/a", &[]).await.unwrap().body, b"hello");
}

#[tokio::test]
async fn a_node_that_does_not_start_says_why() {
    let address = ([127, 0, 0, 1], 1).into();
    let failed = Nodes::before(1, address, &["--no-such-flag"]).await;
    let failure = failed.err().expect("it does not start").to_string();
    assert!(failure.contains("--no-such-flag"), "{failure}");
}

#[tokio::test]
async fn nodes_end_with_the_thread_that_started_them() {
    let starting = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let address = ([127, 0, 0, 1], 1).into();
            let nodes = Nodes::before(1, address, &[]).await.unwrap();
            let left = (nodes.node(0).address(), nodes.node(0).folder().to_owned());
            // What a killed trial leaves behind: nobody drops it.
            std::mem::forget(nodes);
            left
        })
    });
    let (address, folder) = starting.join().unwrap();
    let ended = async || TcpStream::connect(address).await.is_err();
    until("it ends", PATIENCE, ended).await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
