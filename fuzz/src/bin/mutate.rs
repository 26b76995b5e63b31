//! The driver for stable Rust: mutates the corpus against each target for a while.
//!
//! Options: `--seconds N`, `--seed N`, `--target NAME`, `--replay FILE`, and `--careful`, which
//! writes each input before it runs, for what ends the whole process.

use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use forebay_fuzz::mutation::{Dice, mutate};
use forebay_fuzz::{TARGETS, Target};

/// An input that takes longer is a finding: it stands for a client that buys much with little.
const INPUT_TIME_MAX: Duration = Duration::from_secs(1);

/// What the last panic said.
static SAID: Mutex<String> = Mutex::new(String::new());

#[derive(Clone)]
struct Options {
    seconds: u64,
    seed: u64,
    target: Option<String>,
    replay: Option<PathBuf>,
    care: Care,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    Fast,
    WriteFirst,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    panic::set_hook(Box::new(remember));
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options =
        Options { seconds: 20, seed: 1, target: None, replay: None, care: Care::Fast };
    while let Some(word) = words.next() {
        if word == "--careful" {
            options.care = Care::WriteFirst;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
        let number =
            || value.parse().map_err(|_| format!("`{word}` needs a number, not `{value}`"));
        match word.as_str() {
            "--seconds" => options.seconds = number()?,
            "--seed" => options.seed = number()?,
            "--target" => options.target = Some(value),
            "--replay" => options.replay = Some(value.into()),
            _ => return Err(format!("no option `{word}`")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    if let Some(file) = &options.replay {
        return replay(file);
    }
    let chosen = |target: &&Target| options.target.as_ref().is_none_or(|name| name == target.name);
    let targets: Vec<&Target> = TARGETS.iter().filter(chosen).collect();
    if targets.is_empty() {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        return Err(format!("no such target; there are {}", known.join(", ")));
    }
    let failed: Vec<String> =
        targets.iter().filter_map(|target| drive(target, options).err()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

fn drive(target: &Target, options: &Options) -> Result<(), String> {
    let corpus = corpus(target)?;
    for input in &corpus {
        tried(target, input, options.care)?;
    }
    let mut dice = Dice::new(options.seed);
    let begin = Instant::now();
    let mut count = 0_u64;
    while begin.elapsed() < Duration::from_secs(options.seconds) {
        tried(target, &mutate(&corpus, target.words, &mut dice), options.care)?;
        count += 1;
    }
    println!(
        "fuzz {}: {} files of the corpus and {count} inputs from them, seed {}, no panic",
        target.name,
        corpus.len(),
        options.seed
    );
    Ok(())
}

/// Every file of the target's corpus, in the order of their names.
fn corpus(target: &Target) -> Result<Vec<Vec<u8>>, String> {
    let folder = home().join("corpus").join(target.name);
    let said = |cause| format!("cannot read `{}`: {cause}", folder.display());
    let mut files = Vec::new();
    for file in std::fs::read_dir(&folder).map_err(said)? {
        files.push(file.map_err(said)?.path());
    }
    files.sort();
    files.iter().map(|file| std::fs::read(file).map_err(said)).collect()
}

fn replay(file: &Path) -> Result<(), String> {
    let input = std::fs::read(file)
        .map_err(|cause| format!("cannot read `{}`: {cause}", file.display()))?;
    let name = file.parent().and_then(Path::file_name).unwrap_or_default();
    let target = (TARGETS.iter().find(|target| target.name == name))
        .ok_or_else(|| format!("`{}` lies in no target's folder", file.display()))?;
    tried(target, &input, Care::Fast)?;
    println!("no panic any more");
    Ok(())
}

fn tried(target: &Target, input: &[u8], care: Care) -> Result<(), String> {
    if care == Care::WriteFirst {
        kept(target, "last", input)?;
    }
    let (mut outcome, mut took) = timed(target, input);
    if outcome.is_ok() && took >= INPUT_TIME_MAX {
        // Once may be the machine's doing; twice is the input's.
        (outcome, took) = timed(target, input);
    }
    let finding = match outcome {
        Ok(()) if took < INPUT_TIME_MAX => return Ok(()),
        Ok(()) => format!("takes {took:?}"),
        Err(_) => SAID.lock().map(|said| said.clone()).unwrap_or_default(),
    };
    let file = kept(target, &name_of(input), input)?;
    let file = file.display();
    Err(format!("{}: {finding}\n  replay: cargo xtask fuzz --replay {file}", target.name))
}

fn timed(target: &Target, input: &[u8]) -> (std::thread::Result<()>, Duration) {
    let begin = Instant::now();
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    (outcome, begin.elapsed())
}

fn kept(target: &Target, name: &str, input: &[u8]) -> Result<PathBuf, String> {
    let folder = home().join("artifacts").join(target.name);
    let file = folder.join(name);
    std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(&file, input))
        .map_err(|cause| format!("cannot write `{}`: {cause}", file.display()))?;
    Ok(file)
}

/// FNV-1a: enough to give a file a name.
fn name_of(input: &[u8]) -> String {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", input.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

fn remember(panic: &PanicHookInfo<'_>) {
    if let Ok(mut said) = SAID.lock() {
        *said = panic.to_string();
    }
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
