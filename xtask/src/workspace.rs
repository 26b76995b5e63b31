//! Where things are: the repository, the build, the tools, the logs.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outcome::{Outcome, Trying};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(chosen) => root().join(chosen),
        None => root().join("target"),
    }
}

/// Where whatever we install lives.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The file that a child's output goes to.
pub(crate) fn log(name: &str) -> Outcome<PathBuf> {
    Ok(made(target().join("xtask/logs"))?.join(format!("{name}.log")))
}

/// An empty folder for what a run writes and nobody keeps.
pub(crate) fn scratch(name: &str) -> Outcome<PathBuf> {
    let folder = target().join("xtask").join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).trying(format!("empty `{}`", folder.display()))?;
    }
    made(folder)
}

/// This folder, made when it was not there.
pub(crate) fn made(folder: PathBuf) -> Outcome<PathBuf> {
    std::fs::create_dir_all(&folder).trying(format!("make `{}`", folder.display()))?;
    Ok(folder)
}

/// Writes a file of ours.
pub(crate) fn write(file: &Path, text: &str) -> Outcome {
    std::fs::write(file, text).trying(format!("write `{}`", file.display()))
}

/// Reads a file as text.
pub(crate) fn read(file: &Path) -> Outcome<String> {
    std::fs::read_to_string(file).trying(format!("read `{}`", file.display()))
}

/// cargo, at the root, the same that started us.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}
