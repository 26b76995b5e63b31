//! What an operator orders to be purged, as JSON or flags say it, and the rules that it means.
//!
//! Whatever is wrong is said with its place in the order, and nothing of the order is done.

use std::fmt;

use forebay_cache::mechanism::{Kind, Rule, Scope};
use forebay_semantics::key::{KeyTarget, Scheme, TargetParts, Template};
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};

use super::groups;

/// Purges of one order.
pub const ORDER_MAX: usize = 1_000;

/// Bytes of a tag that can be ordered; no response has a longer one.
const TAG_BYTES_MAX: usize = forebay_semantics::tags::TAG_BYTES_MAX;

/// Characters of a name that are shown.
const SHOWN_MAX: usize = 200;

/// Names of an order that are shown.
const WORDS_MAX: usize = 8;

/// What is to be purged, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// URLs, each with all its variants.
    pub urls: Vec<String>,
    /// URLs without a query: everything whose path begins so.
    pub prefixes: Vec<String>,
    /// Hosts, on any port.
    pub hosts: Vec<String>,
    /// Tags, on any host.
    pub tags: Vec<String>,
    /// Everything.
    pub all: bool,
    /// How.
    pub kind: OrderKind,
    /// How long to wait for the nodes, such as `2s`; by default until each has applied it or is in
    /// doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<String>,
}

/// What becomes of what is purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderKind {
    /// It is gone.
    #[default]
    Hard,
    /// It is stale; the stale windows hold.
    Soft,
    /// It is stale, and the hottest of it is fetched again at once.
    Refresh,
}

/// Why an order cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderError {
    what: &'static str,
    said: String,
    why: &'static str,
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said.is_empty() {
            true => write!(f, "cannot purge: {}", self.why),
            false => write!(f, "cannot purge the {} `{}`: {}", self.what, self.said, self.why),
        }
    }
}

impl std::error::Error for OrderError {}

impl Order {
    /// The rules that it means. `key_of` gives the primary key of a GET for a URL, as its route
    /// makes it.
    pub fn rules(
        &self,
        key_of: impl Fn(&TargetParts<'_>) -> Vec<u8>,
    ) -> Result<Vec<Rule>, OrderError> {
        let count = self.urls.len() + self.prefixes.len() + self.hosts.len() + self.tags.len();
        match count + usize::from(self.all) {
            0 => return Err(refused("", "", "the order names nothing")),
            1..=ORDER_MAX => {}
            _ => return Err(refused("", "", "the order names more than 1000 things")),
        }
        let mut scopes = Vec::with_capacity(count + 1);
        if self.all {
            scopes.push(Scope::Everything);
        }
        for url in &self.urls {
            scopes.push(url_scope(url, &key_of)?);
        }
        for prefix in &self.prefixes {
            scopes.push(prefix_scope(prefix)?);
        }
        for host in &self.hosts {
            scopes.push(host_scope(host)?);
        }
        for tag in &self.tags {
            scopes.push(tag_scope(tag)?);
        }
        let kind = self.kind.of_rules();
        Ok(scopes.into_iter().map(|scope| Rule { scope, kind }).collect())
    }
}

impl Order {
    /// What it names, in words, for people; of a long order its beginning.
    pub fn words(&self) -> Vec<String> {
        let all = self.all.then(|| "everything".to_owned());
        let named = [
            ("", &self.urls),
            ("prefix ", &self.prefixes),
            ("host ", &self.hosts),
            ("tag ", &self.tags),
        ];
        let named = named.into_iter().flat_map(|(kind, names)| {
            names.iter().map(move |name| {
                let name: String = name.chars().take(SHOWN_MAX).collect();
                format!("{kind}{name}")
            })
        });
        let mut words: Vec<String> = all.into_iter().chain(named).take(WORDS_MAX + 1).collect();
        let count = self.urls.len() + self.prefixes.len() + self.hosts.len() + self.tags.len();
        if words.len() > WORDS_MAX {
            words[WORDS_MAX] = format!("and {} more", count + usize::from(self.all) - WORDS_MAX);
        }
        words
    }
}

impl OrderKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            OrderKind::Hard => "hard",
            OrderKind::Soft => "soft",
            OrderKind::Refresh => "refresh",
        }
    }

    /// For the rules a refresh is a soft purge.
    fn of_rules(self) -> Kind {
        match self {
            OrderKind::Hard => Kind::Hard,
            OrderKind::Soft | OrderKind::Refresh => Kind::Soft,
        }
    }
}

