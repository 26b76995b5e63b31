//! Compares what came with what a script expects.

use std::time::SystemTime;

use crate::Failure;
use crate::script::{BodyMatch, Expected, FieldMatch, Said, Wanted};
use crate::wire::{Message, joined, latin1};

/// Whether a message is as expected; the error shows the whole message.
pub fn message(expected: &Expected, message: &Message, now: SystemTime) -> Result<(), Failure> {
    let fields = expected.fields.iter().map(|one| field(one, &message.head.fields, now));
    let trailers = expected.trailers.iter().map(|one| field(one, &message.trailers, now));
    let bodies = expected.body.iter().map(|one| body(one, &message.body));
    let wrong: Vec<String> = fields.chain(trailers).chain(bodies).filter_map(Result::err).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{}; it got:{}", wrong.join("; "), message.shown())))
}

fn field(one: &FieldMatch, fields: &[(String, String)], now: SystemTime) -> Result<(), String> {
    let name = &one.name;
    let Some(found) = joined(fields, name) else {
        let fits = matches!(one.wanted, Wanted::Absent | Wanted::Lacks(_));
        return if fits { Ok(()) } else { Err(format!("there is no {name}")) };
    };
    let wrong = |wanted: String| Err(format!("{name} is `{found}`, not {wanted}"));
    match &one.wanted {
        Wanted::Absent => wrong("absent".to_owned()),
        Wanted::Present => Ok(()),
        Wanted::Exactly(text) if found == text.at(now) => Ok(()),
        Wanted::Exactly(text) => wrong(format!("`{}`", text.at(now))),
        Wanted::Contains(text) if found.contains(&text.at(now)) => Ok(()),
        Wanted::Contains(text) => wrong(format!("with `{}` in it", text.at(now))),
        Wanted::Lacks(text) if !found.contains(&text.at(now)) => Ok(()),
        Wanted::Lacks(text) => wrong(format!("without `{}` in it", text.at(now))),
        Wanted::AtLeast(least) => number(&found, |n| n >= *least).or(wrong(format!(">= {least}"))),
        Wanted::AtMost(most) => number(&found, |n| n <= *most).or(wrong(format!("<= {most}"))),
        Wanted::About(about) => {
            number(&found, |n| n.abs_diff(*about) <= 1).or(wrong(format!("about {about}")))
        }
        Wanted::Says(parameters) => says(parameters, &found).or_else(wrong),
    }
}

fn number(found: &str, fits: impl Fn(i64) -> bool) -> Result<(), String> {
    match found.parse() {
        Ok(number) if fits(number) => Ok(()),
        _ => Err(String::new()),
    }
}

/// Whether the last member of a list, which is the nearest cache's, says this (RFC 9211 section 2).
fn says(wanted: &[Said], found: &str) -> Result<(), String> {
    let members = outside_quotes(found, ',');
    let last = members.last().map(|member| outside_quotes(member, ';')).unwrap_or_default();
    let there = |parameter: &str| last.iter().skip(1).any(|found| found == parameter);
    for said in wanted {
        match said {
            Said::There(parameter) if !there(parameter) => {
                return Err(format!("saying `{parameter}`"));
            }
            Said::Missing(parameter) if there(parameter) => {
                return Err(format!("without saying `{parameter}`"));
            }
            Said::There(_) | Said::Missing(_) => {}
        }
    }
    Ok(())
}

/// The parts of a text between separators that stand outside quotes, trimmed.
pub(crate) fn outside_quotes(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for char in text.chars() {
        quoted ^= char == '"';
        match parts.last_mut() {
            Some(part) if quoted || char != separator => part.push(char),
            _ => parts.push(String::new()),
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

fn body(wanted: &BodyMatch, found: &[u8]) -> Result<(), String> {
    match wanted {
        BodyMatch::Exactly(bytes) if bytes == found => Ok(()),
        BodyMatch::Exactly(bytes) => Err(format!(
            "the body has {} bytes `{}`, not the {} bytes `{}`",
            found.len(),
            beginning(found),
            bytes.len(),
            beginning(bytes)
        )),
        BodyMatch::Contains(part) if latin1(found).contains(part) => Ok(()),
        BodyMatch::Contains(part) => Err(format!("the body has no `{part}` in it")),
        BodyMatch::Lacks(part) if !latin1(found).contains(part) => Ok(()),
        BodyMatch::Lacks(part) => Err(format!("the body has `{part}` in it")),
    }
}

fn beginning(bytes: &[u8]) -> String {
    let shown: Vec<u8> = bytes.iter().take(60).copied().collect();
    latin1(&shown).escape_debug().collect()
}
