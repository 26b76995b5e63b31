//! A host's way past all that is known of it in Redis, in the order that `dynamic` states.
//!
//! Most hosts that only the file leads somewhere have no route in Redis, and neither has any wildcard
//! that covers them. Who has walked past all of these in vain notes that at the host's own name, and the
//! next one looks there alone.

use std::sync::Arc;

use super::known::{At, Grounds, KnownRoutes};
use super::lane::Lane;
use super::way::Way;
use super::{Table, name};

/// A walk under way.
pub(super) struct Walk<'a> {
    known: &'a KnownRoutes,
    path: &'a str,
    grounds: Grounds,
    /// The table's version when it began.
    version: u64,
    met: Met,
}

/// What a walk has met so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Absences,
    /// Something that another path, or another moment, would have ended at.
    More,
}

impl<'a> Walk<'a> {
    pub(super) fn begin(known: &'a KnownRoutes, path: &'a str, grounds: Grounds) -> Self {
        Walk { known, path, grounds, version: known.version(), met: Met::Absences }
    }

    /// The way for a host that has one of this shape, which the file does not name.
    pub(super) fn past(mut self, table: &Table<Lane>, host: &str, exact: &str) -> Way {
        if let Some(found) = self.at(exact) {
            return found;
        }
        // The file looks at every wildcard, Redis at so many of the shortest.
        let mut wildcards = name::wildcards_for(host).peekable();
        for (at, _) in host.match_indices('.').filter(|(at, _)| *at > 0) {
            if let Some(lane) = table.below(&host[at + 1..], self.path) {
                return Way::Lane(Arc::clone(lane));
            }
            let Some(wildcard) = wildcards.next_if(|name| name.len() == host.len() - at) else {
                continue;
            };
            if let Some(found) = self.at(wildcard) {
                return found;
            }
        }
        match self.met {
            Met::Absences => self.known.note_bare(exact, self.version),
            Met::More => {}
        }
        if let Some(lane) = table.by_any(self.path) {
            return Way::Lane(Arc::clone(lane));
        }
        self.at(name::ANY).unwrap_or(Way::None)
    }

    fn at(&mut self, name: &str) -> Option<Way> {
        match self.known.at(name, self.path, self.grounds) {
            At::Lane(lane) => Some(Way::Lane(lane)),
            At::Absent => None,
            At::Nothing => {
                self.met = Met::More;
                None
            }
            At::Wrong => Some(Way::Wrong),
            At::Unknown => Some(Way::Unknown),
        }
    }
}
