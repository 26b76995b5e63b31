//! What a value in Redis says of a host. Pure.
//!
//! A string is an address or URL (`10.0.0.5:3000`, `[::1]:3000`, `https://shop.internal`), which is a
//! whole route, or JSON with the keys of a `[[route]]`. A list is what hipache wrote: a name, then
//! URLs. Everything else is wrong, and says what was expected.

use std::sync::Arc;

use rustls::pki_types::ServerName;

use super::source::Stored;
use crate::config::{
    self, HostPattern, MEMBERS_MAX, MemberScheme, MemberSettings, Route, Switch, UNIX_REFUSED, text,
};

/// Bytes of a value; a longer one is wrong.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// Characters of a value that a log or a list shows.
const SHOWN_MAX: usize = 160;

const FORM: &str = "write host:port, [address]:port, http://host:port, https://host, h2c://host:port \
                    or JSON such as {\"to\": \"http://10.0.0.5:3000\", \"stale\": \"60s\"}";

/// What a value means.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// Everything of the host goes to this member, as the defaults have it.
    Plain(MemberSettings),
    /// The host's routes, which say more.
    Routes(Vec<Route>),
}

/// How values are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What a route begins with. It has no members.
    pub defaults: Arc<Route>,
    /// Whether lists are read.
    pub hipache: Switch,
}

impl Reading {
    /// What a value means for a host, or what was expected.
    pub fn meaning(&self, host: &HostPattern, stored: &Stored) -> Result<Meaning, String> {
        let meaning = match stored {
            Stored::Text(bytes) => self.of_text(host, bytes)?,
            Stored::List(list) => self.of_list(host, list)?,
            Stored::Other => {
                return Err(format!("it is neither a string nor a list, or too long; {FORM}"));
            }
        };
        check_names(&meaning)?;
        Ok(meaning)
    }

    fn of_text(&self, host: &HostPattern, bytes: &[u8]) -> Result<Meaning, String> {
        let text = text_of(bytes)?;
        if text.is_empty() {
            return Err(format!("it is empty; {FORM}"));
        }
        if !is_json(text) {
            return member(text).map(Meaning::Plain);
        }
        let json = serde_json::from_str(text).map_err(|why| format!("it is no JSON: {why}"))?;
        config::json_routes(host, &json, &self.defaults).map(Meaning::Routes)
    }

    /// A name, which says nothing here, then the members.
    fn of_list(&self, host: &HostPattern, list: &[Vec<u8>]) -> Result<Meaning, String> {
        if self.hipache == Switch::Off {
            return Err(format!("it is a list, and `hipache` is \"off\"; {FORM}"));
        }
        let urls = list.get(1..).unwrap_or_default();
        if urls.is_empty() || urls.len() > MEMBERS_MAX {
            return Err(format!(
                "it is a list of {} entries; hipache's are a name and 1 to {MEMBERS_MAX} URLs",
                list.len()
            ));
        }
        let members = urls.iter().map(|url| member(text_of(url)?));
        let mut route = Route::clone(&self.defaults);
        route.host = host.clone();
        route.name = format!("{}{}", route.host, route.path_prefix);
        route.upstream.members = members.collect::<Result<Vec<_>, String>>()?;
        Ok(Meaning::Routes(vec![route]))
    }
}

/// Text without blanks around it, which many ways to write to Redis leave there.
fn text_of(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {VALUE_BYTES_MAX}", bytes.len()));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("it is not UTF-8 from byte {} on", error.valid_up_to()))?;
    Ok(text.trim())
}

/// Whether it is meant as JSON; `[::1]:80` is not.
fn is_json(text: &str) -> bool {
    let within = text.strip_prefix('[').map(str::trim_start);
    text.starts_with('{') || within.is_some_and(|rest| rest.starts_with(['{', '[', ']', '"']))
}

fn member(text: &str) -> Result<MemberSettings, String> {
    match text::member(text) {
        Ok(member) if member.scheme == MemberScheme::Unix => Err(UNIX_REFUSED.to_owned()),
        Ok(member) => Ok(member),
        Err(_) if text.starts_with("unix:") => Err(UNIX_REFUSED.to_owned()),
        Err(refusal) => Err(format!("{}; {FORM}", refusal.why)),
    }
}

/// Certificates are for names and addresses; a member that none can be for is never reached.
fn check_names(meaning: &Meaning) -> Result<(), String> {
    let members: Vec<&MemberSettings> = match meaning {
        Meaning::Plain(member) => vec![member],
        Meaning::Routes(routes) => routes.iter().flat_map(|it| &it.upstream.members).collect(),
    };
    let is_unnamable = |member: &&MemberSettings| {
        member.scheme == MemberScheme::Https && ServerName::try_from(member.host.as_str()).is_err()
    };
    match members.into_iter().find(is_unnamable) {
        Some(member) => Err(format!("no certificate can be for the name `{}`", member.host)),
        None => Ok(()),
    }
}

/// A value as a log or a list shows it: one line, shortened, without users and passwords.
pub fn shown(stored: &Stored) -> String {
    match stored {
        Stored::Text(bytes) => shown_bytes(bytes),
        Stored::List(list) => {
            let whole: Vec<&[u8]> = list.iter().take(SHOWN_MAX).map(Vec::as_slice).collect();
            shown_bytes(&whole.join(&b' '))
        }
        Stored::Other => "(neither a string nor a list, or too long)".to_owned(),
    }
}

fn shown_bytes(bytes: &[u8]) -> String {
    // A character has four bytes at most.
    let begin = &bytes[..bytes.len().min(4 * SHOWN_MAX)];
    let text = config::masked(&String::from_utf8_lossy(begin));
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN_MAX).map(clean).collect();
    if shown.len() < text.len() || begin.len() < bytes.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
