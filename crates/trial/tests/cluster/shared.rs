//! What one node stored, the others serve.

use std::time::Duration;

use forebay_trial::counting::CountingOrigin;
use forebay_trial::origin::Reply;
use forebay_trial::redis::{RedisCluster, RedisOptions, RedisPair, RedisServer};
use forebay_trial::wire::Message;

use super::support::*;

#[tokio::test]
async fn p1_1_p1_3_what_one_node_fetched_the_others_serve_from_redis_under_a_digest() {
    let cluster = cluster(2, &[FRESH, "X-Kept: yes"], "").await;
    ask(&cluster.nodes, 0, "/a?b=c").await;
    stored(&cluster.nodes, "redis", 1).await;
    let (body, said) = ask(&cluster.nodes, 1, "/a?b=c").await;
    assert_eq!(body, "body of /a?b=c");
    assert!(said.contains("hit") && said.contains("detail=redis"), "{said}");
    let (_, said) = ask(&cluster.nodes, 1, "/a?b=c").await;
    assert!(said.contains("hit") && !said.contains("detail"), "from memory: {said}");
    assert_eq!(cluster.origin.count(), 1);
    let keys = cluster.store.keys("*").await.unwrap();
    let is_named = |key: &String| key.starts_with("forebay:{") && !key.contains("a?b");
    assert!(!keys.is_empty() && keys.iter().all(is_named), "{keys:?}");
}

#[tokio::test]
async fn p1_2_redis_keeps_an_entry_for_its_freshness_and_its_stale_window() {
    let fields = &["Cache-Control: max-age=100, stale-while-revalidate=50"];
    let cluster = cluster(1, fields, "stale_when_unreachable = \"0s\"\nkeep = \"0s\"").await;
    ask(&cluster.nodes, 0, "/a").await;
    stored(&cluster.nodes, "redis", 1).await;
    for key in cluster.store.keys("*").await.unwrap() {
        let left = cluster.store.command(&["PTTL", &key]).await.unwrap().integer().unwrap();
        // -1 is for ever; -2 is a key that has gone since it was listed, such as a lease.
        assert!(left != -1, "{key} never expires");
        if key.ends_with(":entry") || key.ends_with(":e") {
            assert!((130_000..=150_000).contains(&left), "{key}: {left}");
        }
    }
}

#[tokio::test]
async fn variants_are_shared_and_each_node_serves_the_one_that_fits() {
    let store = RedisServer::start().await.unwrap();
    let origin = CountingOrigin::start(|message: Message| {
        let language = message.head.field("accept-language").unwrap_or_default();
        std::future::ready(Reply::whole(
            200,
            &[FRESH, "Vary: Accept-Language"],
            language.as_bytes(),
        ))
    });
    let origin = origin.await.unwrap();
    let nodes = nodes(2, origin.address(), &redis(&store.url()), "").await;
    for language in ["de", "fr"] {
        let field = format!("Accept-Language: {language}");
        let answer = nodes.node(0).get("/a", &[&field]).await.unwrap();
        assert_eq!(answer.body, language.as_bytes());
        // An index and a variant each.
        stored(&nodes, "redis", if language == "de" { 2 } else { 4 }).await;
    }
    for language in ["fr", "de"] {
        let field = format!("Accept-Language: {language}");
        let answer = nodes.node(1).get("/a", &[&field]).await.unwrap();
        assert_eq!(answer.body, language.as_bytes());
        let said = answer.head.field("cache-status").unwrap();
        assert!(said.contains("hit"), "{said}");
    }
    assert_eq!(origin.count(), 2);
}

