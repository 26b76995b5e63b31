//! Leases of a cluster whose nodes live in one process: what the contract is tested with, and what
//! a simulation drives. It follows a clock, so a paused runtime decides when a lease ends.
//!
//! Renewing is not acted out: a node's leases last while it is connected, and one `ttl` more when
//! it is not. It remembers every key that was ever asked for: a simulation has a number of them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Fence, Lease, Leases, Purpose, Response, Vigil, Wish, Word};
use crate::clock::{Clock, Timestamp};
use crate::entry::{Key, Stamp};

/// Who may wait for one lease.
const WAITERS_MAX: usize = 1_024;

/// The one place in which the nodes of a cluster find each other's leases. Cloning it shares it.
#[derive(Clone)]
pub struct Register {
    book: Arc<Mutex<Book>>,
    clock: Clock,
    ttl: Duration,
}

/// One node of the cluster.
#[derive(Clone)]
pub struct Node {
    register: Register,
    number: usize,
}

#[derive(Default)]
struct Book {
    pages: HashMap<Key, Page>,
    stored: HashMap<Key, Stamp>,
    lines: Vec<Line>,
}

/// What is known of one key.
#[derive(Default)]
struct Page {
    held: Option<Held>,
    unshared_until: Timestamp,
    resting_until: Timestamp,
}

struct Held {
    token: [u8; 16],
    node: usize,
    // Only for a node that is cut off; the others renew.
    until: Option<Timestamp>,
    waiters: Vec<Waiter>,
}

struct Waiter {
    node: usize,
    word: oneshot::Sender<Word>,
}

/// A node's connection, and those who missed a word while there was none.
#[derive(Default)]
struct Line {
    state: LineState,
    missed: Vec<oneshot::Sender<Word>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum LineState {
    #[default]
    Connected,
    Cut,
}

impl Register {
    /// An empty one, whose leases outlive a node that cannot renew them by `ttl`.
    pub fn new(ttl: Duration, clock: Clock) -> Self {
        Self { book: Arc::default(), clock, ttl }
    }

    /// One more node.
    pub fn node(&self) -> Node {
        let mut book = self.book.lock();
        book.lines.push(Line::default());
        Node { register: self.clone(), number: book.lines.len() - 1 }
    }

    /// Notes that all nodes see this entry under the key.
    pub fn store(&self, key: &Key, stamp: Stamp) {
        self.book.lock().stored.insert(key.clone(), stamp);
    }

    /// Notes that no node sees an entry under the key any more, and that what is being fetched for
    /// it is not to be stored.
    pub fn remove(&self, key: &Key) {
        let mut book = self.book.lock();
        book.stored.remove(key);
        if let Some(page) = book.pages.get_mut(key) {
            page.held = None;
        }
    }

    /// Whether a store under this lease is accepted.
    pub fn accepts(&self, fence: &Fence) -> bool {
        let (mut book, now) = (self.book.lock(), self.clock.now());
        let held = book.pages.get_mut(&fence.key).and_then(|page| page.held_at(now));
        held.is_some_and(|held| held.token == fence.token)
    }

    fn end(&self, fence: &Fence, word: Word) {
        let (mut guard, now) = (self.book.lock(), self.clock.now());
        let book = &mut *guard;
        let Some(page) = book.pages.get_mut(&fence.key) else { return };
        let Some(held) = page.held_at(now).filter(|held| held.token == fence.token) else { return };
        if book.lines[held.node].state == LineState::Cut {
            return;
        }
        page.note(word, now);
        let waiters = page.held.take().map(|held| held.waiters).unwrap_or_default();
        for waiter in waiters {
            let line = &mut book.lines[waiter.node];
            match line.state {
                LineState::Connected => tell(waiter.word, word),
                LineState::Cut => line.missed.push(waiter.word),
            }
        }
    }
}

// Who left his queue meanwhile hears nothing.
fn tell(ear: oneshot::Sender<Word>, word: Word) {
    let _ = ear.send(word);
}

impl Page {
    fn held_at(&mut self, now: Timestamp) -> Option<&mut Held> {
        if self.held.as_ref().is_some_and(|held| held.until.is_some_and(|until| until <= now)) {
            self.held = None;
        }
        self.held.as_mut()
    }

