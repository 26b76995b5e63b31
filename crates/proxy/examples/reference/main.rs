//! What is written about the program from its own definitions: the reference page of the manual, man
//! pages, completions. `cargo xtask reference` and `cargo xtask package` call it.

#![allow(missing_docs, reason = "a program of the project's own")]

mod flags;
mod man;
mod page;
mod settings;

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;
use forebay::cli::Cli;

const USAGE: &str = "\
reference page               print docs/manual/reference.md
reference man FOLDER         write man pages there
reference completions FOLDER write completions there";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["page"] => {
            print!("{}", page::text());
            Ok(())
        }
        ["man", folder] => write(Path::new(folder), man::pages()),
        ["completions", folder] => write(Path::new(folder), completions()),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Names as the shells look for them.
fn completions() -> Vec<(String, Vec<u8>)> {
    let shells =
        [(Shell::Bash, "forebay"), (Shell::Zsh, "_forebay"), (Shell::Fish, "forebay.fish")];
    let script = |(shell, name): (Shell, &str)| {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "forebay", &mut script);
        (name.to_owned(), script)
    };
    shells.map(script).into()
}

fn write(folder: &Path, files: Vec<(String, Vec<u8>)>) -> Result<(), String> {
    let cannot = |path: &Path, cause| format!("cannot write `{}`: {cause}", path.display());
    std::fs::create_dir_all(folder).map_err(|cause| cannot(folder, cause))?;
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|cause| cannot(&path, cause))?;
    }
    Ok(())
}
