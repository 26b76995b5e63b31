//! `forebay top`: once where nobody looks, live on a terminal, which it gives back however it ends.

use std::time::Duration;

use forebay_trial::nodes::{Nodes, Orders};
use forebay_trial::patience::until;
use forebay_trial::process::{self, Process};
use serde_json::Value;
use tokio::process::Command;

use super::support::*;

/// A terminal for programs that want one; part of every Debian.
const TERMINAL: &str = "/usr/bin/script";

/// What takes the screen, and what gives it back.
const TAKEN: &str = "\u{1b}[?1049h";
const GIVEN_BACK: &str = "\u{1b}[?1049l";

async fn node() -> Nodes {
    let orders = |_: &_| {
        Orders::File(format!(
            "admin_token = \"{TOKEN}\"\nname = \"edge\"\n[[route]]\nname = \"shop\"\nto = \"localhost:9\"\n"
        ))
    };
    Nodes::start(1, orders).await.unwrap()
}

async fn type_top(nodes: &Nodes, words: &[&str]) -> Typed {
    let mut command = Command::new(process::forebay().unwrap());
    command.args(["top", "--admin", &nodes.node(0).admin().to_string()]).args(words);
    command.env("FOREBAY_TOKEN", TOKEN).kill_on_drop(true);
    typed(tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap())
}

#[tokio::test]
async fn where_nobody_looks_one_snapshot_is_printed() {
    let nodes = node().await;
    nodes.node(0).get("/a", &["Host: shop.example"]).await.unwrap();
    let counted = async || {
        let typed = type_top(&nodes, &["--json"]).await;
        typed.json()["traffic"]["requests"] == 1
    };
    until("the request is counted", PATIENCE, counted).await.unwrap();
    let all = type_top(&nodes, &["--json"]).await.json();
    assert_eq!(all["routes"][0]["members"][0]["name"], "localhost:9", "{all}");
    assert_eq!(all["problems"][0]["word"], "connect-failed", "{all}");
    assert!(all["node"].as_str().unwrap().starts_with("edge@"), "{all}");
    assert_eq!(all["reasons"][0]["detail"], Value::from("connect-failed"), "{all}");
    for words in [&["--once"][..], &[]] {
        let typed = type_top(&nodes, words).await;
        assert_eq!(typed.status, 0, "{typed:?}");
        for part in ["exchanges   1, 0 hits (0.0%)", "Tiers\n", "memory", "connect-failed"] {
            assert!(typed.said.contains(part), "`{part}` is missing:\n{}", typed.said);
        }
        assert!(!typed.said.contains('\u{1b}'), "{}", typed.said);
    }
}

#[tokio::test]
async fn a_node_that_cannot_be_asked_is_said_before_the_screen_is_taken() {
    let mut nodes = node().await;
    let mut command = Command::new(process::forebay().unwrap());
    command.args(["top", "--admin", &nodes.node(0).admin().to_string()]);
    command.env("FOREBAY_TOKEN", "wrong").kill_on_drop(true);
    let refused = typed(command.output().await.unwrap());
    assert!(refused.status == 1 && refused.complained.contains("refused with 401"), "{refused:?}");
    nodes.node_mut(0).kill().await.unwrap();
    let gone = type_top(&nodes, &[]).await;
    assert!(gone.status == 1 && gone.complained.contains("connection refused"), "{gone:?}");
    let typed = type_top(&nodes, &["--every", "1ms"]).await;
    assert_eq!(typed.status, 2, "{typed:?}");
}

/// `forebay top` on a terminal of 80 columns and 24 lines.
fn on_a_terminal(nodes: &Nodes, before: &str) -> Process {
    let program = process::forebay().unwrap();
    let (program, admin) = (program.display(), nodes.node(0).admin());
    let line = format!(
        "stty rows 24 cols 80; {before} FOREBAY_TOKEN={TOKEN} {program} top --admin {admin} --every 200ms; \
         echo ended with $?"
    );
    let shell = format!("(sleep 1; cat) | {TERMINAL} -qfec '{line}' /dev/null");
    Process::start("/bin/sh".as_ref(), &["-c", &shell]).unwrap()
}

#[tokio::test]
async fn on_a_terminal_it_is_live_and_gives_the_screen_back() {
    let mut nodes = node().await;
    let top = on_a_terminal(&nodes, "");
    let shows = async |part: &str| {
        let seen = async || top.output().contains(part);
        if until("it is on the screen", PATIENCE, seen).await.is_err() {
            panic!("`{part}` is missing: {:?}", top.output());
        }
    };
    shows(TAKEN).await;
    shows("edge@").await;
    shows("live").await;
    nodes.node_mut(0).kill().await.unwrap();
    shows("lost").await;
    assert!(!top.output().contains(GIVEN_BACK));
    // Whoever closes the terminal, or ends it, finds it as it was.
    let program = process::forebay().unwrap();
    let admin = nodes.node(0).admin();
    let pattern = format!("{} top --admin {admin}", program.display());
    let ids =
        Command::new("pgrep").args(["-x", "-f", &format!("{pattern} --every 200ms")]).output();
    let ids = String::from_utf8(ids.await.unwrap().stdout).unwrap();
    let id = ids.lines().next().unwrap_or_else(|| panic!("{:?}", top.output()));
    Command::new("kill").args(["-TERM", id]).status().await.unwrap();
    shows(GIVEN_BACK).await;
    shows("ended with 0").await;
}

#[tokio::test]
async fn without_colours_none_are_sent() {
    let nodes = node().await;
    let top = on_a_terminal(&nodes, "NO_COLOR=1");
    let seen = async || top.output().contains("live");
    until("it is on the screen", PATIENCE, seen).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let output = top.output();
    let coloured = output.split("\u{1b}[").filter(|part| {
        let code = part.split('m').next().unwrap_or_default();
        code.split(';').any(|it| matches!(it.parse(), Ok(30..=37 | 38 | 40..=47 | 48 | 90..=97)))
    });
    assert_eq!(coloured.count(), 0, "{output:?}");
}
