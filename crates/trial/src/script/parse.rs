//! A script's text, cut into sentences and the lines below them.

use std::path::Path;

use super::sentence::{self, Below};
use super::{Script, Step, Table, Told};
use crate::Failure;

/// A sentence and the lines below it, as they stand in the file.
struct Block<'a> {
    line: usize,
    text: &'a str,
    below: Vec<(usize, &'a str)>,
}

/// Reads a script; the error names file, line, what was found and what may stand there.
pub fn parse(path: &Path, text: &str) -> Result<Script, Failure> {
    let at = |(line, message): (usize, String)| {
        Failure::new(format!("{}:{line}: {message}", path.display()))
    };
    let mut script = Script {
        path: path.to_owned(),
        title: title(text).ok_or_else(|| at((1, NO_TITLE.to_owned())))?,
        tables: Vec::new(),
        told: Told::Everywhere,
        steps: Vec::new(),
    };
    for block in blocks(text).map_err(at)? {
        script.add(block).map_err(at)?;
    }
    Ok(script)
}

const NO_TITLE: &str = "found no title; a script begins with a comment that says what it proves, \
    as in `# A fresh response is served without asking the origin.`";

impl Script {
    fn add(&mut self, block: Block<'_>) -> Result<(), (usize, String)> {
        let Block { line, text, below } = block;
        if let Some(table) = text.strip_prefix("config") {
            return self.configure(line, table, &below);
        }
        if let Some(why) = text.strip_prefix("only simulated: ") {
            self.told = Told::Simulated(why.to_owned());
            return Ok(());
        }
        if let Some(why) = text.strip_prefix("only real: ") {
            self.told = Told::Real(why.to_owned());
            return Ok(());
        }
        let act = sentence::read(line, text, &below)?;
        self.steps.push(Step { line, text: text.to_owned(), act });
        Ok(())
    }

    fn configure(
        &mut self,
        line: usize,
        table: &str,
        below: Below<'_>,
    ) -> Result<(), (usize, String)> {
        if !self.steps.is_empty() {
            let found = "found `config` after the story has begun; allowed: before its first step";
            return Err((line, found.to_owned()));
        }
        let name = match table.trim() {
            "" => "route",
            name if table.starts_with(' ') && !name.contains(char::is_whitespace) => name,
            _ => return Err((line, sentence::unknown(&format!("config{table}")))),
        };
        let lines = below.iter().map(|(_, line)| (*line).to_owned()).collect();
        self.tables.push(Table { name: name.to_owned(), lines });
        Ok(())
    }
}

/// The comment that a script begins with, its lines joined.
fn title(text: &str) -> Option<String> {
    let comments = text.lines().take_while(|line| line.starts_with('#'));
    let words: Vec<&str> = comments.map(|line| line.trim_start_matches('#').trim()).collect();
    let title = words.join(" ").trim().to_owned();
    (!title.is_empty()).then_some(title)
}

fn blocks(text: &str) -> Result<Vec<Block<'_>>, (usize, String)> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for (index, whole) in text.lines().enumerate() {
        let line = index + 1;
        if whole.starts_with('#') || whole.trim().is_empty() {
            continue;
        }
        if !whole.starts_with([' ', '\t']) {
            let text = without_comment(whole);
            blocks.push(Block { line, text, below: Vec::new() });
            continue;
        }
        let Some(block) = blocks.last_mut() else {
            return Err((line, "found an indented line before the first sentence".to_owned()));
        };
        block.below.push((line, whole.trim()));
    }
    Ok(blocks)
}

/// A sentence without the remark behind it: two spaces, then `#`.
fn without_comment(line: &str) -> &str {
    line.split_once("  #").map_or(line, |(sentence, _)| sentence).trim_end()
}
