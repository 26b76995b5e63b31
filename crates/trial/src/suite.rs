//! All scripts: found, read, told, counted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use crate::Failure;
use crate::engine::{self, Ending};
use crate::real::Real;
use crate::script::{self, Script, Told};

/// Scripts told over sockets at the same time; they mostly wait.
const AT_ONCE: usize = 6;

/// What came of a set of scripts.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many were told to their end.
    pub whole: usize,
    /// Which were told in part, up to which line, or not at all, and why.
    pub skipped: Vec<String>,
    /// What was not as told.
    pub failures: Vec<Failure>,
}

/// The folder of all scripts.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts")
}

/// Reads every script below a folder, or says all that is wrong with them.
pub fn read(folder: &Path) -> Result<Vec<Script>, Vec<Failure>> {
    let mut scripts = Vec::new();
    let mut failures = Vec::new();
    for path in files(folder).map_err(|failure| vec![failure])? {
        match read_one(&path) {
            Ok(script) => scripts.push(script),
            Err(failure) => failures.push(failure),
        }
    }
    if failures.is_empty() { Ok(scripts) } else { Err(failures) }
}

/// Reads one script.
pub fn read_one(path: &Path) -> Result<Script, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::from(e).during(format!("cannot read `{}`", path.display())))?;
    let root = folder();
    let shown = path.strip_prefix(&root).map_or(path.to_owned(), |p| Path::new("scripts").join(p));
    script::parse(&shown, &text)
}

/// Tells scripts over real sockets, a process of the program for each.
pub async fn tell_real(program: &Path, scripts: Vec<Script>) -> Outcome {
    // One thread tells them all: a stage need not be able to change threads.
    LocalSet::new().run_until(tell_together(program, scripts)).await
}

async fn tell_together(program: &Path, scripts: Vec<Script>) -> Outcome {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut telling = JoinSet::new();
    for script in scripts {
        let (room, program) = (Arc::clone(&room), program.to_owned());
        telling.spawn_local(async move {
            let _permit = room.acquire().await;
            let told = tell_one(&program, &script).await;
            (script, told)
        });
    }
    let mut outcome = Outcome::default();
    while let Some(told) = telling.join_next().await {
        match told {
            Ok((script, told)) => outcome.note(&script, told),
            Err(error) => outcome.failures.push(Failure::new(format!("a script died: {error}"))),
        }
    }
    outcome
}

/// Tells one script over real sockets.
pub async fn tell_one(program: &Path, script: &Script) -> Result<Ending, Failure> {
    if matches!(script.told, Told::Simulated(_)) {
        return Ok(Ending::Until(1));
    }
    let named = |failure: Failure| failure.during(script.path.display());
    let mut stage = Real::start(program, &script.tables).await.map_err(named)?;
    let told = engine::tell(script, &mut stage).await;
    told.map_err(|failure| {
        let said = stage.gateway().process.output();
        let tail: Vec<&str> = said.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        Failure::new(format!("{failure}\n  the gateway's last lines:\n    {}", tail.join("\n    ")))
    })
}

impl Outcome {
    /// Counts one script.
    pub fn note(&mut self, script: &Script, told: Result<Ending, Failure>) {
        match (told, &script.told) {
            (Ok(Ending::Whole), _) => self.whole += 1,
            (Ok(Ending::Until(_)), Told::Simulated(why) | Told::Real(why)) => {
                self.skipped.push(format!("{}: not told here: {why}", script.path.display()));
            }
            (Ok(Ending::Until(line)), Told::Everywhere) => {
                let path = script.path.display();
                self.skipped.push(format!("{path}:{line}: not told beyond: too long a wait"));
            }
            (Err(failure), _) => self.failures.push(failure),
        }
    }

    /// All of it in lines.
    pub fn report(&self) -> String {
        let mut lines: Vec<String> = self.skipped.clone();
        lines.sort();
        lines.extend(self.failures.iter().map(|failure| format!("FAILED {failure}")));
        lines.push(format!(
            "{} scripts told whole, {} in part or not at all, {} failed",
            self.whole,
            self.skipped.len(),
            self.failures.len()
        ));
        lines.join("\n")
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unread = |e| Failure::from(e).during(format!("cannot read `{}`", folder.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "script") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
