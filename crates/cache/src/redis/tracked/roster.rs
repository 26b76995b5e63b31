//! Which servers there are, which keys each of them has, and the line to each.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::line::Line;
use super::slots::{Range, slot_of};
use crate::redis::failure::LinkFailure;
use crate::redis::options::{Address, Server};

/// The roster of the moment; in a cluster another one may follow.
pub(super) struct Rosters {
    current: Mutex<Arc<Roster>>,
    last_failure: Mutex<Option<String>>,
}

/// The servers of one moment.
pub(super) struct Roster {
    pub(super) nodes: Vec<Arc<Node>>,
    ways: Ways,
}

enum Ways {
    /// All keys are at the first.
    One,
    /// Slots from the first to the last are at this one; sorted.
    Slots(Vec<(u16, u16, usize)>),
}

/// One server, and the line to it.
pub(super) struct Node {
    /// Which server it is, and how it is found.
    pub(super) server: Server,
    place: Mutex<Place>,
}

struct Place {
    /// Of the line that is there or being connected: what is heard of an older one says nothing.
    number: u64,
    line: State,
}

enum State {
    Connecting,
    Up {
        line: Line,
        /// Dropped, the line has ended for all who hold it.
        _ends: watch::Sender<()>,
    },
    Fallen,
}

/// What is asked of one server.
pub(super) struct Part {
    pub(super) line: Line,
    /// The places of the keys; all of them, in a row, where there is one server.
    pub(super) places: Vec<usize>,
}

impl Rosters {
    pub(super) fn new(server: &Server) -> Self {
        let roster = match server {
            Server::Single(_) | Server::Sentinel { .. } => {
                Roster { nodes: vec![Arc::new(Node::new(server.clone()))], ways: Ways::One }
            }
            Server::Cluster(_) => Roster { nodes: Vec::new(), ways: Ways::Slots(Vec::new()) },
        };
        Self { current: Mutex::new(Arc::new(roster)), last_failure: Mutex::new(None) }
    }

    pub(super) fn current(&self) -> Arc<Roster> {
        Arc::clone(&self.current.lock())
    }

    pub(super) fn replace(&self, roster: Arc<Roster>) {
        *self.current.lock() = roster;
    }

    pub(super) fn last_failure(&self) -> Option<String> {
        self.last_failure.lock().clone()
    }

    /// Notes why there is no connection; whether it is another reason than before.
    pub(super) fn note(&self, failure: Option<String>) -> Noted {
        let mut last = self.last_failure.lock();
        let noted = if *last == failure { Noted::Again } else { Noted::New };
        *last = failure;
        noted
    }
}

/// Whether a failure is like the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    New,
    Again,
}

impl Roster {
    /// One of a cluster with these slots; a server that was there before keeps its line.
    pub(super) fn of(ranges: &[Range], before: &Self) -> Self {
        let mut nodes: Vec<Arc<Node>> = Vec::new();
        let mut slots = Vec::with_capacity(ranges.len());
        for range in ranges {
            let place = nodes.iter().position(|node| node.is_at(&range.primary));
            let place = place.unwrap_or_else(|| {
                let known = before.nodes.iter().find(|node| node.is_at(&range.primary));
                let fresh = || Arc::new(Node::new(Server::Single(range.primary.clone())));
                nodes.push(known.map_or_else(fresh, Arc::clone));
                nodes.len() - 1
            });
            slots.push((range.first, range.last, place));
        }
        Self { nodes, ways: Ways::Slots(slots) }
    }

    pub(super) fn is_up(&self) -> bool {
        !self.nodes.is_empty() && self.nodes.iter().all(|node| node.line().is_some())
    }

    pub(super) fn is_away(&self) -> bool {
        self.nodes.iter().all(|node| node.line().is_none())
    }

    /// Whether there is a line to the server of this key.
    pub(super) fn reaches(&self, key: &[u8]) -> bool {
        let node = self.node_of(key).and_then(|node| self.nodes.get(node));
        node.is_some_and(|node| node.line().is_some())
    }

    /// Which keys are asked for where; fails if the server of one of them is away.
    pub(super) fn parts(&self, keys: &[Vec<u8>]) -> Result<Vec<Part>, LinkFailure> {
        let mut places: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (place, key) in keys.iter().enumerate() {
            places[self.node_of(key).ok_or(LinkFailure::Away)?].push(place);
        }
        let asked = places.into_iter().zip(&self.nodes).filter(|(places, _)| !places.is_empty());
        asked
            .map(|(places, node)| {
                let line = node.line().ok_or(LinkFailure::Away)?;
                Ok(Part { line, places })
            })
            .collect()
    }

    fn node_of(&self, key: &[u8]) -> Option<usize> {
        match &self.ways {
            Ways::One => Some(0),
            Ways::Slots(slots) => {
                let slot = slot_of(key);
                let after = slots.partition_point(|(first, _, _)| *first <= slot);
                let (_, last, node) = slots.get(after.checked_sub(1)?)?;
                (slot <= *last).then_some(*node)
            }
        }
    }
}

impl Node {
    fn new(server: Server) -> Self {
        Self { server, place: Mutex::new(Place { number: 0, line: State::Connecting }) }
    }

    fn is_at(&self, address: &Address) -> bool {
        matches!(&self.server, Server::Single(at) if at == address)
    }

    pub(super) fn line(&self) -> Option<Line> {
        match &self.place.lock().line {
            State::Up { line, .. } => Some(line.clone()),
            State::Connecting | State::Fallen => None,
        }
    }

    /// Another line is being connected; gives its number.
    pub(super) fn begin(&self) -> u64 {
        let mut place = self.place.lock();
        place.number += 1;
        place.line = State::Connecting;
        place.number
    }

    /// It is there, unless it fell already.
    pub(super) fn come_up(&self, line: Line, ends: watch::Sender<()>) {
        let mut place = self.place.lock();
        match place.line {
            State::Connecting => place.line = State::Up { line, _ends: ends },
            State::Up { .. } | State::Fallen => {}
        }
    }

    /// The line with this number is of no use any more.
    pub(super) fn fall(&self, number: u64) {
        let mut place = self.place.lock();
        if place.number == number {
            place.line = State::Fallen;
        }
    }
}