fn url_scope(url: &str, key_of: impl Fn(&TargetParts<'_>) -> Vec<u8>) -> Result<Scope, OrderError> {
    let refuse = |why| refused("URL", url, why);
    if url.ends_with('*') {
        return Err(refuse("a URL is one; purge a prefix to purge what begins so"));
    }
    let (uri, scheme) = parsed("URL", url)?;
    let fields = HeaderMap::new();
    let parts = TargetParts::of(scheme, &uri, &fields).map_err(|_| refuse(HOST))?;
    let key = key_of(&parts);
    let target = KeyTarget::of(&key).ok_or_else(|| refuse(HOST))?;
    Ok(Scope::Group(groups::url(&target)))
}

fn prefix_scope(prefix: &str) -> Result<Scope, OrderError> {
    let refuse = |why| refused("prefix", prefix, why);
    let bare = prefix.strip_suffix('*').unwrap_or(prefix);
    let (uri, scheme) = parsed("prefix", bare)?;
    if uri.query().is_some() {
        return Err(refuse("a prefix is one of paths, and has no query"));
    }
    let fields = HeaderMap::new();
    let parts = TargetParts::of(scheme, &uri, &fields).map_err(|_| refuse(HOST))?;
    let mut key = Vec::new();
    Template::default().key(&parts, &Method::GET, &fields, None, &mut key);
    let target = KeyTarget::of(&key).ok_or_else(|| refuse(HOST))?;
    let below = groups::below(&target, target.path).ok_or_else(|| refuse("it is too long"))?;
    Ok(Scope::Prefix(below))
}

fn host_scope(host: &str) -> Result<Scope, OrderError> {
    let refuse = || refused("host", host, HOST);
    let uri: Uri = format!("http://{host}/").parse().map_err(|_| refuse())?;
    if uri.port().is_some() || uri.path() != "/" || uri.query().is_some() {
        let why = "a host is a name or an address; it is purged on all its ports";
        return Err(refused("host", host, why));
    }
    let fields = HeaderMap::new();
    let parts = TargetParts::of(Scheme::Http, &uri, &fields).map_err(|_| refuse())?;
    Ok(Scope::Group(groups::host(parts.host())))
}

fn tag_scope(tag: &str) -> Result<Scope, OrderError> {
    if tag.is_empty() || tag.len() > TAG_BYTES_MAX || tag.chars().any(char::is_control) {
        return Err(refused("tag", tag, "no response has such a tag"));
    }
    Ok(Scope::Group(groups::tag(tag)))
}

const HOST: &str = "its host is no name and no address";

fn parsed(what: &'static str, url: &str) -> Result<(Uri, Scheme), OrderError> {
    let refuse = |why| refused(what, url, why);
    let uri: Uri =
        url.parse().map_err(|_| refuse("it is no URL, such as https://example.com/a"))?;
    let scheme = match uri.scheme_str() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        Some(_) => return Err(refuse("its scheme is neither http nor https")),
        None => return Err(refuse("it has no scheme and host; write https://example.com/a")),
    };
    Ok((uri, scheme))
}

fn refused(what: &'static str, said: &str, why: &'static str) -> OrderError {
    OrderError { what, said: said.chars().take(SHOWN_MAX).collect(), why }
}

#[cfg(test)]
mod tests;
