//! A key template as an operator writes it: a list of words.

use std::fmt;

use http::HeaderName;

use super::nearest::nearest;
use super::{Part, Query, Template};

/// Parts of one template.
const PARTS_MAX: usize = 32;
/// Each word; where it takes an argument, what stands before that.
const WORDS: [&str; 11] = [
    "method",
    "scheme",
    "host",
    "port",
    "path",
    "query",
    "query:sorted",
    "query:only",
    "query:without",
    "header:",
    "cookie:",
];

/// Why a template cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The word in question.
    pub word: String,
    /// What is wrong with it.
    pub problem: &'static str,
    /// The valid word that it resembles most.
    pub nearest: Option<&'static str>,
}

impl Template {
    /// Reads a template from words: `method`, `path`, `query`, `query:sorted`, `query:only(a,b)`,
    /// `query:without(a,b)`, `header:name`, `cookie:name`; `scheme`, `host` and `port` are allowed
    /// and always implied. At most 32 words.
    pub fn parse(words: &[&str]) -> Result<Template, TemplateError> {
        if let Some(word) = words.get(PARTS_MAX) {
            return Err(problem(word, "is one word more than the 32 that a key may have"));
        }
        let mut parts = Vec::new();
        for word in words {
            parts.extend(part(word)?);
        }
        Ok(Template { parts })
    }
}

/// The part that a word stands for; none where it is implied.
fn part(word: &str) -> Result<Option<Part>, TemplateError> {
    let part = match word.split_once(':') {
        None => match word {
            "scheme" | "host" | "port" => return Ok(None),
            "method" => Part::Method,
            "path" => Part::Path,
            "query" => Part::Query(Query::Whole),
            _ => return Err(unknown(word)),
        },
        Some(("query", how)) => Part::Query(query(word, how)?),
        Some(("header", name)) => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Part::Field(name),
            Err(_) => return Err(problem(word, "does not name a field: write `header:name`")),
        },
        Some(("cookie", name)) if is_cookie_name(name) => Part::Cookie(name.to_owned()),
        Some(("cookie", _)) => {
            return Err(problem(word, "does not name a cookie: write `cookie:name`"));
        }
        Some(_) => return Err(unknown(word)),
    };
    Ok(Some(part))
}

fn query(word: &str, how: &str) -> Result<Query, TemplateError> {
    if how == "sorted" {
        return Ok(Query::Sorted);
    }
    let Some((mode, list)) = how.strip_suffix(')').and_then(|how| how.split_once('(')) else {
        return Err(unknown(word));
    };
    let names: Vec<String> = list.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(|name| name.is_empty() || name.contains(['&', '=', '#', '?', ';'])) {
        return Err(problem(word, "lists a parameter that no query can have: write `(a,b)`"));
    }
    match mode {
        "only" => Ok(Query::Only(names)),
        "without" => Ok(Query::Without(names)),
        _ => Err(unknown(word)),
    }
}

fn is_cookie_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"=;,\"".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

fn problem(word: &str, problem: &'static str) -> TemplateError {
    TemplateError { word: word.to_owned(), problem, nearest: None }
}

fn unknown(word: &str) -> TemplateError {
    // What is in brackets or names a field is the operator's own word, not a slip.
    let head = word.split('(').next().unwrap_or(word);
    let nearest = nearest(head, &WORDS).or_else(|| {
        let (kind, _) = head.split_once(':')?;
        nearest(kind, &WORDS.map(|word| word.trim_end_matches(':')))
    });
    TemplateError { word: word.to_owned(), problem: "is no part of a key", nearest }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot make a key: `{}` {}", self.word.escape_debug(), self.problem)?;
        match self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for TemplateError {}
