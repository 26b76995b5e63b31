//! Whatever happens to a route in Redis is followed by every node. Nothing is reconciled in these
//! trials unless they say so: what is followed was heard.
//!
//! The first five are the ways in which another proxy's provider for Redis loses events.

use forebay_trial::patience::until;
use forebay_trial::redis::RedisOptions;

use super::support::*;

#[tokio::test]
async fn a_change_of_a_route_is_followed() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    for _ in 0..3 {
        site.set("a.test", &site.two).await;
        becomes(&nodes, "a.test", "two").await;
        site.set("a.test", &site.one).await;
        becomes(&nodes, "a.test", "one").await;
    }
}

#[tokio::test]
async fn a_deletion_of_a_route_is_followed() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    for deletion in ["DEL a.test", "UNLINK a.test"] {
        site.set("a.test", &site.one).await;
        becomes(&nodes, "a.test", "one").await;
        site.say(deletion).await;
        becomes(&nodes, "a.test", NOTHING).await;
    }
}

#[tokio::test]
async fn an_expiry_of_a_route_is_followed() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    site.say("PEXPIRE a.test 500").await;
    becomes(&nodes, "a.test", NOTHING).await;
}

#[tokio::test]
async fn a_restart_of_redis_is_followed() {
    let mut site = Site::with(RedisOptions::new().persistent()).await;
    let nodes = site.nodes(2, NEVER).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    site.redis.restart().await.unwrap();
    site.set("a.test", &site.two).await;
    site.set("b.test", &site.one).await;
    becomes(&nodes, "a.test", "two").await;
    becomes(&nodes, "b.test", "one").await;
    // One that comes back with something else.
    site.redis.restart_empty().await.unwrap();
    site.set("b.test", &site.two).await;
    becomes(&nodes, "b.test", "two").await;
    becomes(&nodes, "a.test", NOTHING).await;
}

#[tokio::test]
async fn missing_notifications_are_not_needed_nor_is_everything_read() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    works(&site, &nodes).await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    site.set("a.test", &site.two).await;
    becomes(&nodes, "a.test", "two").await;
    let told = site.redis.command(&["CONFIG", "GET", "notify-keyspace-events"]).await.unwrap();
    assert_eq!(told.members().unwrap().last().unwrap().text().unwrap(), "");
    for command in ["scan", "keys", "psubscribe"] {
        assert_eq!(calls(&site.redis, command).await, 0, "{command}");
    }
    let listened = site.redis.command(&["PUBSUB", "CHANNELS", "__key*"]).await.unwrap();
    assert!(listened.members().unwrap().is_empty(), "{listened:?}");
}

#[tokio::test]
async fn a_route_for_a_host_that_was_unknown_is_used_at_once() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    for number in 0..5 {
        let host = format!("new-{number}.test");
        becomes(&nodes, &host, NOTHING).await;
        site.set(&host, &site.one).await;
        becomes(&nodes, &host, "one").await;
    }
}

#[tokio::test]
async fn a_rename_of_a_route_is_followed_at_both_names() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    site.set("a.test", &site.one).await;
    site.set("b.test", &site.two).await;
    becomes(&nodes, "a.test", "one").await;
    becomes(&nodes, "b.test", "two").await;
    site.say("RENAME a.test b.test").await;
    becomes(&nodes, "b.test", "one").await;
    becomes(&nodes, "a.test", NOTHING).await;
}

#[tokio::test]
async fn flushall_and_flushdb_are_followed() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    for flush in ["FLUSHALL", "FLUSHDB"] {
        site.set("a.test", &site.one).await;
        site.set("b.test", &site.one).await;
        becomes(&nodes, "a.test", "one").await;
        becomes(&nodes, "b.test", "one").await;
        site.say(flush).await;
        becomes(&nodes, "a.test", NOTHING).await;
        becomes(&nodes, "b.test", NOTHING).await;
    }
}

#[tokio::test]
async fn what_redis_does_not_tell_is_reconciled() {
    let site = Site::new().await;
    let nodes = site.nodes(2, "reconcile = \"500ms\"\n").await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    // Databases that are swapped tell nobody whose keys they hold.
    site.say("SWAPDB 0 1").await;
    becomes(&nodes, "a.test", NOTHING).await;
    site.say("SWAPDB 0 1").await;
    becomes(&nodes, "a.test", "one").await;
}