#[tokio::test]
async fn p1_10_a_listed_post_is_shared_by_its_body() {
    let cluster = cluster(2, &[FRESH], "methods = [\"POST\"]").await;
    let post = |body: &str| {
        format!(
            "POST /a HTTP/1.1\r\nHost: example.test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for (node, body) in [(0, "one"), (0, "two")] {
        let answer = cluster.nodes.node(node).ask(&post(body)).await.unwrap();
        assert_eq!(answer.head.status().unwrap(), 200);
    }
    stored(&cluster.nodes, "redis", 2).await;
    let answer = cluster.nodes.node(1).ask(&post("one")).await.unwrap();
    let said = answer.head.field("cache-status").unwrap();
    assert!(said.contains("hit"), "{said}");
    assert_eq!(cluster.origin.count(), 2);
}

#[tokio::test]
async fn p1_12_connections_to_redis_are_kept() {
    let cluster = cluster(2, &[FRESH], "").await;
    ask(&cluster.nodes, 0, "/first").await;
    stored(&cluster.nodes, "redis", 1).await;
    let before = received(&cluster.store).await;
    for number in 0..50 {
        ask(&cluster.nodes, number % 2, &format!("/{number}")).await;
    }
    // Our own question comes over a connection, too.
    assert!(received(&cluster.store).await - before <= 4);
}

async fn received(store: &RedisServer) -> i64 {
    store.says("total_connections_received").await.unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_unsafe_request_removes_what_redis_has() {
    let cluster = cluster(2, &[FRESH], "").await;
    ask(&cluster.nodes, 0, "/a").await;
    stored(&cluster.nodes, "redis", 1).await;
    let delete = "DELETE /a HTTP/1.1\r\nHost: example.test\r\n\r\n";
    assert_eq!(cluster.nodes.node(0).ask(delete).await.unwrap().head.status().unwrap(), 200);
    let (_, said) = ask(&cluster.nodes, 1, "/a").await;
    assert!(said.contains("fwd=uri-miss"), "{said}");
}

#[tokio::test]
async fn a_redis_cluster_serves_as_one_redis_does() {
    let store = RedisCluster::start().await.unwrap();
    let listed: Vec<String> = store.addresses().iter().map(ToString::to_string).collect();
    let origin = origin(&[FRESH]).await;
    let tables = redis(&format!("redis+cluster://{}", listed.join(",")));
    let nodes = nodes(2, origin.address(), &tables, "").await;
    works(&nodes).await;
    let before = nodes.sum("forebay_tier_stores_total", &[("result", "stored")]).await.unwrap();
    origin.forget();
    for number in 0..20 {
        ask(&nodes, 0, &format!("/{number}")).await;
    }
    stored(&nodes, "redis", before + 20).await;
    for number in 0..20 {
        let (_, said) = ask(&nodes, 1, &format!("/{number}")).await;
        assert!(said.contains("detail=redis"), "{said}");
    }
    assert_eq!(origin.count(), 20);
    // Leases work there, too.
    origin.pace(forebay_trial::counting::Pace {
        before_head: Duration::from_millis(500),
        ..Default::default()
    });
    let asked = forebay_trial::load::stampede(&nodes.addresses(), 40, "/cold").await.unwrap();
    all_have(&asked, "body of /cold");
    assert_eq!(origin.count_of("/cold"), 1);
}

#[tokio::test]
async fn a_failover_by_sentinel_is_followed() {
    let mut store = RedisPair::start().await.unwrap();
    let listed: Vec<String> = store.sentinel_addresses().iter().map(ToString::to_string).collect();
    let url = format!("redis+sentinel://{}/{}", listed.join(","), store.service());
    let origin = origin(&[FRESH]).await;
    let nodes = nodes(2, origin.address(), &redis(&url), "").await;
    works(&nodes).await;
    let old = store.kill_primary().await.unwrap();
    // Whatever Redis does, the origin answers.
    ask(&nodes, 0, "/meanwhile").await;
    store.moved_from(old).await.unwrap();
    works(&nodes).await;
}

#[tokio::test]
async fn p1_9_a_skipping_request_stores_a_new_copy_for_all() {
    let store = RedisServer::start().await.unwrap();
    let count = std::sync::atomic::AtomicUsize::new(0);
    let origin = CountingOrigin::start(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        std::future::ready(Reply::whole(200, &[FRESH], number.to_string().as_bytes()))
    });
    let origin = origin.await.unwrap();
    let secret = "skip = { field = \"X-Skip\", secret = \"0123456789abcdef\" }";
    let nodes = nodes(2, origin.address(), &redis(&store.url()), secret).await;
    assert_eq!(ask(&nodes, 0, "/a").await.0, "0");
    stored(&nodes, "redis", 1).await;
    let answer = nodes.node(0).get("/a", &["X-Skip: 0123456789abcdef"]).await.unwrap();
    assert_eq!(answer.body, b"1");
    stored(&nodes, "redis", 2).await;
    assert_eq!(ask(&nodes, 1, "/a").await.0, "1");
}

#[tokio::test]
async fn with_a_secret_nobody_else_can_make_a_node_serve_what_he_likes() {
    let store = RedisOptions::new().start().await.unwrap();
    let origin = origin(&[FRESH]).await;
    let told = |secret: &str| {
        let file =
            std::env::temp_dir().join(format!("forebay-secret-{secret}-{}", std::process::id()));
        std::fs::write(&file, secret.repeat(40)).unwrap();
        redis(&store.url()) + &format!("secret_file = \"{}\"\n", file.display())
    };
    let knowing = nodes(2, origin.address(), &told("a"), "").await;
    let foreign = nodes(1, origin.address(), &told("b"), "").await;
    works(&knowing).await;
    ask(&knowing, 0, "/a").await;
    nothing_leased(&store).await;
    let (_, said) = ask(&foreign, 0, "/a").await;
    assert!(said.contains("fwd=uri-miss"), "{said}");
    stored(&foreign, "redis", 1).await;
    // What the other wrote in its place is a miss here.
    let (_, said) = ask(&knowing, 1, "/a").await;
    assert!(!said.contains("detail=redis"), "{said}");
}

#[tokio::test]
async fn what_is_asked_for_once_is_not_put_into_redis_unless_told() {
    let store = RedisServer::start().await.unwrap();
    let origin = origin(&["Cache-Control: max-age=1"]).await;
    let tables = redis(&store.url()) + "admission = \"second-use\"\n";
    let nodes = nodes(2, origin.address(), &tables, "early_refresh = 0").await;
    ask(&nodes, 0, "/a").await;
    let refused = [("tier", "redis"), ("result", "refused")];
    counted(&nodes, "forebay_tier_stores_total", &refused, 1).await;
    ask(&nodes, 1, "/a").await;
    stored(&nodes, "redis", 1).await;
}
