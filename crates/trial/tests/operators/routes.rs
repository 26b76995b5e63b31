//! `forebay routes`: what it shows, what it writes, and who uses it then.

use std::net::SocketAddr;
use std::process::Stdio;

use forebay_trial::client::Client;
use forebay_trial::patience::until;
use forebay_trial::process;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::support::*;

#[tokio::test]
async fn what_is_set_is_used_by_every_node_before_the_command_ends() {
    let fleet = Fleet::start(3).await;
    let (one, other) = (origin("one").await, origin("other").await);
    for origin in [&one, &other, &one] {
        let to = origin.address().to_string();
        let typed = fleet.type_at(0, &["set", "Shop.Example.com.", &to, "--json"]).await;
        assert_eq!(typed.status, 0, "{typed:?}");
        let said = typed.json();
        assert_eq!((&said["everywhere"], &said["expected"]), (&true.into(), &3.into()), "{said}");
        let names: Vec<_> =
            said["nodes"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
        assert_eq!(names, ["node-0", "node-1", "node-2"]);
        assert_eq!(fleet.stored("shop.example.com").await, Some(to));
        for node in fleet.nodes.iter() {
            let expected = if std::ptr::eq(origin, &other) { "other" } else { "one" };
            assert_eq!(visit(node, "shop.example.com").await, (200, expected.to_owned()));
        }
    }
}

#[tokio::test]
async fn what_is_deleted_is_known_to_every_node_before_the_command_ends() {
    let fleet = Fleet::start(2).await;
    let origin = origin("one").await;
    let to = origin.address().to_string();
    assert_eq!(fleet.type_at(0, &["set", "*.example.com", &to]).await.status, 0);
    assert_eq!(visit(fleet.nodes.node(1), "a.example.com").await.0, 200);
    let typed = fleet.type_at(1, &["delete", "*.example.com"]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
    assert!(typed.said.contains("*.example.com is deleted\nknown to 2 of 2 nodes\n"), "{typed:?}");
    for node in fleet.nodes.iter() {
        assert_eq!(visit(node, "a.example.com").await.0, 404);
    }
    let again = fleet.type_at(0, &["delete", "*.example.com"]).await;
    assert_eq!((again.status, again.said.contains("was not there")), (3, true), "{again:?}");
}

#[tokio::test]
async fn a_wrong_value_is_told_and_never_written() {
    let fleet = Fleet::start(1).await;
    for (host, value, expected) in [
        ("shop.example.com", "nonsense", "write host:port"),
        ("shop.example.com", "", "write host:port"),
        ("shop.example.com", "10.0.0.5", "port"),
        ("shop.example.com", "{\"to\": \"http://10.0.0.5:1\", \"stall\": \"1s\"}", "stale"),
        ("shop.example.com", "169.254.169.254:80", "metadata"),
        ("shop.example.com", "http://[::ffff:169.254.169.254]", "metadata"),
        ("shop.example.com", "{\"to\": [\"10.0.0.5:1\", \"http://0.0.0.0:80\"]}", "no machine"),
        ("shop example", "10.0.0.5:3000", "a name has no"),
        ("a/../b", "10.0.0.5:3000", "has no scheme and no path"),
        ("a\r\nSET x y", "10.0.0.5:3000", "a name has no"),
        ("shop.example.com:80", "10.0.0.5:3000", "without their port"),
    ] {
        let typed = fleet.type_at(0, &["set", host, value]).await;
        assert_eq!(typed.status, 1, "{host} {value}: {typed:?}");
        assert!(typed.complained.contains("refused with 422"), "{host} {value}: {typed:?}");
        assert!(typed.complained.contains(expected), "{host} {value}: {typed:?}");
    }
    let admin = fleet.nodes.node(0).admin().to_string();
    let typed = fleet.type_at(0, &["set", "shop.example.com", &admin]).await;
    assert!(typed.complained.contains("the gateway's own admin listener"), "{typed:?}");
    assert_eq!(fleet.store.keys("*").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_counted_and_the_status_says_so() {
    let fleet = Fleet::start(3).await;
    fleet.nodes.node(2).stall().await.unwrap();
    let typed = fleet.type_at(0, &["set", "shop.example.com", "127.0.0.1:9"]).await;
    fleet.nodes.node(2).resume().await.unwrap();
    assert_eq!(typed.status, 4, "{typed:?}");
    assert!(typed.said.contains("used by 2 of 3 nodes\n"), "{typed:?}");
    assert!(typed.said.contains("1 did not answer in time"), "{typed:?}");
    assert_eq!(fleet.stored("shop.example.com").await.as_deref(), Some("127.0.0.1:9"));
}

#[tokio::test]
async fn a_redis_that_cannot_be_written_to_is_said() {
    let mut fleet = Fleet::start(1).await;
    assert_eq!(fleet.type_at(0, &["set", "a.example", "127.0.0.1:9"]).await.status, 0);
    fleet.store.kill().await.unwrap();
    let typed = fleet.type_at(0, &["set", "a.example", "127.0.0.1:10"]).await;
    assert_eq!(typed.status, 1, "{typed:?}");
    assert!(typed.complained.contains("refused with 503: cannot write the route"), "{typed:?}");
    // What is known is still shown.
    let typed = fleet.type_at(0, &["list"]).await;
    assert!(typed.said.contains("a.example  127.0.0.1:9"), "{typed:?}");
}

#[tokio::test]
async fn routes_are_shown_with_what_is_wrong_and_those_of_the_file() {
    let fleet = Fleet::told(
        1,
        &format!("admin_token = \"{TOKEN}\"\n[[route]]\nhost = \"own\"\nto = \"localhost:9\"\n"),
    )
    .await;
    let node = fleet.nodes.node(0);
    for (key, value) in [("r:a.example", "127.0.0.1:9"), ("r:b.example", "\u{1b}[2Jnonsense")] {
        fleet.store.command(&["SET", key, value]).await.unwrap();
    }
    for host in ["a.example", "b.example", "nobody.example"] {
        visit(node, host).await;
    }
    let typed = fleet.type_at(0, &[]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
    assert!(typed.said.contains("a.example  127.0.0.1:9  good   redis  20"), "{typed:?}");
    assert!(typed.said.contains("b.example               wrong  redis  20"), "{typed:?}");
    assert!(typed.said.contains("\nb.example: expected "), "{typed:?}");
    assert!(typed.said.contains("\nin the file: own / -> http://localhost:9\n"), "{typed:?}");
    assert!(!typed.said.contains('\u{1b}') && !typed.said.contains("nobody"), "{typed:?}");
    let limited = fleet.type_at(0, &["list", "--limit", "1", "--json"]).await.json();
    assert_eq!((&limited["more"], limited["routes"].as_array().unwrap().len()), (&true.into(), 1));
    let one = fleet.type_at(0, &["get", "a.example"]).await;
    assert!(one.status == 0 && one.said.contains("to         127.0.0.1:9\n"), "{one:?}");
    let none = fleet.type_at(0, &["get", "nobody.example"]).await;
    assert!(none.status == 3 && none.said.contains("state      absent\n"), "{none:?}");
}

#[tokio::test]
async fn a_route_with_a_time_to_live_ends() {
    let fleet = Fleet::start(1).await;
    let typed = fleet.type_at(0, &["set", "a.example", "127.0.0.1:9", "--ttl", "1h"]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
    let left = fleet.store.command(&["PTTL", "r:a.example"]).await.unwrap().integer().unwrap();
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
}

#[tokio::test]
async fn changes_are_watched_as_a_node_takes_them_up() {
    let fleet = Fleet::start(1).await;
    let mut watching = Command::new(process::forebay().unwrap())
        .args(["routes", "watch", "--admin", &fleet.nodes.node(0).admin().to_string()])
        .env("FOREBAY_TOKEN", TOKEN)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = async || timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    assert_eq!(next().await, "watching; 0 routes are known");
    fleet.type_at(0, &["set", "a.example", "127.0.0.1:9"]).await;
    let said = next().await;
    assert!(said.ends_with(" a.example good -> 127.0.0.1:9"), "{said}");
    // Not by us: with the server's own tools.
    fleet.store.command(&["SET", "r:a.example", "nonsense"]).await.unwrap();
    let said = next().await;
    assert!(said.contains(" a.example last-good -> 127.0.0.1:9; expected "), "{said}");
    fleet.store.command(&["DEL", "r:a.example"]).await.unwrap();
    let said = next().await;
    assert!(said.ends_with(" a.example absent"), "{said}");
}

#[tokio::test]
async fn watchers_are_bounded_and_leave_their_places() {
    let fleet = Fleet::start(1).await;
    let node = fleet.nodes.node(0);
    let watch = async || {
        let mut client = Client::connect(node.admin()).await.unwrap();
        let request = format!(
            "GET /routes/watch HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        client.send(request.as_bytes(), PATIENCE).await;
        let head = client.begin(PATIENCE).await.unwrap();
        (client, head.status().unwrap())
    };
    let mut all = Vec::new();
    for _ in 0..16 {
        let (client, status) = watch().await;
        assert_eq!(status, 200);
        all.push(client);
    }
    assert_eq!(watch().await.1, 503);
    let typed = fleet.type_at(0, &["watch"]).await;
    assert!(typed.status == 1 && typed.complained.contains("16 watch already"), "{typed:?}");
    drop(all);
    until("there is room again", PATIENCE, async || watch().await.1 == 200).await.unwrap();
}

#[tokio::test]
async fn a_status_tells_of_the_members_of_routes_in_redis_that_are_used() {
    let fleet = Fleet::start(1).await;
    let one = origin("one").await;
    let well = one.address().to_string();
    for (host, to) in [("a.example", &*well), ("b.example", &*well), ("c.example", "127.0.0.1:9")] {
        let typed = fleet.type_at(0, &["set", host, to]).await;
        assert_eq!(typed.status, 0, "{typed:?}");
    }
    let node = fleet.nodes.node(0);
    let status = async || {
        let token = format!("Authorization: Bearer {TOKEN}");
        let answer = node.operate("GET", "/status", &[&token]).await.unwrap();
        serde_json::from_slice::<Value>(&answer.body).unwrap()["routes_in_redis"].clone()
    };
    assert_eq!(status().await["used"], serde_json::json!([]), "nobody has asked for them");
    for host in ["a.example", "b.example", "c.example"] {
        node.get("/", &[&format!("Host: {host}")]).await.unwrap();
    }
    let told = async || status().await["used"].as_array().is_some_and(|used| used.len() == 2);
    until("the used ones are told of", PATIENCE, told).await.unwrap();
    let used = status().await["used"].clone();
    let members = |at: usize| (&used[at]["members"][0]["name"], &used[at]["members"][0]["state"]);
    // Who is in trouble stands first.
    assert_eq!((&used[0]["host"], &used[0]["sharing"]), (&"c.example".into(), &0.into()), "{used}");
    assert_eq!(members(0), (&"127.0.0.1:9".into(), &"out".into()), "{used}");
    assert_eq!(used[1]["sharing"], 1, "two hosts lead there: {used}");
    assert_eq!(members(1), (&well.clone().into(), &"up".into()), "{used}");
    let shown = top(node.admin()).await;
    assert!(shown.contains("127.0.0.1:9") && shown.contains("and 1 more"), "{shown}");
}

/// What `forebay top` prints once.
async fn top(admin: SocketAddr) -> String {
    let mut command = Command::new(process::forebay().unwrap());
    command.args(["top", "--once", "--admin", &admin.to_string()]).env("FOREBAY_TOKEN", TOKEN);
    let typed = typed(command.kill_on_drop(true).output().await.unwrap());
    assert_eq!(typed.status, 0, "{typed:?}");
    typed.said
}
