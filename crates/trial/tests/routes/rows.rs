//! Rows P4.1 to P4.5 of what Forebay replaces: dynamic upstreams with Lua and Redis. P4.6 is in
//! `bodies`, P4.7 in `outages`.

use forebay_trial::counting::CountingOrigin;
use forebay_trial::nodes::request;
use forebay_trial::origin::Reply;

use super::support::*;

#[tokio::test]
async fn p4_1_one_set_is_all_it_takes() {
    let site = Site::new().await;
    let nodes = site.nodes(1, "").await;
    site.say(&format!("SET localhost {}", site.one.address())).await;
    becomes(&nodes, "localhost", "one").await;
    for host in ["LocalHost", "localhost:8080", "localhost.", "LOCALHOST.:80"] {
        assert_eq!(ask(nodes.node(0), host).await, "one", "{host}");
    }
    site.say(&format!("SET shop.test http://{}", site.two.address())).await;
    becomes(&nodes, "shop.test", "two").await;
    site.say(&format!("SET named.test localhost:{}", site.two.address().port())).await;
    becomes(&nodes, "named.test", "two").await;
}

#[tokio::test]
async fn p4_2_a_route_is_kept_and_dropped_when_it_changes() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    let before = reads(&site.redis).await;
    for _ in 0..100 {
        for node in nodes.iter() {
            assert_eq!(ask(node, "a.test").await, "one");
        }
    }
    assert_eq!(reads(&site.redis).await, before, "Redis is not asked again");
    site.set("a.test", &site.two).await;
    becomes(&nodes, "a.test", "two").await;
}

#[tokio::test]
async fn p4_3_no_route_is_404_and_is_remembered() {
    let site = Site::new().await;
    let nodes = site.nodes(1, NEVER).await;
    works(&site, &nodes).await;
    assert_eq!(ask(nodes.node(0), "nobody.test").await, NOTHING);
    let before = reads(&site.redis).await;
    for _ in 0..100 {
        assert_eq!(ask(nodes.node(0), "nobody.test").await, NOTHING);
    }
    assert_eq!(reads(&site.redis).await, before, "Redis is not asked again");
}

#[tokio::test]
async fn p4_4_the_origin_is_told_who_asks_and_for_what_and_redirects_are_left_alone() {
    let site = Site::new().await;
    let nodes = site.nodes(1, "").await;
    let redirects = CountingOrigin::start(|_| {
        std::future::ready(Reply::whole(302, &["Location: http://inside.test:81/b"], b"there"))
    });
    let redirects = redirects.await.unwrap();
    site.set("a.test", &redirects).await;
    becomes(&nodes, "a.test", "302").await;
    redirects.forget();
    let fields = ["Host: a.test", "X-Forwarded-For: 192.0.2.1"];
    let answer = nodes.node(0).ask(&request("GET", "/a?b=c", &fields)).await.unwrap();
    assert_eq!(answer.head.field("location").as_deref(), Some("http://inside.test:81/b"));
    assert_eq!(answer.body, b"there");
    let heard = redirects.heard().remove(0);
    assert_eq!((heard.method(), heard.target()), ("GET", "/a?b=c"));
    assert_eq!(heard.field("host").as_deref(), Some("a.test"));
    let from = heard.field("x-forwarded-for").expect("it is said who asks");
    assert!(from.ends_with("127.0.0.1"), "{from}");
    assert_eq!(heard.field("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(heard.field("x-forwarded-host").as_deref(), Some("a.test"));
    assert!(heard.field("forwarded").is_some_and(|it| it.contains("127.0.0.1")));
}

#[tokio::test]
async fn p4_5_an_origin_that_is_silent_is_given_up_as_the_route_says() {
    let mut site = Site::new().await;
    let nodes = site.nodes(1, "").await;
    let to = site.one.address();
    site.say(&format!(
        "SET a.test {{\"to\":\"http://{to}\",\"upstream\":{{\"read_timeout\":\"500ms\"}}}}"
    ))
    .await;
    becomes(&nodes, "a.test", "one").await;
    site.one.fail(forebay_trial::counting::Failing::Stall).await.unwrap();
    assert_eq!(ask(nodes.node(0), "a.test").await, "504");
    site.one.recover().await.unwrap();
    becomes(&nodes, "a.test", "one").await;
}
