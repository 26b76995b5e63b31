//! The token that a node makes where nobody set one: who finds it, and who does not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use forebay_trial::patience::until;

use super::support::*;

/// Where a node says that its token is. It says so when it serves, which is later than it accepts.
async fn place(fleet: &Fleet) -> PathBuf {
    let said = || fleet.nodes.node(0).output();
    let is_said = async || said().lines().any(|line| line.starts_with("token "));
    if until("it says where its token is", PATIENCE, is_said).await.is_err() {
        panic!("it says nothing of a token:\n{}", said());
    }
    let said = said();
    let line = said.lines().find_map(|line| line.strip_prefix("token ")).unwrap();
    PathBuf::from(line.trim().strip_suffix(" (admin calls)").unwrap())
}

#[tokio::test]
async fn a_node_without_a_token_makes_one_that_its_user_finds() {
    let mut fleet = Fleet::told(1, "").await;
    let place = place(&fleet).await;
    let mode = fs::metadata(&place).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let token = fs::read_to_string(&place).unwrap();
    assert_eq!(token.len(), 64);
    let admin = fleet.nodes.node(0).admin();
    let typed = type_in(admin, None, &["set", "a.example", "127.0.0.1:9"]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
    let typed = type_in(admin, Some("wrong"), &["set", "a.example", "127.0.0.1:10"]).await;
    assert!(typed.status == 1 && typed.complained.contains("refused with 401"), "{typed:?}");
    assert!(typed.complained.ends_with("the one that was said is wrong\n"), "{typed:?}");
    let file = place.to_string_lossy().into_owned();
    let typed = type_in(admin, None, &["list", "--token-file", &file]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
    fleet.nodes.node_mut(0).terminate().await.unwrap();
    assert!(!place.exists(), "{place:?}");
    let typed = type_in(admin, None, &["list"]).await;
    let said = format!(
        "forebay routes: cannot reach the admin listener on `{admin}`: connection refused; is \
         `forebay run` up?\n"
    );
    assert_eq!((typed.status, typed.complained), (1, said));
}

#[tokio::test]
async fn a_token_that_is_told_is_not_written_anywhere() {
    let fleet = Fleet::start(1).await;
    let said = fleet.nodes.node(0).output();
    assert!(!said.contains("token  ") && !said.contains(TOKEN), "{said}");
    let typed = type_in(fleet.nodes.node(0).admin(), None, &["list"]).await;
    assert!(typed.complained.contains("say --token-file FILE or set FOREBAY_TOKEN"), "{typed:?}");
}

#[tokio::test]
async fn a_killed_node_starts_again_with_another_token() {
    let mut fleet = Fleet::told(1, "").await;
    let place = place(&fleet).await;
    let before = fs::read_to_string(&place).unwrap();
    fleet.nodes.node_mut(0).restart().await.unwrap();
    let is_another = async || fs::read_to_string(&place).is_ok_and(|token| token != before);
    until("it has another token", PATIENCE, is_another).await.unwrap();
    let typed = type_in(fleet.nodes.node(0).admin(), None, &["list"]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
}
