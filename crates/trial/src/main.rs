//! Tells the scripts that are named on the command line, or all, and says how it went: in the
//! simulator, or with `--real` first, over sockets.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use forebay_trial::{Failure, process, simulated, suite};

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
    let mut named: Vec<String> = std::env::args().skip(1).collect();
    let real = named.first().is_some_and(|word| word == "--real");
    if real {
        named.remove(0);
    }
    let scripts = match named.is_empty() {
        true => suite::read(&suite::folder()).map_err(all)?,
        false => named.iter().map(|n| suite::read_one(Path::new(n))).collect::<Result<_, _>>()?,
    };
    if !real {
        return Ok(simulated::tell_all(scripts));
    }
    let program = process::built().unwrap_or_else(|| PathBuf::from("target/debug/forebay"));
    Ok(suite::tell_real(&program, scripts).await)
}

fn all(failures: Vec<Failure>) -> Failure {
    let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
    Failure::new(lines.join("\n"))
}
