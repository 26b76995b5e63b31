//! Every setting of the file: its name and default from the example that tests hold to the code, its
//! bounds and places from what the program itself refuses, its meaning from the manual.

use forebay::config::{self, Problem};

const EXAMPLE: &str = include_str!("../../../../docs/examples/forebay.toml");
/// Names each setting that a reload cannot change, as the file does: `"purge.replicas"`, `"disk"`.
const FIXED: &str = include_str!("../../src/config/fixed.rs");
const CONFIGURATION: &str = include_str!("../../../../docs/manual/configuration.md");

/// A route, for files that are about something else.
const ROUTE: &str = "[[route]]\nto = \"localhost:3000\"\n";

/// Values beyond every bound, one for each way in which values are written.
const TOO_MUCH: [&str; 4] = ["9223372036854775807", "1e300", "\"3649d\"", "\"16000000TiB\""];
const TOO_LITTLE: [&str; 3] = ["-1", "\"0s\"", "\"0B\""];

/// A setting.
pub(crate) struct Setting {
    /// The table that it stands in, in the example; empty at the top.
    pub(crate) table: String,
    /// Its name within it.
    pub(crate) key: String,
    /// As the manual describes it.
    pub(crate) row: Row,
    /// The tables in which the program reads it.
    pub(crate) places: Vec<String>,
    /// Whether a running process can take it from a file that has changed.
    pub(crate) reload: Reload,
}

/// Whether a reload changes a setting.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reload {
    /// It does.
    Changes,
    /// It is fixed as long as a process runs.
    Refuses,
}

impl Reload {
    /// As the reference says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Reload::Changes => "yes",
            Reload::Refuses => "no",
        }
    }

    fn of(table: &str, key: &str) -> Reload {
        let (code, _) = FIXED.split_once("#[cfg(test)]").unwrap_or((FIXED, ""));
        let mut fixed = code.split('"').skip(1).step_by(2);
        let name = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
        // A file with the token stands for the token itself.
        let name = name.trim_end_matches("_file");
        let is_in = |outer: &str| {
            !outer.is_empty() && format!("{table}.").starts_with(&format!("{outer}."))
        };
        if fixed.any(|fixed| fixed == name || is_in(fixed)) {
            Reload::Refuses
        } else {
            Reload::Changes
        }
    }
}

/// A row of the manual's tables.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) default: String,
    pub(crate) allowed: String,
    pub(crate) meaning: String,
}

/// All of them, in the example's order.
pub(crate) fn all() -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for (table, key) in names() {
        let is_known = |known: &Setting| known.key == key && route_form(&known.table) == table;
        if settings.iter().any(is_known) {
            continue;
        }
        settings.push(setting(table, key));
    }
    settings
}

fn setting(table: String, key: String) -> Setting {
    // What the manual does not say yet is a gap here; a test of the manual tells of it.
    let mut row = row(&table, &key).unwrap_or_default();
    let candidates = [table.clone(), route_form(&table), defaults_form(&table)];
    let mut places: Vec<String> = Vec::new();
    for place in candidates {
        if !places.contains(&place) && is_read(&place, &key) {
            places.push(place);
        }
    }
    if row.allowed.is_empty() {
        row.allowed = bounds(&table, &key).unwrap_or_default();
    }
    places.sort_by_key(|place| !place.starts_with("defaults"));
    let reload = Reload::of(&table, &key);
    Setting { table, key, row, places, reload }
}

/// The table and the key of every line of the example that sets or shows one.
fn names() -> Vec<(String, String)> {
    let mut table = String::new();
    let mut names = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(named) = heading(line) {
            table = named.to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            let key = key.trim_start_matches('#');
            let is_table = EXAMPLE.contains(&format!("\n[defaults.{key}]"));
            if !key.is_empty() && !key.contains(' ') && !is_table {
                names.push((table.clone(), key.to_owned()));
            }
        }
    }
    names
}

/// The table that begins with this line of the example, which may have no default.
fn heading(line: &str) -> Option<&str> {
    let line = line.trim_start_matches('#');
    line.starts_with('[').then(|| line.trim_matches(['[', ']']))
}

/// The table of a route that says the same as one of the defaults.
fn route_form(table: &str) -> String {
    match table.strip_prefix("defaults") {
        Some(rest) => format!("route{rest}"),
        None => table.to_owned(),
    }
}

fn defaults_form(table: &str) -> String {
    match table.strip_prefix("route") {
        Some(rest) if rest.is_empty() || rest.starts_with('.') => format!("defaults{rest}"),
        Some(_) | None => table.to_owned(),
    }
}

/// A file that says one thing alone.
fn file(table: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value}\n");
    let lists = EXAMPLE.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix("[["));
    let is_list = lists.map(|line| line.trim_end_matches(']')).any(|list| list == table);
    match table {
        "" => format!("{line}{ROUTE}"),
        "route" if key == "to" => format!("[[route]]\n{line}"),
        "route" => format!("{ROUTE}{line}"),
        table if table.starts_with("route.") => format!("{ROUTE}[{table}]\n{line}"),
        table if is_list => format!("[[{table}]]\n{line}{ROUTE}"),
        table => format!("[{table}]\n{line}{ROUTE}"),
    }
}

/// What the program says of a value for a key.
pub(crate) fn refusal(table: &str, key: &str, value: &str) -> Option<Problem> {
    let problems = config::parse("probe", &file(table, key, value)).err()?;
    let about = format!("`{key}` cannot be ");
    problems.list().iter().find(|problem| problem.message.starts_with(&about)).cloned()
}

fn is_read(table: &str, key: &str) -> bool {
    let Err(problems) = config::parse("probe", &file(table, key, "true")) else { return true };
    let unknown = format!("unknown key `{key}`");
    !problems.list().iter().any(|problem| problem.message.starts_with(&unknown))
}

/// The bounds as the program names them, `1 to 1024`, where the program says so of values beyond.
pub(crate) fn bounds(table: &str, key: &str) -> Option<String> {
    TOO_MUCH.iter().chain(&TOO_LITTLE).find_map(|value| {
        let problem = refusal(table, key, value)?;
        let is_bound = ["too large", "too long", "too small", "too short", "out of bounds"]
            .iter()
            .any(|word| problem.message.ends_with(word));
        let allowed = problem.help?.strip_prefix("allowed: ")?.to_owned();
        (is_bound && allowed.contains(" to ")).then_some(allowed)
    })
}

fn row(table: &str, key: &str) -> Option<Row> {
    let is_about = |part: &&str| {
        let heading = part.lines().next().unwrap_or_default();
        match table {
            "" => heading == "Top level",
            "route" => heading.contains("[[route]]"),
            table => [format!("`[{table}]`"), format!("`[[{table}]]`")]
                .iter()
                .any(|name| heading.contains(name)),
        }
    };
    let start = format!("| `{key}` |");
    let parts = CONFIGURATION.split("\n## ").skip(1).filter(is_about);
    let line = parts.flat_map(str::lines).find(|line| line.starts_with(&start))?;
    // Bars within a cell are written `\|`.
    let line = line.replace("\\|", "\0");
    let mut cells = line.split('|').skip(2).map(|cell| cell.trim().replace('\0', "\\|"));
    let mut cell = || cells.next().unwrap_or_default();
    Some(Row { kind: cell(), default: cell(), allowed: cell(), meaning: cell() })
}
