//! `docs/manual/reference.md`.

use std::fmt::Write;

use crate::flags::{self, Flag};
use crate::settings::{self, Row, Setting};

const TOP: &str = "\
# Reference

**TL;DR.** Every setting of the file and every flag of every command, with defaults and bounds, in one
list to search. It is written by `cargo xtask reference --write` from what the program itself says; what
belongs together, and why, is in [configuration.md](configuration.md).

When a file is refused, `forebay check --config FILE` says where and why, and the nearest name.

## Settings

A setting that may stand in several tables is named once: what `[defaults]` says holds for every route
that does not say otherwise, and a route's word replaces the whole value.
";

const FLAGS: &str = "
## Commands and flags

Each command has `--help`; `forebay --version` says the version. A flag of `forebay run` goes before the
file's word, see [flags and file](configuration.md#flags-and-file).
";

/// The page as it should be.
pub(crate) fn text() -> String {
    let mut page = TOP.to_owned();
    let mut table = None;
    for setting in settings::all() {
        if table.as_ref() != Some(&setting.table) {
            page += &heading(&setting);
            table = Some(setting.table.clone());
        }
        row(&mut page, &setting);
    }
    page += FLAGS;
    for (name, command) in flags::commands() {
        let flags = flags::flags(&command);
        if flags.is_empty() {
            continue;
        }
        let about = command.get_about().map(|about| about.to_string()).unwrap_or_default();
        write_in(&mut page, format_args!("\n### `{name}`\n\n{about}.\n\n"));
        page += "| Flag | Default | What it does |\n|---|---|---|\n";
        for Flag { typed, default, meaning } in flags {
            let default = default.map_or("none".to_owned(), |it| in_cell(&it));
            let (typed, meaning) = (in_cell(&typed), in_cell(&meaning));
            write_in(&mut page, format_args!("| `{typed}` | {default} | {meaning} |\n"));
        }
    }
    page
}

fn heading(setting: &Setting) -> String {
    let places: Vec<String> = setting.places.iter().map(|place| shown(place)).collect();
    format!(
        "\n### {}\n\n| Setting | Type | Default | Allowed | Meaning |\n|---|---|---|---|---|\n",
        places.join(" and ")
    )
}

fn shown(table: &str) -> String {
    match table {
        "" => "At the top".to_owned(),
        "route" => "`[[route]]`".to_owned(),
        table => format!("`[{table}]`"),
    }
}

fn row(page: &mut String, Setting { key, row, .. }: &Setting) {
    let Row { kind, default, allowed, meaning } = row;
    // What leads to another part of that page leads there from here as well.
    let row = format!("| `{key}` | {kind} | {default} | {allowed} | {meaning} |\n");
    *page += &row.replace("](#", "](configuration.md#");
}

fn in_cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn write_in(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a text cannot fail.
    let _ = page.write_fmt(text);
}
