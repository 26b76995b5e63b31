//! The manual says what is true: every setting with its default, every reason, and commands, files
//! and links that hold. Metrics and the access log are held to it by `signals`.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;
use forebay::cli::Cli;
use forebay::config;
use forebay::record::Outcome;
use forebay_semantics::status::{Detail, Forward};

const EXAMPLE: &str = include_str!("../../../docs/examples/forebay.toml");
const CONFIGURATION: &str = include_str!("../../../docs/manual/configuration.md");
const WATCHING: &str = include_str!("../../../docs/manual/watching.md");
const METRICS: &str = include_str!("../../../docs/manual/metrics.md");
const ERRORS: &str = include_str!("../../../docs/manual/errors.md");
const LIMITS: &str = include_str!("../../../docs/manual/limits-and-security.md");
const FORWARD: &str = include_str!("../src/forward.rs");

/// Where the reasons of the rules and of failures stand, one word an arm.
const REASONS: [&str; 4] = [
    include_str!("../../semantics/src/request.rs"),
    include_str!("../../semantics/src/reuse.rs"),
    include_str!("../../semantics/src/storing.rs"),
    include_str!("../src/failure.rs"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manual")
}

/// Name and text of every page.
fn pages() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let pages = files.filter(|file| file.extension().is_some_and(|ending| ending == "md"));
    pages
        .map(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&file).unwrap())
        })
        .collect()
}

/// A setting of the example file: its table, its key, its default where it has one.
struct Setting {
    table: String,
    key: String,
    default: Option<String>,
}

fn settings() -> Vec<Setting> {
    let mut table = String::new();
    let mut settings = Vec::new();
    for line in EXAMPLE.lines() {
        if line.trim_start_matches('#').starts_with('[') {
            table = line.trim_matches(['#', '[', ']']).to_owned();
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let (key, is_shown) = (key.trim_start_matches('#'), key.starts_with('#'));
        if key.contains(' ') || key.is_empty() {
            continue;
        }
        let has_default = !is_shown && !table.starts_with("route");
        let default = has_default.then(|| value.to_owned());
        settings.push(Setting { table: table.clone(), key: key.to_owned(), default });
    }
    settings
}

/// The parts of a page, each with its heading.
fn parts(page: &str) -> impl Iterator<Item = &str> {
    page.split("\n## ").skip(1)
}

/// Whether a part of the reference is about a table of the file.
fn is_about(part: &str, table: &str) -> bool {
    let heading = part.lines().next().unwrap();
    match table {
        "" => heading == "Top level",
        "route" => heading.contains("[[route]]"),
        "tls.certificate" => heading.contains("[[tls.certificate]]"),
        table => heading.contains(&format!("`[{table}]`")),
    }
}

#[test]
fn every_setting_is_in_the_reference_with_its_default() {
    let settings = settings();
    assert!(settings.len() > 70, "{}", settings.len());
    for Setting { table, key, default } in settings {
        let row = parts(CONFIGURATION)
            .filter(|part| is_about(part, &table))
            .find_map(|part| part.lines().find(|line| line.starts_with(&format!("| `{key}` |"))));
        let row = row.unwrap_or_else(|| panic!("no row for `{key}` of `[{table}]`"));
        let said = row.split(" | ").nth(2).unwrap();
        if let Some(default) = default {
            assert_eq!(said, format!("`{default}`"), "the default of `{key}` of `[{table}]`");
        }
    }
}

/// The words that a source file's `fn detail` gives.
fn words(source: &str) -> Vec<&str> {
    let bodies = source.split("pub fn detail(").skip(1);
    let bodies = bodies.map(|body| body.split("\n    }\n").next().unwrap());
    bodies.flat_map(|body| body.split('"').skip(1).step_by(2)).collect()
}

#[test]
fn every_reason_is_explained() {
    let explained = |word: &str| {
        WATCHING.contains(&format!("`{word}`")) || METRICS.contains(&format!("`{word}`"))
    };
    let own = Detail::ALL.iter().map(|detail| detail.word());
    let all: Vec<&str> = REASONS.iter().flat_map(|source| words(source)).chain(own).collect();
    assert!(all.len() > 55, "{all:?}");
    for word in all {
        assert!(explained(word), "watching.md says nothing of `{word}`");
    }
    for forward in Forward::ALL {
        assert!(WATCHING.contains(&format!("`fwd={}`", forward.word())), "{forward:?}");
    }
    for outcome in Outcome::ALL {
        assert!(explained(outcome.word()), "{outcome:?}");
    }
}

#[test]
fn every_failure_of_an_origin_is_among_the_errors() {
    for word in words(include_str!("../src/failure.rs")) {
        assert!(ERRORS.contains(&format!("`{word}`")), "errors.md says nothing of `{word}`");
    }
}

#[test]
fn every_field_that_never_passes_is_named() {
    for list in ["const RENAMING", "const NAMING_THE_CLIENT"] {
        let list = FORWARD.split(list).nth(1).unwrap().split("];").next().unwrap();
        let names: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert!(LIMITS.contains(&format!("`{name}`")), "nothing is said of `{name}`");
        }
    }
}

