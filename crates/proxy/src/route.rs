//! The route table: host and path to route. Pure; a snapshot that is never changed.
//!
//! An exact host goes before the longest `*.name` that covers it, and that before `*`. Within one
//! host the longest path prefix wins; where none of a host's prefixes fits, the next host pattern
//! is asked. What `dynamic` finds in Redis stands between these. A prefix is compared byte for byte, as nginx's `location /api` does: `/api` also
//! covers `/apiary`, `/api/` does not. The path is compared raw: neither `..` nor `%2f` nor `//` is
//! resolved, since the origin would see what the table did not. A route is thus no fence: an
//! origin that resolves `/public/../private` serves it under the route of `/public/`.

mod dynamic;
mod known;
mod lane;
mod line;
pub mod name;
pub(crate) mod rate;
mod slot;
mod source;
pub mod value;
mod walk;
mod way;

use std::collections::HashMap;
use std::sync::Arc;

pub use dynamic::{BATCH_MAX, Change, Changes, DynamicRoutes, NotLearned, RoutesSnapshot};
pub use known::{ABSENT_MAX, Grounds};
pub use lane::{Connects, Lane, Upstreams};
pub use line::{RouteLine, RouteSource, RouteState};
#[cfg(test)]
pub(crate) use source::fake;
pub use source::{Awaited, Source, Stored, Told};
pub use way::Way;

use crate::config::{HostPattern, Route};

/// The longest host that can be in the table; a longer one is not looked for (RFC 1035 section
/// 2.3.4), so that no client makes the search of wildcards long.
pub const HOST_BYTES_MAX: usize = 255;

/// A snapshot of all routes, or of what each was made into.
#[derive(Debug)]
pub struct Table<R = Route> {
    exact: HashMap<String, Paths<R>>,
    below: HashMap<String, Paths<R>>,
    any: Paths<R>,
}

/// The routes of one host pattern, the longest prefix first.
type Paths<R> = Vec<Arc<R>>;

impl<R: AsRef<Route>> Table<R> {
    /// The table of these routes. Of two for the same host and prefix the first wins.
    pub fn new(routes: Vec<Arc<R>>) -> Self {
        let (exact, below) = (HashMap::new(), HashMap::new());
        let mut table = Table { exact, below, any: Vec::new() };
        for route in routes {
            table.add(route);
        }
        table
    }

    fn add(&mut self, added: Arc<R>) {
        let route = added.as_ref().as_ref();
        let paths = match &route.host {
            HostPattern::Any => &mut self.any,
            HostPattern::Exact(host) => self.exact.entry(host.clone()).or_default(),
            HostPattern::Below(host) => self.below.entry(host.clone()).or_default(),
        };
        let length = route.path_prefix.len();
        let place = paths.partition_point(|other| prefix(other).len() >= length);
        paths.insert(place, added);
    }

    /// The route for a host (lower case, without port and trailing dot, as
    /// [`forebay_semantics::key::host_and_port`] gives it) and a raw path.
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<R>> {
        self.by_name(host, path).or_else(|| self.by_any(path))
    }

    /// All routes, those for every host last.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<R>> {
        self.exact.values().chain(self.below.values()).chain([&self.any]).flatten()
    }

    fn by_name(&self, host: &str, path: &str) -> Option<&Arc<R>> {
        if host.len() > HOST_BYTES_MAX {
            return None;
        }
        self.by_exact(host, path).or_else(|| self.by_wildcard(host, path))
    }

    /// The route of exactly this host.
    pub fn by_exact(&self, host: &str, path: &str) -> Option<&Arc<R>> {
        if self.exact.is_empty() {
            return None;
        }
        longest(self.exact.get(host)?, path)
    }

    fn by_wildcard(&self, host: &str, path: &str) -> Option<&Arc<R>> {
        if self.below.is_empty() {
            return None;
        }
        let mut dots = host.match_indices('.').filter(|(at, _)| *at > 0);
        dots.find_map(|(at, _)| self.below(&host[at + 1..], path))
    }

    /// The route of every host below this one.
    pub fn below(&self, host: &str, path: &str) -> Option<&Arc<R>> {
        longest(self.below.get(host)?, path)
    }

    /// The route of every host.
    pub fn by_any(&self, path: &str) -> Option<&Arc<R>> {
        longest(&self.any, path)
    }
}

fn longest<'a, R: AsRef<Route>>(paths: &'a Paths<R>, path: &str) -> Option<&'a Arc<R>> {
    paths.iter().find(|route| path.starts_with(prefix(route)))
}

fn prefix<R: AsRef<Route>>(route: &Arc<R>) -> &str {
    &route.as_ref().as_ref().path_prefix
}

impl AsRef<Route> for Route {
    fn as_ref(&self) -> &Route {
        self
    }
}

#[cfg(test)]
mod tests;
