//! The crate `forebay-cache` as others take it: its features, its docs, its package, its oldest Rust, its
//! interface.

use std::process::Command;

use crate::outcome::{Outcome, Trying, fail};
use crate::process;
use crate::tools;
use crate::workspace;

const CRATE: &str = "forebay-cache";

/// Of each other's parts they bring `serde` and what is stored.
const LEVELS: [&str; 4] = ["", "disk", "redis", "disk,redis"];

/// Whatever is taken of its features builds, without a warning. Without its tests, whose dependencies
/// bring all of them.
pub(crate) fn features() -> Outcome<String> {
    let mut count = 0;
    for levels in LEVELS {
        for more in ["", "test-util", "serde", "serde,test-util"] {
            // The levels bring serde.
            if more.starts_with("serde") && !levels.is_empty() {
                continue;
            }
            let mut command = checking();
            command.args(["--no-default-features", "--features", &format!("{levels},{more}")]);
            process::run(command.env("RUSTFLAGS", "-D warnings"))?;
            count += 1;
        }
    }
    Ok(format!("{count} combinations"))
}

fn checking() -> Command {
    let mut command = workspace::cargo();
    command.args(["check", "--package", CRATE, "--lib", "--locked", "--quiet"]);
    command
}

/// The Rust that its manifest names builds it. Where there is only a newer one, the gap is said aloud.
pub(crate) fn oldest_rust() -> Outcome<String> {
    let oldest = rust_version(&workspace::read(&workspace::root().join("Cargo.toml"))?)?;
    let running = process::capture(Command::new("rustc").arg("--version"))?;
    if is_of(&running, &oldest) {
        return Ok(format!("{oldest} is what everything here is built with"));
    }
    let installed = process::capture_any(Command::new("rustup").args(["toolchain", "list"]));
    if !installed.is_ok_and(|said| said.out.lines().any(|line| line.starts_with(&oldest))) {
        let note = format!("OLDEST RUST NOT TRIED: {oldest} is not installed here");
        println!("{note}");
        return Ok(note);
    }
    let mut command = Command::new("rustup");
    command.current_dir(workspace::root()).args(["run", &oldest, "cargo", "check", "--locked"]);
    command.args(["--package", CRATE, "--lib", "--all-features", "--quiet"]);
    // Another compiler's build, so in a place of its own.
    process::run(command.env("CARGO_TARGET_DIR", workspace::target().join("oldest")))?;
    Ok(format!("built with {oldest}"))
}

fn rust_version(manifest: &str) -> Outcome<String> {
    let manifest: toml::Table = manifest.parse().trying("read `Cargo.toml`")?;
    let version = (manifest.get("workspace"))
        .and_then(|workspace| workspace.get("package")?.get("rust-version")?.as_str());
    version.map(str::to_owned).map_or_else(|| fail("`Cargo.toml` has no `rust-version`"), Ok)
}

/// Whether `rustc --version` said this version, whatever its last part.
fn is_of(running: &str, version: &str) -> bool {
    let number = running.split(' ').nth(1).unwrap_or_default();
    number == version || number.strip_prefix(version).is_some_and(|rest| rest.starts_with('.'))
}

/// As who takes none of its features reads them, and who takes all.
pub(crate) fn docs() -> Outcome<String> {
    for features in ["--no-default-features", "--all-features"] {
        let mut command = workspace::cargo();
        command.args(["doc", "--package", CRATE, "--no-deps", "--locked", "--quiet", features]);
        process::run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok("with no features and with all".to_owned())
}

/// That it could be published: nothing is missing in its manifest, and no warning said. It is not built
/// once more: [`features`] does that.
pub(crate) fn package() -> Outcome {
    let mut command = workspace::cargo();
    command.args(["package", "--package", CRATE, "--no-verify", "--allow-dirty"]);
    let said = process::capture_any(&mut command)?;
    match said.success && !said.err.contains("warning") {
        true => Ok(()),
        false => fail(format!("`{CRATE}` cannot be published as it is:\n{}", said.err)),
    }
}

/// Compares its interface with that of the last tag, or of another revision.
pub(crate) fn semver(options: &[&str]) -> Outcome {
    let before = match options {
        [] => last_tag()?,
        [revision] => Some((*revision).to_owned()),
        _ => return fail("`semver` takes one revision at most"),
    };
    let Some(before) = before else {
        println!(
            "nothing to compare with: there is no tag yet; name a revision to compare with that"
        );
        return Ok(());
    };
    let program = tools::cargo_program(&tools::SEMVER)?;
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).args(["semver-checks", "--package", CRATE]);
    command.args(["--baseline-rev", &before, "--all-features"]);
    process::run(&mut command)
}

fn last_tag() -> Outcome<Option<String>> {
    let mut git = Command::new("git");
    git.current_dir(workspace::root()).args(["describe", "--tags", "--abbrev=0"]);
    let said = process::capture_any(&mut git)?;
    Ok(said.success.then(|| said.out.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_is_of_a_version_whatever_its_last_part() {
        for (running, version, is) in [
            ("rustc 1.95.0 (59807616e 2026-04-14)\n", "1.95", true),
            ("rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0", true),
            ("rustc 1.95.0-nightly (59807616e 2026-04-14)", "1.95", true),
            ("rustc 1.950.0 (x)", "1.95", false),
            ("rustc 1.96.0 (x)", "1.95", false),
            ("", "1.95", false),
        ] {
            assert_eq!(is_of(running, version), is, "{running}");
        }
        let manifest = "[workspace.package]\nrust-version = \"1.95\"\n";
        assert_eq!(rust_version(manifest).unwrap(), "1.95");
        assert!(rust_version("[workspace]\n").is_err());
    }
}