/// What stands between fences of one kind on a page.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let opened = page.split(&format!("```{kind}\n")).skip(1).collect::<Vec<_>>();
    opened.into_iter().map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn every_command_can_be_typed() {
    let mut count = 0;
    for (name, page) in pages() {
        for line in blocks(&page, "sh").iter().flat_map(|block| block.lines()) {
            let words = line
                .split_whitespace()
                .take_while(|word| !word.starts_with(['#', '|', '<', '>', ';', '&']));
            let words: Vec<&str> = words.collect();
            if words.first() == Some(&"forebay") {
                count += 1;
                let parsed = Cli::try_parse_from(&words);
                assert!(parsed.is_ok(), "{name}: {line}\n{}", parsed.err().unwrap());
            }
        }
    }
    assert!(count >= 4, "{count}");
}

#[test]
fn every_file_that_is_shown_is_understood() {
    let mut count = 0;
    for (name, page) in pages() {
        for block in blocks(&page, "toml") {
            count += 1;
            let parsed = config::parse(&name, block);
            assert!(parsed.is_ok(), "{}\n{block}", parsed.err().unwrap().plain());
        }
    }
    assert!(count >= 8, "{count}");
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    for (name, page) in &pages {
        for link in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (path, part) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { name } else { path };
            assert!(folder().join(target).exists(), "{name}: nothing is at `{link}`");
            if !part.is_empty() {
                let headings = pages[target].lines().filter(|line| line.starts_with('#'));
                let found = headings.map(anchor).any(|anchor| anchor == part);
                assert!(found, "{name}: no heading for `{link}`");
            }
        }
    }
}

#[test]
fn every_page_is_in_the_index_and_begins_with_its_sum() {
    let pages = pages();
    for (name, page) in &pages {
        let in_index = name == "README.md" || pages["README.md"].contains(&format!("({name})"));
        assert!(in_index, "README.md does not name {name}");
        let begin: String = page.chars().take(200).collect();
        assert!(begin.contains("**TL;DR.**"), "{name} does not begin with its sum");
        assert!(!page.contains(['\u{2013}', '\u{2014}']), "{name} has a dash that nobody types");
    }
}

/// The text of every trial.
fn trials(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let text = |path: PathBuf| match path.is_dir() {
        true => trials(&path),
        false => std::fs::read_to_string(&path).unwrap_or_default(),
    };
    files.map(text).collect()
}

/// A table whose last column is NAME says of each row which test holds it.
#[test]
fn what_a_table_says_to_be_tried_is_tried() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../trial/tests");
    let (pages, trials) = (pages(), trials(&folder));
    let mut rows = 0;
    for (name, page) in &pages {
        let mut is_named = false;
        for line in page.lines() {
            is_named = line.starts_with('|') && (is_named || line.ends_with("| NAME |"));
            if !is_named || line.ends_with("| NAME |") || line.starts_with("|---") {
                continue;
            }
            let test = line.rsplit('`').nth(1).unwrap_or_default();
            let is_test = trials.contains(&format!("fn {test}()"));
            assert!(is_test && line.ends_with("` |"), "{name}: no trial `{test}`: {line}");
            rows += 1;
        }
    }
    assert!(rows >= 60, "{rows}");
}
