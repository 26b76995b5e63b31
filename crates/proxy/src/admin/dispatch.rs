//! Which call a request is: the table of all calls, and the way to one. Pure.

use http::Method;

use crate::guard::Asks;

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The dashboard, or a file of it.
    Dashboard(DashboardFile),
    /// How the node is.
    Status,
    /// Whether the process lives.
    Health,
    /// Whether clients are accepted.
    Ready,
    /// The counters.
    Metrics,
    /// What can be called.
    OpenApi,
    /// Purge what an order names.
    Purge,
    /// Read the configuration file again.
    Reload,
    /// Start another process that takes over.
    Upgrade,
    /// Say why a request would be answered as it would.
    Why,
    /// Something about the routes in Redis.
    Routes(RoutesCall),
}

/// A file of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DashboardFile {
    /// The page.
    Page,
    /// How it looks.
    Style,
    /// What it is made of.
    Parts,
    /// What it does.
    Script,
}

/// What can be done with the routes in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoutesCall {
    /// Says what is known of them.
    List,
    /// Says their changes, as they happen.
    Watch,
    /// Says one, read again.
    Read,
    /// Writes one.
    Set,
    /// Deletes one.
    Delete,
}

/// One call: how it is asked for, and what it asks for.
#[derive(Debug)]
pub struct Row {
    /// The method. HEAD is answered where GET is.
    pub method: Method,
    /// The path. Its last segment may be `{host}`, which holds anything but a `/`.
    pub path: &'static str,
    /// The call.
    pub call: Call,
    /// Who may make it.
    pub asks: Asks,
}

/// Every call.
pub const TABLE: &[Row] = &[
    Row {
        method: Method::GET,
        path: "/",
        call: Call::Dashboard(DashboardFile::Page),
        asks: Asks::Nothing,
    },
    Row {
        method: Method::GET,
        path: "/dashboard.css",
        call: Call::Dashboard(DashboardFile::Style),
        asks: Asks::Nothing,
    },
    Row {
        method: Method::GET,
        path: "/parts.js",
        call: Call::Dashboard(DashboardFile::Parts),
        asks: Asks::Nothing,
    },
    Row {
        method: Method::GET,
        path: "/dashboard.js",
        call: Call::Dashboard(DashboardFile::Script),
        asks: Asks::Nothing,
    },
    Row { method: Method::GET, path: "/status", call: Call::Status, asks: Asks::Token },
    Row { method: Method::GET, path: "/health", call: Call::Health, asks: Asks::Nothing },
    Row { method: Method::GET, path: "/ready", call: Call::Ready, asks: Asks::Nothing },
    Row { method: Method::GET, path: "/metrics", call: Call::Metrics, asks: Asks::TokenIfSet },
    Row { method: Method::GET, path: "/openapi.json", call: Call::OpenApi, asks: Asks::Nothing },
    Row { method: Method::POST, path: "/reload", call: Call::Reload, asks: Asks::TokenToChange },
    Row { method: Method::POST, path: "/upgrade", call: Call::Upgrade, asks: Asks::TokenToChange },
    Row { method: Method::POST, path: "/why", call: Call::Why, asks: Asks::TokenToChange },
    Row { method: Method::POST, path: "/purge", call: Call::Purge, asks: Asks::TokenToChange },
    Row {
        method: Method::GET,
        path: "/routes",
        call: Call::Routes(RoutesCall::List),
        asks: Asks::Token,
    },
    Row {
        method: Method::GET,
        path: "/routes/watch",
        call: Call::Routes(RoutesCall::Watch),
        asks: Asks::Token,
    },
    Row {
        method: Method::GET,
        path: "/routes/{host}",
        call: Call::Routes(RoutesCall::Read),
        asks: Asks::Token,
    },
    Row {
        method: Method::PUT,
        path: "/routes/{host}",
        call: Call::Routes(RoutesCall::Set),
        asks: Asks::TokenToChange,
    },
    Row {
        method: Method::DELETE,
        path: "/routes/{host}",
        call: Call::Routes(RoutesCall::Delete),
        asks: Asks::TokenToChange,
    },
];

/// A call that was found.
#[derive(Debug)]
pub struct Found {
    /// Its row.
    pub row: &'static Row,
    /// What stands in the path where the row has `{host}`, without percent-encoding.
    pub part: Option<String>,
}

/// Why there is no such call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nothing is at this path; the nearest that is.
    Path {
        /// The path that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The path takes other methods.
    Method {
        /// Those that it takes.
        taken: Vec<&'static str>,
    },
    /// A segment that is not the percent-encoding of a text.
    Encoding,
}

/// The call for a method and a path.
pub fn find(method: &Method, path: &str) -> Result<Found, Lost> {
    let mut here = TABLE.iter().filter_map(|row| Some((row, part(row.path, path)?))).peekable();
    if here.peek().is_none() {
        // The dashboard's is near to whatever is short.
        let paths = TABLE.iter().map(|row| row.path).filter(|path| *path != "/");
        let paths: Vec<&'static str> = paths.collect();
        return Err(Lost::Path { nearest: nearest(path, &paths) });
    }
    let wanted = if method == Method::HEAD { &Method::GET } else { method };
    let here: Vec<_> = here.collect();
    // A path that is written out goes before one with a part.
    let is_exact = here.iter().any(|(_, part)| part.is_none());
    let mut taken = Vec::new();
    for (row, part) in here.into_iter().filter(|(_, part)| part.is_none() == is_exact) {
        if row.method != wanted {
            taken.extend(names(&row.method));
            continue;
        }
        let part = part.map(decoded).transpose()?;
        return Ok(Found { row, part });
    }
    Err(Lost::Method { taken })
}

/// The methods that a row is found by.
fn names(method: &Method) -> &'static [&'static str] {
    match *method {
        Method::GET => &["GET", "HEAD"],
        Method::PUT => &["PUT"],
        Method::POST => &["POST"],
        Method::DELETE => &["DELETE"],
        _ => &[],
    }
}

/// `None` where a path is not this one; what stands in its part, where it has one.
fn part<'a>(pattern: &str, path: &'a str) -> Option<Option<&'a str>> {
    let Some((begin, _)) = pattern.split_once('{') else {
        return (pattern == path).then_some(None);
    };
    let part = path.strip_prefix(begin)?;
    (!part.is_empty() && !part.contains('/')).then_some(Some(part))
}

fn nearest(path: &str, paths: &[&'static str]) -> Option<&'static str> {
    forebay_semantics::key::nearest(path.trim_end_matches('/'), paths)
}

/// A segment without percent-encoding (RFC 3986 section 2.1).
fn decoded(segment: &str) -> Result<String, Lost> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(Lost::Encoding);
        };
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| Lost::Encoding)
}

#[cfg(test)]
mod tests;
