//! What is damaged, foreign, truncated or of another version is a miss, counted, and never served.

use std::path::{Path, PathBuf};

use forebay_trial::redis::Reply;

use super::support::*;

/// Each way to damage a stored value.
fn damages(value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let flipped = |place: usize| {
        let mut bytes = value.to_vec();
        bytes[place] ^= 0x40;
        bytes
    };
    vec![
        ("empty", Vec::new()),
        ("truncated", value[..value.len() / 2].to_vec()),
        ("one byte short", value[..value.len() - 1].to_vec()),
        ("one byte long", [value, b"!"].concat()),
        ("foreign", b"<html>not ours</html>".to_vec()),
        ("another magic", flipped(0)),
        ("another version", flipped(4)),
        ("a damaged front", flipped(20)),
        ("a damaged body", flipped(value.len() - 1)),
        ("a damaged middle", flipped(value.len() / 2)),
    ]
}

#[tokio::test]
async fn damaged_values_in_redis_are_misses() {
    let cluster = cluster(1, &[FRESH], "").await;
    ask(&cluster.nodes, 0, "/a").await;
    stored(&cluster.nodes, "redis", 1).await;
    let name = entry_of(&cluster.store).await;
    let Reply::Bytes(value) = cluster.store.command(&["GET", &name]).await.unwrap() else {
        panic!("no value under {name}");
    };
    let mut nodes = cluster.nodes;
    for (number, (what, damaged)) in damages(&value).into_iter().enumerate() {
        let set: [&[u8]; 5] = [b"SET", name.as_bytes(), &damaged, b"PX", b"600000"];
        cluster.store.command(&set).await.unwrap().ok().unwrap();
        // Memory forgets what it has.
        nodes.node_mut(0).restart().await.unwrap();
        let (body, said) = ask(&nodes, 0, "/a").await;
        assert_eq!(body, "body of /a", "{what}");
        assert!(!said.contains("detail=redis"), "{what}: {said}");
        assert_eq!(cluster.origin.count(), number + 2, "{what}");
        // It stores a sound one in its place.
        stored(&nodes, "redis", 1).await;
    }
}

async fn entry_of(store: &forebay_trial::redis::RedisServer) -> String {
    let mut longest = (0, String::new());
    for key in store.keys("forebay:*").await.unwrap() {
        if let Ok(length) = store.command(&["STRLEN", &key]).await.unwrap().integer() {
            longest = longest.max((length, key));
        }
    }
    longest.1
}

#[tokio::test]
async fn a_value_under_another_key_is_a_miss() {
    let cluster = cluster(2, &[FRESH], "").await;
    ask(&cluster.nodes, 0, "/a").await;
    stored(&cluster.nodes, "redis", 1).await;
    let first = entry_of(&cluster.store).await;
    cluster.store.command(&["RENAME", &first, "aside"]).await.unwrap().ok().unwrap();
    ask(&cluster.nodes, 0, "/b").await;
    stored(&cluster.nodes, "redis", 2).await;
    let second = entry_of(&cluster.store).await;
    cluster.store.command(&["RENAME", "aside", &second]).await.unwrap().ok().unwrap();
    assert_eq!(ask(&cluster.nodes, 1, "/b").await.0, "body of /b");
}

#[tokio::test]
async fn damaged_files_on_disk_are_misses() {
    let origin = origin(&[FRESH]).await;
    let disk = "[disk]\npath = \"{folder}/disk\"\nsize = \"64MiB\"\n";
    let mut nodes = nodes(1, origin.address(), disk, "").await;
    for round in 0..6 {
        for number in 0..40 {
            ask(&nodes, 0, &format!("/{round}/{number}")).await;
        }
        stored(&nodes, "disk", 40).await;
        nodes.node_mut(0).kill().await.unwrap();
        let folder = nodes.node(0).folder().join("disk");
        for file in files(&folder) {
            damage(&file, round);
        }
        nodes.node_mut(0).restart().await.unwrap();
        for number in 0..40 {
            let path = format!("/{round}/{number}");
            assert_eq!(ask(&nodes, 0, &path).await.0, format!("body of {path}"));
        }
        nodes.node_mut(0).restart().await.unwrap();
    }
}

/// What a disk and a crash may do to a file, another thing each round.
fn damage(file: &Path, round: usize) {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    if name == "forebay.disk" || name == "forebay.lock" {
        return;
    }
    let mut bytes = std::fs::read(file).unwrap();
    let length = bytes.len();
    match round {
        0 => bytes.truncate(length / 2),
        1 => bytes.truncate(length.saturating_sub(3)),
        2 => bytes.iter_mut().step_by(97).for_each(|byte| *byte ^= 0x10),
        3 => bytes.extend_from_slice(&[0xff; 1_000]),
        4 => bytes[length / 3..].fill(0),
        _ => bytes.clear(),
    }
    std::fs::write(file, bytes).unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}

/// Whatever a request says, it names nothing in Redis: no key of another, no command, no hash tag.
#[tokio::test]
async fn redis_injection_a_request_names_no_key_and_no_command() {
    let cluster = cluster(1, &[FRESH], "").await;
    cluster.store.command(&["SET", "mine", "kept"]).await.unwrap().ok().unwrap();
    let paths = [
        "/a%0d%0aFLUSHALL%0d%0a",
        "/{forebay:}*?[a-z]",
        "/$8$FLUSHALL",
        "/forebay:%7B%7D:e",
        "/%00%ff",
        &"/x".repeat(4_000),
    ];
    for path in paths {
        assert_eq!(ask(&cluster.nodes, 0, path).await.0, format!("body of {path}"));
    }
    stored(&cluster.nodes, "redis", paths.len() as u64).await;
    assert_eq!(cluster.store.command(&["GET", "mine"]).await.unwrap().text().unwrap(), "kept");
    for key in cluster.store.keys("*").await.unwrap() {
        let is_plain = |c: char| c.is_ascii_hexdigit() || "forebay:{}lwdrsce".contains(c);
        let is_own = key == "mine" || key.starts_with("forebay:{purges}:");
        assert!(is_own || key.len() < 120 && key.chars().all(is_plain), "{key}");
    }
}
