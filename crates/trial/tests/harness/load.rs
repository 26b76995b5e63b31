//! Crowds: do all ask at once, and is what they saw told as it was?

use std::sync::Arc;
use std::time::Duration;

use forebay_trial::counting::{CountingOrigin, Failing, Pace};
use forebay_trial::load::{self, Ask, CLIENTS_MAX, at_once, stampede};
use forebay_trial::nodes::Nodes;
use forebay_trial::origin::Reply;
use forebay_trial::patience::until;
use forebay_trial::pressure::{Plan, Pressure};
use forebay_trial::wire::Ending;
use tokio::sync::Barrier;

use crate::PATIENCE;

#[tokio::test]
async fn a_thousand_clients_ask_two_nodes_at_once() {
    let fields = ["Cache-Control: max-age=60"];
    let origin = CountingOrigin::saying(&fields, &[b'x'; 2000]).await.unwrap();
    let late = Duration::from_millis(500);
    origin.pace(Pace { before_head: late, ..Pace::default() });
    let nodes = Nodes::before(2, origin.address(), &[]).await.unwrap();
    let asked = stampede(&nodes.addresses(), 1000, "/a").await.unwrap();
    assert_eq!((asked.len(), origin.count_of("/a")), (1000, 2));
    let first = asked[0].answer.as_ref().unwrap().body.clone();
    for asked in &asked {
        let answer = asked.answer.as_ref().unwrap();
        assert_eq!((answer.status, answer.ending), (200, Ending::Whole));
        assert!(Arc::ptr_eq(&answer.body, &first), "equal bodies share their bytes");
        assert!(answer.cache_status.contains("fwd=uri-miss"), "{}", answer.cache_status);
        assert!(answer.took >= answer.head_took && answer.head_took < PATIENCE);
    }
    let of_second = asked.iter().filter(|it| it.ask.address == nodes.node(1).address());
    assert_eq!(of_second.count(), 500);
}

#[tokio::test]
async fn nobody_is_answered_before_all_have_asked() {
    let all = Arc::new(Barrier::new(300));
    let origin = CountingOrigin::start(move |request| {
        let all = Arc::clone(&all);
        async move {
            all.wait().await;
            Reply::whole(200, &[], request.head.target().as_bytes())
        }
    });
    let origin = origin.await.unwrap();
    let asks = (0..300).map(|number| Ask::path(origin.address(), &format!("/{number}")));
    let asked = at_once(asks.collect()).await.unwrap();
    for (number, asked) in asked.iter().enumerate() {
        let answer = asked.answer.as_ref().unwrap();
        assert_eq!(&*answer.body, format!("/{number}").as_bytes());
    }
}

#[tokio::test]
async fn a_client_whose_server_goes_tells_so_and_the_others_do_not_mind() {
    let mut dying = CountingOrigin::saying(&[], b"a").await.unwrap();
    let living = CountingOrigin::saying(&[], b"b").await.unwrap();
    dying.fail(Failing::Stall).await.unwrap();
    let asks = [&dying, &living].map(|origin| Ask::path(origin.address(), "/"));
    let load = load::start(asks.to_vec()).await.unwrap();
    until("it is heard", PATIENCE, async || dying.count() == 1).await.unwrap();
    dying.fail(Failing::Refuse).await.unwrap();
    let asked = load.answers().await.unwrap();
    assert!(asked[0].answer.is_err());
    assert_eq!(&*asked[1].answer.as_ref().unwrap().body, b"b");
    assert!(load::start(vec![asks[0].clone(); CLIENTS_MAX + 1]).await.is_err());
}

#[tokio::test]
async fn a_pressure_tells_what_was_before_and_after_a_fault() {
    let mut origin = CountingOrigin::saying(&[], b"a").await.unwrap();
    let pressure = Pressure::start(Plan {
        addresses: vec![origin.address()],
        clients: 10,
        paths: vec!["/a".to_owned(), "/b".to_owned()],
        every: Duration::from_millis(5),
    });
    let asked = async |least: usize| origin.count() >= least;
    until("some are asked", PATIENCE, async || asked(100).await).await.unwrap();
    let before = pressure.so_far();
    assert_eq!((before.failed, before.of(200)), (0, before.asked()), "{:?}", before.failures);
    assert!(before.quantile(0.99) >= before.quantile(0.5));
    assert!(before.quantile(0.5) > Duration::ZERO);

    origin.fail(Failing::Status(503)).await.unwrap();
    let heard = origin.count();
    until("more are asked", PATIENCE, async || origin.count() > heard + 100).await.unwrap();
    assert!(pressure.so_far().of(503) > 0);

    origin.fail(Failing::Refuse).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let gone = pressure.so_far();
    assert!(gone.failed > 0 && !gone.failures.is_empty());

    origin.recover().await.unwrap();
    let heard = origin.count();
    until("they are back", PATIENCE, async || origin.count() > heard + 100).await.unwrap();
    assert!(pressure.end().await.of(200) > 0);
    assert!(origin.count_of("/a").abs_diff(origin.count_of("/b")) <= origin.count() / 4);
}