#[tokio::test]
async fn what_redis_evicts_or_forgets_to_track_is_asked_for_again() {
    let options = RedisOptions::new().line("tracking-table-max-keys 10");
    let site = Site::with(options).await;
    let nodes = site.nodes(1, NEVER).await;
    let hosts: Vec<String> = (0..30).map(|number| format!("h{number}.test")).collect();
    for host in &hosts {
        site.set(host, &site.one).await;
        becomes(&nodes, host, "one").await;
    }
    for host in &hosts {
        site.set(host, &site.two).await;
    }
    for host in &hosts {
        becomes(&nodes, host, "two").await;
    }
}

#[tokio::test]
async fn a_wildcard_and_a_default_route_are_followed_and_the_most_exact_wins() {
    let site = Site::new().await;
    let nodes = site.nodes(2, NEVER).await;
    becomes(&nodes, "a.shop.test", NOTHING).await;
    site.set("*", &site.one).await;
    becomes(&nodes, "a.shop.test", "one").await;
    site.set("*.shop.test", &site.two).await;
    becomes(&nodes, "a.shop.test", "two").await;
    becomes(&nodes, "b.shop.test", "two").await;
    becomes(&nodes, "other.test", "one").await;
    site.set("a.shop.test", &site.one).await;
    becomes(&nodes, "a.shop.test", "one").await;
    site.say("DEL a.shop.test").await;
    becomes(&nodes, "a.shop.test", "two").await;
    site.say("DEL *.shop.test").await;
    becomes(&nodes, "a.shop.test", "one").await;
    site.say("DEL *").await;
    becomes(&nodes, "a.shop.test", NOTHING).await;
}

#[tokio::test]
async fn hipaches_lists_are_routes_where_that_is_set() {
    let site = Site::new().await;
    let nodes =
        site.nodes(1, "hipache = \"on\"\nprefix = \"frontend:\"\nreconcile = \"1h\"\n").await;
    let (one, two) = (site.one.address(), site.two.address());
    site.say(&format!("RPUSH frontend:a.test name http://{one}")).await;
    becomes(&nodes, "a.test", "one").await;
    site.say(&format!("RPUSH frontend:a.test http://{two}")).await;
    let both = async || {
        for _ in 0..20 {
            ask(nodes.node(0), "a.test").await;
        }
        site.two.count() > 0
    };
    until("both are asked", PATIENCE, both).await.unwrap();
    site.say(&format!("LREM frontend:a.test 0 http://{one}")).await;
    becomes(&nodes, "a.test", "two").await;
}

#[tokio::test]
async fn a_value_in_json_is_followed_path_by_path() {
    let site = Site::new().await;
    let nodes = site.nodes(1, NEVER).await;
    let (one, two) = (site.one.address(), site.two.address());
    site.say(&format!(
        "SET a.test [{{\"to\":\"http://{one}\"}},{{\"path\":\"/b\",\"to\":\"http://{two}\"}}]"
    ))
    .await;
    becomes(&nodes, "a.test", "one").await;
    let at_b = async || {
        let answer = nodes.node(0).get("/b/c", &["Host: a.test"]).await.unwrap();
        String::from_utf8_lossy(&answer.body).into_owned()
    };
    assert_eq!(at_b().await, "two");
    site.say(&format!("SET a.test {{\"to\":[\"http://{two}\"]}}")).await;
    becomes(&nodes, "a.test", "two").await;
    site.set("a.test", &site.one).await;
    becomes(&nodes, "a.test", "one").await;
    assert_eq!(at_b().await, "one");
}

#[tokio::test]
async fn the_file_goes_before_redis_where_both_name_a_host_as_exactly() {
    let site = Site::new().await;
    let (one, two) = (site.one.address(), site.two.address());
    let more = format!(
        "{NEVER}[[route]]\nhost = \"a.test\"\nto = \"http://{one}\"\n\
         [[route]]\nhost = \"*.b.test\"\nto = \"http://{one}\"\n"
    );
    let nodes = site.nodes(1, &more).await;
    for host in ["a.test", "x.b.test", "c.test"] {
        site.say(&format!("SET {host} {two}")).await;
    }
    becomes(&nodes, "c.test", "two").await;
    becomes(&nodes, "a.test", "one").await;
    // A host's own name is more exact than a wildcard of the file.
    becomes(&nodes, "x.b.test", "two").await;
    becomes(&nodes, "y.b.test", "one").await;
    site.say("DEL x.b.test").await;
    becomes(&nodes, "x.b.test", "one").await;
}
