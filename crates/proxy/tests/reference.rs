//! What is written about the program from its own definitions is complete, and is what lies in docs/.

#![allow(clippy::unwrap_used, reason = "in a test a failure is what it is for")]

#[path = "../examples/reference/flags.rs"]
mod flags;
#[path = "../examples/reference/man.rs"]
mod man;
#[path = "../examples/reference/page.rs"]
mod page;
#[path = "../examples/reference/settings.rs"]
mod settings;

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_reference_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/manual/reference.md");
    let written = std::fs::read_to_string(path).unwrap();
    let said = page::text();
    let differs = written.lines().zip(said.lines()).find(|(written, said)| written != said);
    assert!(
        written == said,
        "docs/manual/reference.md is not what the code says; write it with `cargo xtask reference \
         --write`. First difference:\nwritten: {}\nsaid:    {}",
        differs.map_or("(its length)", |it| it.0),
        differs.map_or("(its length)", |it| it.1)
    );
}

fn name(setting: &settings::Setting) -> String {
    format!("[{}] {}", setting.table, setting.key)
}

#[test]
fn the_manual_says_the_bounds_that_the_program_names() {
    let mut bounded = 0;
    for setting in settings::all() {
        let Some(bounds) = settings::bounds(&setting.table, &setting.key) else { continue };
        let (name, said) = (name(&setting), &setting.row.allowed);
        let bounds = bounds.replace("3650d", "10 years");
        bounded += 1;
        // Where another setting bounds it, only the lower end is the program's alone.
        let is_bound_by_another = said.contains('`') && !said.contains("`\"off\"`");
        let lower = bounds.split(" to ").next().unwrap();
        let is_said = said.contains(&bounds) || is_bound_by_another && said.contains(lower);
        assert!(is_said, "`{name}`: the program allows {bounds}, the manual {said}");
    }
    assert!(bounded > 40, "{bounded}");
}

#[test]
fn the_manual_says_of_each_setting_how_it_is_written() {
    for setting in settings::all() {
        let (name, kind) = (name(&setting), &setting.row.kind);
        let wanted = settings::refusal(&setting.table, &setting.key, "true");
        let wanted = wanted.and_then(|problem| problem.help).unwrap_or_default();
        let is_right = match wanted.as_str() {
            it if it.contains("a text with a unit, such as \"250ms\"") => {
                kind.contains("time span")
            }
            it if it.contains("a text with a unit, such as \"64KiB\"") => kind.contains("size"),
            "allowed: a whole number" => {
                ["number", "count", "list"].iter().any(|it| kind.contains(it))
            }
            it if it.starts_with("allowed: a number") => kind == "number",
            _ => !kind.is_empty(),
        };
        assert!(is_right, "`{name}`: the program says `{wanted}`, the manual `{kind}`");
    }
}

#[test]
fn every_flag_is_in_the_man_page_of_its_command() {
    let pages = man::pages();
    for (name, command) in flags::commands() {
        let file = format!("{}.1", name.replace(' ', "-"));
        let (_, page) = pages.iter().find(|(page, _)| *page == file).unwrap();
        let page = String::from_utf8_lossy(page).replace("\\-", "-");
        for flag in flags::flags(&command) {
            let word = flag.typed.split([' ', ',']).next().unwrap().trim_matches(['<', '>']);
            assert!(page.contains(word), "{file} has no `{word}`");
        }
    }
}

#[test]
fn every_setting_is_in_the_man_page_of_the_file() {
    let pages = man::pages();
    let (_, page) = pages.iter().find(|(name, _)| name == "forebay.toml.5").unwrap();
    let page = String::from_utf8_lossy(page);
    for setting in settings::all() {
        assert!(page.contains(&format!(".BR \"{}\"", setting.key)), "{}", name(&setting));
    }
}

/// Where there is no groff, there is nothing to ask; `cargo xtask package` needs it.
#[test]
fn man_pages_are_set_without_a_warning() {
    for (name, page) in man::pages() {
        let child = Command::new("groff")
            .args(["-man", "-Tutf8", "-Kutf8", "-ww", "-z", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else { return };
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &page).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{name}: {said}");
    }
}
