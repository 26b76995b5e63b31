//! Every command with its flags, as the command line defines them.

use clap::{Arg, Command, CommandFactory};
use forebay::cli::Cli;

/// A flag or an argument of a command.
pub(crate) struct Flag {
    /// As it is typed, with its value: `--memory <SIZE>`.
    pub(crate) typed: String,
    /// What holds without it.
    pub(crate) default: Option<String>,
    /// What it does.
    pub(crate) meaning: String,
}

/// Every command that a reader may type, with its whole name.
pub(crate) fn commands() -> Vec<(String, Command)> {
    let mut root = Cli::command();
    root.build();
    let mut commands = Vec::new();
    add(&root, "", &mut commands);
    commands
}

fn add(command: &Command, above: &str, commands: &mut Vec<(String, Command)>) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{above} {}", command.get_name()).trim().to_owned();
    commands.push((name.clone(), command.clone()));
    for below in command.get_subcommands() {
        add(below, &name, commands);
    }
}

/// The flags of a command but those that each command has.
pub(crate) fn flags(command: &Command) -> Vec<Flag> {
    let is_shown =
        |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    command.get_arguments().filter(is_shown).map(flag).collect()
}

fn flag(arg: &Arg) -> Flag {
    let values = arg.get_value_names().unwrap_or_default();
    let takes_value = arg.get_action().takes_values();
    let value = values.first().filter(|_| takes_value).map(|name| format!("<{name}>"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let name = [short, long].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let typed = [Some(name), value].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let help = arg.get_help().map(|help| help.to_string()).unwrap_or_default();
    let (meaning, said) = match help.rsplit_once(" [default: ") {
        Some((meaning, default)) => (meaning.to_owned(), Some(default.trim_end_matches(']'))),
        None => (help.clone(), None),
    };
    let set = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    let default = match said.map(str::to_owned).or(set.filter(|_| takes_value)) {
        None if !takes_value => Some("off".to_owned()),
        default => default.filter(|it| it != "none"),
    };
    Flag { typed: typed.trim().to_owned(), default, meaning }
}
