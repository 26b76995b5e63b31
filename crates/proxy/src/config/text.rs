//! Single words of an operator, as flags and configuration file both write them: sizes, time spans,
//! addresses, members. Each function reads one text and says why it cannot.

mod amount;
mod place;
mod server;

use std::fmt;

use forebay_semantics::key::nearest;

pub use amount::{SPAN_MAX, in_bytes, in_time, size, span};
pub use place::{
    admin, destination, directory_path, disk, host, listen, member, network, path_prefix,
};
pub use server::{RedisUrl, SERVERS_MAX, password_of, redis, username};

use super::AccessLog;

/// Why a text cannot be read: what is wrong with it, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub why: String,
    /// What is allowed, and what was probably meant.
    pub allowed: Option<String>,
}

/// A refusal that says what is allowed.
pub(super) fn refuse<T>(why: impl Into<String>, allowed: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { why: why.into(), allowed: Some(allowed.into()) })
}

/// One of these words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, Refusal> {
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    refuse("no such word", meant(text, &known, "allowed"))
}

/// What is allowed, after the word that was probably meant.
pub(super) fn meant(text: &str, known: &[&str], said: &str) -> String {
    let all: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    let all = format!("{said}: {}", all.join(", "));
    match nearest(text, known) {
        Some(word) => format!("did you mean `{word}`? {all}"),
        None => all,
    }
}

/// The words for the access log.
pub(super) const ACCESS_LOG: &[(&str, AccessLog)] =
    &[("off", AccessLog::Off), ("text", AccessLog::Text), ("json", AccessLog::Json)];

/// The form of the access log: `off`, `text`, `json`.
pub fn access_log(text: &str) -> Result<AccessLog, Refusal> {
    word(text, ACCESS_LOG)
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)?;
        match &self.allowed {
            Some(allowed) => write!(formatter, "; {allowed}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
