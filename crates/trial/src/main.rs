//! Tells the scripts that are named on the command line, over real sockets, and says how it went.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use forebay_trial::{Failure, process, suite};

#[tokio::main]
async fn main() -> ExitCode {
    match told().await {
        Ok(outcome) => {
            println!("{}", outcome.report());
            if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn told() -> Result<suite::Outcome, Failure> {
    let program = process::built().unwrap_or_else(|| PathBuf::from("target/debug/forebay"));
    let named: Vec<String> = std::env::args().skip(1).collect();
    let mut scripts = Vec::new();
    for name in &named {
        scripts.push(suite::read_one(Path::new(name))?);
    }
    if named.is_empty() {
        scripts = suite::read(&suite::folder()).map_err(all)?;
    }
    Ok(suite::tell_real(&program, scripts).await)
}

fn all(failures: Vec<Failure>) -> Failure {
    let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
    Failure::new(lines.join("\n"))
}