    fn note(&mut self, word: Word, now: Timestamp) {
        match word {
            Word::Stored | Word::Local => {
                (self.unshared_until, self.resting_until) = Default::default();
            }
            Word::Unshared(span) => self.unshared_until = now.plus(span),
            Word::Failed(_, pause) => self.resting_until = now.plus(pause),
            Word::Left => {}
        }
    }
}

impl Node {
    /// Cuts it off: nothing reaches it, and it renews nothing.
    pub fn cut(&self) {
        self.connect(LineState::Cut);
    }

    /// Connects it anew. What was said meanwhile it has missed, and who waits is told to ask again.
    pub fn heal(&self) {
        self.connect(LineState::Connected);
    }

    fn connect(&self, state: LineState) {
        let register = &self.register;
        let (mut book, now) = (register.book.lock(), register.clock.now());
        book.lines[self.number].state = state;
        let until = match state {
            LineState::Connected => None,
            LineState::Cut => Some(now.plus(register.ttl)),
        };
        let mut missed = std::mem::take(&mut book.lines[self.number].missed);
        for held in book.pages.values_mut().filter_map(|page| page.held_at(now)) {
            if held.node == self.number {
                held.until = until;
            }
            let (own, others) =
                held.waiters.drain(..).partition(|waiter| waiter.node == self.number);
            held.waiters = others;
            missed.extend(Vec::<Waiter>::into_iter(own).map(|waiter| waiter.word));
        }
        match state {
            LineState::Connected => missed.into_iter().for_each(|ear| tell(ear, Word::Left)),
            LineState::Cut => book.lines[self.number].missed = missed,
        }
    }

    fn answer(&self, wish: &Wish<'_>) -> Response {
        let register = &self.register;
        let (mut guard, now) = (register.book.lock(), register.clock.now());
        let book = &mut *guard;
        if book.lines[self.number].state == LineState::Cut {
            return Response::Unreachable;
        }
        let stored = book.stored.get(wish.watched);
        if stored.is_some() && stored != wish.seen.as_ref() {
            return Response::Newer;
        }
        let page = book.pages.entry(wish.key.clone()).or_default();
        if page.unshared_until > now {
            return Response::Unshared(page.unshared_until.since(now));
        }
        if wish.purpose == Purpose::Refresh && page.resting_until > now {
            return Response::Resting(page.resting_until.since(now));
        }
        match page.held_at(now) {
            Some(held) => self.queue(held, now),
            None => self.grant(wish.key, page),
        }
    }

    fn grant(&self, key: &Key, page: &mut Page) -> Response {
        let fence = Fence { key: key.clone(), token: rand::random() };
        let (token, node) = (fence.token, self.number);
        page.held = Some(Held { token, node, until: None, waiters: Vec::new() });
        Response::Ours(Box::new(Grant { register: self.register.clone(), fence, ended: false }))
    }

    fn queue(&self, held: &mut Held, now: Timestamp) -> Response {
        held.waiters.retain(|waiter| !waiter.word.is_closed());
        if held.waiters.len() >= WAITERS_MAX {
            return Response::Unreachable;
        }
        let (word, heard) = oneshot::channel();
        held.waiters.push(Waiter { node: self.number, word });
        let left = held.until.map_or(self.register.ttl, |until| until.since(now));
        Response::Theirs(Box::new(Ear { heard, deadline: Instant::now() + left }))
    }
}

impl Leases for Node {
    fn ask<'a>(&'a self, wish: Wish<'a>) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(async move { self.answer(&wish) })
    }
}

/// A lease that is held.
struct Grant {
    register: Register,
    fence: Fence,
    ended: bool,
}

impl Lease for Grant {
    fn fence(&self) -> Fence {
        self.fence.clone()
    }

    fn end(mut self: Box<Self>, word: Word) {
        self.ended = true;
        self.register.end(&self.fence, word);
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if !self.ended {
            self.register.end(&self.fence, Word::Left);
        }
    }
}

/// A node's wait for a word.
struct Ear {
    heard: oneshot::Receiver<Word>,
    deadline: Instant,
}

impl Vigil for Ear {
    fn told(self: Box<Self>) -> Pin<Box<dyn Future<Output = Word> + Send>> {
        Box::pin(async move {
            let told = tokio::time::timeout_at(self.deadline, self.heard).await;
            // A holder that did not end it has died, or lost it.
            told.map_or(Word::Left, |word| word.unwrap_or(Word::Left))
        })
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Register").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("number", &self.number).finish_non_exhaustive()
    }
}
