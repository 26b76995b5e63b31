//! Each command of the README and of the manual is run, as it is written there.
//!
//! A page's blocks of kind `sh` and `console` run in their order, in a room of the page's own
//! (`room`): a machine without a network, with an origin on localhost:3000 and 3001, with a Redis on
//! 6379 where the page names one, and with `docs/` and a small `forebay.toml` in the folder in
//! which it begins. Hosts below example.com are this machine. What a page's author can say about a
//! block stands in a comment right before it, which readers do not see:
//!
//! ```text
//! <!-- before: COMMANDS -->     run these first, on several lines where needed
//! <!-- says: TEXT -->           this must be in what the block prints; several lines, several texts
//! <!-- exits 0 or 1: WHY -->    how the last command may end, where it is not 0 alone
//! <!-- file: NAME -->           before a block of any kind: it is the file NAME from there on
//! <!-- not run: WHY -->         the block cannot be run here, and is counted in `NOT_RUN`
//! ```
//!
//! `forebay run` and `forebay demo` stay in the background until another block starts one.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

mod blocks;
mod origin;
mod play;
mod room;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use blocks::{Block, Fate};

/// How many blocks of a page cannot be run. A number grows only by hand, with a reason on the page.
const NOT_RUN: &[(&str, usize)] = &[("README.md", 3), ("docs/manual/purging.md", 1)];

/// Kinds of blocks that are looked at; a block of another kind is a slip of the pen.
const KINDS: [&str; 13] = [
    "sh",
    "console",
    "text",
    "toml",
    "json",
    "js",
    "lua",
    "nginx",
    "vcl",
    "yaml",
    "ini",
    "python",
    "dockerfile",
];

/// Pages that run at once.
const PAGES_AT_ONCE: usize = 2;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Names, seen from the root, and texts of the README and of every page of the manual.
fn pages() -> Vec<(String, String)> {
    let files = std::fs::read_dir(root().join("docs/manual")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().to_string_lossy().into_owned());
    let names = names.filter(|name| name.ends_with(".md"));
    let mut names: Vec<String> = names.map(|name| format!("docs/manual/{name}")).collect();
    names.push("README.md".to_owned());
    names.sort();
    let read = |name: String| {
        let text = std::fs::read_to_string(root().join(&name)).unwrap();
        (name, text)
    };
    names.into_iter().map(read).collect()
}

fn blocks_of(name: &str, text: &str) -> Vec<Block> {
    blocks::read(text).unwrap_or_else(|wrong| panic!("{name}:{wrong}"))
}

#[test]
fn every_block_of_the_manual_says_what_it_is() {
    for (name, text) in pages() {
        for block in blocks_of(&name, &text) {
            let at = format!("{name}:{}", block.line);
            assert!(
                KINDS.contains(&block.kind.as_str()),
                "{at}: the block is of kind `{}`; write one of {KINDS:?} behind its first fence, \
                 `sh` for what a reader types, `text` for what he sees",
                block.kind
            );
        }
    }
}

#[test]
fn what_is_not_run_is_counted_and_has_a_reason() {
    for (name, text) in pages() {
        let blocks = blocks_of(&name, &text);
        let left: Vec<&Block> =
            blocks.iter().filter(|block| matches!(block.fate, Fate::NotRun(_))).collect();
        let (_, known) = NOT_RUN.iter().find(|(page, _)| *page == name).unwrap_or(&("", 0));
        let lines: Vec<usize> = left.iter().map(|block| block.line).collect();
        assert_eq!(
            left.len(),
            *known,
            "{name}: blocks at lines {lines:?} are not run. Where the number is right, write it into \
             NOT_RUN of crates/proxy/tests/commands/main.rs; better make them run: see the top of \
             that file"
        );
        for block in left {
            let Fate::NotRun(reason) = &block.fate else { continue };
            assert!(reason.len() > 9, "{name}:{}: say why it cannot be run", block.line);
        }
    }
}

/// Where namespaces cannot be made, this says so and proves nothing; `cargo xtask test` tells it in
/// its table.
#[test]
fn every_command_of_the_manual_does_what_its_page_says() {
    if let Err(why) = room::can_be_made() {
        println!("THE COMMANDS OF THE MANUAL WERE NOT RUN: {why}");
        return;
    }
    // `FOREBAY_PAGE=start` plays that page alone.
    let only = std::env::var("FOREBAY_PAGE").unwrap_or_default();
    let all = pages().into_iter();
    let run = all.filter(|(name, text)| blocks_of(name, text).iter().any(Block::is_run));
    let pages: Vec<String> = run.map(|(name, _)| name).filter(|it| it.contains(&only)).collect();
    let next = AtomicUsize::new(0);
    let failures = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                failed.extend(room::play(page).err());
            }
            failed
        };
        let workers: Vec<_> = (0..PAGES_AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(failures.is_empty(), "{}\n\nof {} pages", failures.join("\n\n"), pages.len());
}

/// What `room::play` starts in a room; without a page there is nothing to do.
#[test]
#[ignore = "runs in a room, as a part of the test above"]
fn one_page_is_played() {
    let Ok(page) = std::env::var(room::PAGE) else { return };
    let text = std::fs::read_to_string(root().join(&page)).unwrap();
    play::page(&page, &text, &blocks_of(&page, &text));
}
