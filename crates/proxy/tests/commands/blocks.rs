//! The fenced blocks of a page, with what its author says about each.

/// A block between fences.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// The line of its first fence, from 1.
    pub(crate) line: usize,
    /// What stands behind the first fence: `sh`, `text`.
    pub(crate) kind: String,
    /// Its lines.
    pub(crate) text: String,
    /// Whether it is run.
    pub(crate) fate: Fate,
    /// Commands that go before it.
    pub(crate) before: String,
    /// What it must print.
    pub(crate) says: Vec<String>,
    /// How its last command may end; none said: with 0, and every other command as well.
    pub(crate) exits: Vec<i32>,
    /// The file that it is.
    pub(crate) file: Option<String>,
}

/// Whether a block is run.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    /// As any other.
    #[default]
    Run,
    /// It cannot be, for this reason.
    NotRun(String),
}

impl Block {
    /// Whether its commands are run.
    pub(crate) fn is_run(&self) -> bool {
        matches!(self.kind.as_str(), "sh" | "console") && self.fate == Fate::Run
    }

    /// What is typed, without the prompts and the answers of a console.
    pub(crate) fn typed(&self) -> String {
        if self.kind != "console" {
            return self.text.clone();
        }
        let prompted = self.text.lines().filter_map(|line| line.strip_prefix("$ "));
        prompted.map(|line| format!("{line}\n")).collect()
    }
}

/// The blocks of a page; or the line of what is wrong with it, and what.
pub(crate) fn read(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut next = Block::default();
    let mut lines = page.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            next.line = number;
            next.kind = kind.to_owned();
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            next.text = inside.map(|line| format!("{line}\n")).collect();
            blocks.push(std::mem::take(&mut next));
        } else if let Some(begun) = line.strip_prefix("<!--") {
            let mut comment = begun.to_owned();
            while !comment.contains("-->") {
                let Some((_, line)) = lines.next() else {
                    return Err(format!("{number}: the comment does not end"));
                };
                comment += &format!("\n{line}");
            }
            let comment = comment.split("-->").next().unwrap_or_default().trim();
            remark(&mut next, comment).map_err(|wrong| format!("{number}: {wrong}"))?;
        } else if !line.is_empty() && is_remarked(&next) {
            return Err(format!("{number}: a remark about a block stands right before the block"));
        }
    }
    Ok(blocks)
}

fn is_remarked(block: &Block) -> bool {
    let Block { fate, before, says, exits, file, .. } = block;
    *fate != Fate::Run
        || file.is_some()
        || !(before.is_empty() && says.is_empty() && exits.is_empty())
}

fn remark(block: &mut Block, comment: &str) -> Result<(), String> {
    let known = "`before: …`, `says: …`, `exits 1: why`, `file: name`, `not run: why`";
    let Some((word, rest)) = comment.split_once(':') else {
        return Err(format!("`{comment}` is no remark; there are {known}"));
    };
    match (word.trim(), rest.trim()) {
        ("before", commands) => block.before = format!("{commands}\n"),
        ("says", texts) => block.says = texts.lines().map(|text| text.trim().to_owned()).collect(),
        ("file", name) => block.file = Some(name.to_owned()),
        ("not run", why) => block.fate = Fate::NotRun(why.to_owned()),
        (word, _) if word.starts_with("exits ") => {
            let numbers = word["exits ".len()..].split(" or ").map(str::parse);
            block.exits = numbers.collect::<Result<_, _>>().map_err(|_| known.to_owned())?;
        }
        (word, _) => return Err(format!("no remark `{word}`; there are {known}")),
    }
    Ok(())
}

#[test]
fn remarks_belong_to_the_block_behind_them() {
    let page = "A\n\n<!-- before:\na\nb\n-->\n<!-- says: x\ny -->\n```sh\nc \\\n  d\n```\n\
                <!-- exits 0 or 1: z -->\n```console\n$ e\nf\n```\n<!-- not run: why -->\n```sh\n```\n";
    let blocks = read(page).unwrap();
    assert_eq!((blocks[0].before.as_str(), blocks[0].says.len()), ("a\nb\n", 2));
    assert_eq!((blocks[0].line, blocks[0].typed().as_str()), (9, "c \\\n  d\n"));
    assert_eq!((blocks[1].exits.as_slice(), blocks[1].typed().as_str()), (&[0, 1][..], "e\n"));
    assert!(blocks[1].is_run() && !blocks[2].is_run());
}

#[test]
fn a_remark_that_nobody_knows_or_that_stands_alone_is_refused() {
    for page in ["<!-- befor: a -->\n", "<!-- says: a\n", "<!-- says: a -->\n\nText.\n"] {
        assert!(read(page).is_err(), "{page}");
    }
}
