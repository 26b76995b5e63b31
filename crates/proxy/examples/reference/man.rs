//! Man pages: one a command, and forebay.toml(5).

use std::fmt::Write;

use clap_mangen::Man;

use crate::flags;
use crate::settings::{self, Setting};

/// Names and texts of the pages.
pub(crate) fn pages() -> Vec<(String, Vec<u8>)> {
    let commands = flags::commands().into_iter().map(|(name, command)| {
        let name = name.replace(' ', "-");
        let mut page = Vec::new();
        let man = Man::new(command.disable_help_subcommand(true));
        // Writing into memory cannot fail.
        let _ = man.date("").source("Forebay").manual("Forebay").section("1").render(&mut page);
        (format!("{name}.1"), page)
    });
    commands.chain([("forebay.toml.5".to_owned(), file_page().into_bytes())]).collect()
}

const TOP: &str = r#".TH forebay.toml 5 "" "Forebay" "Forebay"
.SH NAME
forebay.toml \- the configuration file of forebay
.SH DESCRIPTION
A file in TOML, given with
.BR "forebay run \-\-config" .
It needs one
.B [[route]]
with a
.BR to ,
or a table
.BR [routes] ;
all else has a default.
.B forebay check \-\-config
.I FILE
says all that is wrong with it.
.PP
A time span is written "250ms", "10s", "5m", "1h30m" or "1d"; a size "64KiB", "256MiB" or "1GB"; a list of
one may be written as the value alone.
"#;

const BOTTOM: &str = r#".SH SEE ALSO
.BR forebay (1),
.BR forebay\-run (1),
.BR forebay\-check (1)
"#;

fn file_page() -> String {
    let mut page = TOP.to_owned();
    let mut table = None;
    for setting in settings::all() {
        if table.as_ref() != Some(&setting.table) {
            let places: Vec<String> = setting.places.iter().map(|place| shown(place)).collect();
            let _ = writeln!(page, ".SH {}", quoted(&places.join(" and ")));
            table = Some(setting.table.clone());
        }
        entry(&mut page, &setting);
    }
    page + BOTTOM
}

fn shown(table: &str) -> String {
    match table {
        "" => "AT THE TOP".to_owned(),
        "route" => "[[route]]".to_owned(),
        table => format!("[{table}]"),
    }
}

fn entry(page: &mut String, setting: &Setting) {
    let row = &setting.row;
    let _ = writeln!(page, ".TP\n.BR {} \" ({})\"", quoted(&setting.key), plain(&row.kind));
    let _ = write!(page, "{}.", escaped(&plain(&row.meaning)));
    let _ = write!(page, " Default: {}.", escaped(&plain(&row.default)));
    if !row.allowed.is_empty() {
        let _ = write!(page, " Allowed: {}.", escaped(&plain(&row.allowed)));
    }
    page.push('\n');
}

/// Markdown's words without its signs.
fn plain(text: &str) -> String {
    let text = text.replace("**", "").replace('`', "").replace("\\|", "|");
    let mut plain = String::new();
    let mut rest = text.as_str();
    // A link is its words; where it leads means nothing on paper.
    while let Some((before, link)) = rest.split_once('[') {
        plain += before;
        match link.split_once("](").and_then(|(words, after)| {
            let (_, after) = after.split_once(')')?;
            (!words.contains('[')).then_some((words, after))
        }) {
            Some((words, after)) => {
                plain += words;
                rest = after;
            }
            None => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain + rest
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\n', " ");
    // A line that begins with one of these is a request to the formatter.
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "\\(dq"))
}
