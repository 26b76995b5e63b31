//! What `packaging/` brings fits the program: configurations, units, the image, the package's list.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser;
use forebay::cli::Cli;
use forebay::config;

const MANIFEST: &str = include_str!("../Cargo.toml");
const UNIT: &str = include_str!("../../../packaging/systemd/forebay.service");
const DOCKERFILE: &str = include_str!("../../../packaging/docker/Dockerfile");
const CHANGELOG: &str = include_str!("../../../packaging/debian/changelog");

/// Tenths of what `systemd-analyze security` calls exposure; 100 is no protection at all.
const EXPOSURE_MAX: &str = "20";

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging").canonicalize().unwrap()
}

#[test]
fn the_configurations_of_the_packages_are_fine() {
    for name in ["forebay.toml", "docker/forebay.toml"] {
        let text = std::fs::read_to_string(packaging().join(name)).unwrap();
        let parsed = config::parse(name, &text);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err().plain());
    }
}

/// Lines that only show a setting are right as well.
#[test]
fn what_the_packaged_file_shows_can_be_switched_on() {
    let text = std::fs::read_to_string(packaging().join("forebay.toml")).unwrap();
    let is_shown = |line: &str| {
        let shown = line.strip_prefix('#').unwrap_or_default();
        shown.starts_with('[') || shown.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '))
    };
    let on = text.lines().map(|line| if is_shown(line) { &line[1..] } else { line });
    let on: String = on.map(|line| format!("{line}\n")).collect();
    let config = config::parse("forebay.toml", &on);
    let config = config.unwrap_or_else(|problems| panic!("{}\n{on}", problems.plain()));
    assert!(config.disk.is_some() && config.redis.is_some() && config.dynamic.is_some());
}

/// The program's words in a line such as `ExecStart=/usr/bin/forebay run`.
fn is_understood(words: &[&str]) {
    let parsed = Cli::try_parse_from(words);
    assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
}

#[test]
fn units_and_the_image_call_the_program_as_it_can_be_called() {
    let lines = UNIT.lines().filter(|line| line.starts_with("Exec"));
    let calls = lines.map(|line| line.split_once('=').unwrap().1);
    let calls: Vec<&str> = calls.filter(|call| call.starts_with("/usr/bin/forebay")).collect();
    assert_eq!(calls.len(), 2);
    for call in calls {
        is_understood(&call.split_whitespace().collect::<Vec<_>>());
    }
    for (start, program) in [("HEALTHCHECK", None), ("CMD", Some("forebay"))] {
        let line = DOCKERFILE.lines().find(|line| line.starts_with(start)).unwrap();
        let words = line.split('"').skip(1).step_by(2);
        is_understood(&program.into_iter().chain(words).collect::<Vec<_>>());
    }
}

#[test]
fn the_image_is_built_with_the_oldest_rust_that_is_promised() {
    let workspace = include_str!("../../../Cargo.toml");
    let version = workspace.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(DOCKERFILE.contains(&format!("FROM rust:{version}-")), "{version}");
}

#[test]
fn the_changelog_of_the_package_begins_with_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(CHANGELOG.starts_with(&format!("forebay ({version}-")), "{version}");
}

/// What is written for the package (`../../target`) is not there before it is built.
#[test]
fn every_file_that_the_package_names_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let assets = MANIFEST.split("assets = [").nth(1).unwrap().split("\n]").next().unwrap();
    let names = assets.lines().filter_map(|line| line.trim().strip_prefix("[\""));
    let names: Vec<&str> = names.map(|line| line.split('"').next().unwrap()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names.iter().filter(|name| !name.contains("target/")) {
        assert!(folder.join(name.trim_end_matches("*.md")).exists(), "{name}");
    }
}

/// The unit with the built program in place of the installed one. Dropped, it is removed.
struct UnitFile(PathBuf);

impl UnitFile {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("forebay-unit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let text = UNIT.replace("/usr/bin/forebay", env!("CARGO_BIN_EXE_forebay"));
        // The man pages that it names are not installed here.
        let lines = text.lines().filter(|line| !line.starts_with("Documentation="));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        std::fs::write(folder.join("forebay.service"), text).unwrap();
        UnitFile(folder)
    }
}

impl Drop for UnitFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where there is no systemd, there is nobody to ask.
#[test]
fn systemd_understands_the_unit_and_finds_it_closed() {
    let unit = UnitFile::new();
    for arguments in [
        &["verify"][..],
        &["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX],
    ] {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg(unit.0.join("forebay.service"));
        let Ok(output) = command.output() else { return };
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}
