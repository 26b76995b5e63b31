//! The token of the operators' listener, as a reload changes it.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::support::*;

/// Whether a call with this token is let in.
async fn lets_in(life: &Life, token: &str) -> bool {
    let typed = life.type_in_with(Some(token), &["why", "http://example.test/"]).await;
    assert!(typed.status == 0 || typed.complained.contains("refused with 401"), "{typed:?}");
    typed.status == 0
}

#[tokio::test]
async fn another_token_counts_from_the_reload_on_and_the_old_one_no_more() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let at = life.address.to_string();
    let write = |lines: &str| life.write_at(&[&at], &format!("{lines}\n{}", route(&one)));
    assert!(lets_in(&life, TOKEN).await && !lets_in(&life, "another").await);
    write("admin_token = \"another\"");
    life.reload().await;
    assert!(!lets_in(&life, TOKEN).await && lets_in(&life, "another").await);
    // A file is read anew by each reload.
    life.folder.write("token", "one-in-a-file\n").unwrap();
    write("admin_token_file = \"{folder}/token\"");
    let reload = async |token: &str| life.type_in_with(Some(token), &["reload"]).await;
    assert_eq!(reload("another").await.status, 0);
    assert!(lets_in(&life, "one-in-a-file").await);
    life.folder.write("token", "the-next-one\n").unwrap();
    assert_eq!(reload("one-in-a-file").await.status, 0);
    assert!(!lets_in(&life, "one-in-a-file").await && lets_in(&life, "the-next-one").await);
    // One that cannot be read changes nothing.
    std::fs::remove_file(life.folder.path().join("token")).unwrap();
    let typed = reload("the-next-one").await;
    assert!(typed.status == 1 && typed.complained.contains("cannot read"), "{typed:?}");
    assert!(lets_in(&life, "the-next-one").await);
}

#[tokio::test]
async fn a_token_that_is_taken_away_gives_place_to_one_that_is_made_and_back() {
    let one = origin("one").await;
    let life = Life::start(&route(&one)).await;
    let at = life.address.to_string();
    life.write_at(&[&at], &route(&one));
    life.reload().await;
    assert!(!lets_in(&life, TOKEN).await);
    // Who says none finds that which the process has made.
    let typed = life.type_in_with(None, &["why", "http://example.test/"]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
    let made = made_at(&life);
    assert!(made.iter().any(|file| file.exists()), "{made:?}");
    // It goes to the process that takes over.
    let typed = life.type_in_with(None, &["upgrade", "--json"]).await;
    assert_eq!(typed.status, 0, "{typed:?}\n{}", life.process.output());
    let said: serde_json::Value = serde_json::from_str(&typed.said).unwrap();
    life.succeeded_by(u32::try_from(said["pid"].as_u64().unwrap()).unwrap());
    life.write_at(&[&at], &format!("admin_token = \"{TOKEN}\"\n{}", route(&one)));
    let typed = life.type_in_with(None, &["reload"]).await;
    assert_eq!(typed.status, 0, "{typed:?}");
    assert!(lets_in(&life, TOKEN).await);
    assert!(!made.iter().any(|file| file.exists()), "{made:?}");
}

/// Where its process may have put a token.
fn made_at(life: &Life) -> Vec<PathBuf> {
    let name = format!("{}.token", life.admin);
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(|it| PathBuf::from(it).join("forebay"));
    let user = std::fs::metadata("/proc/self").unwrap().uid();
    let shared =
        [PathBuf::from("/run/forebay"), std::env::temp_dir().join(format!("forebay-{user}"))];
    own.into_iter().chain(shared).map(|folder| folder.join(&name)).collect()
}
