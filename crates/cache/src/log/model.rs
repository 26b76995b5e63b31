//! A model of a cluster: a log that is trimmed, loses its end or all of it, and nodes that follow it
//! over links that fail, that fetch, crash and come back. [`Follower`] and [`Rules`] are the real
//! ones; the log, the links and the time are told.
//!
//! What must hold is in [`World::violation`]. A [`Flaw`] breaks one rule on purpose: then the search
//! must find a history that shows it, or it would prove nothing of that rule.

mod search;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use tokio::time::Instant;

use super::follow::{Follower, Raise, Taken, Trust};
use crate::clock::Timestamp;
use crate::purge::Epoch;
use crate::purge::{Belongs, Bounds, Group, Kind, LogEntry, Position, Rule, Rules, Scope, Verdict};

/// In ticks.
const BOUND: u32 = 2;
/// Keeps the lineages of nodes that know no log apart from each other, and from those of logs.
const OWN: u64 = 1 << 32;
const TICK: Duration = Duration::from_secs(1);

/// One rule that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Nobody looks whether an entry names the one before it.
    PreviousUnchecked,
    /// A log that has become shorter is not noticed.
    BackwardsUnnoticed,
    /// All purges have the same sign.
    SignsAlike,
    /// Doubt is counted from the answer, not from the question.
    HeardWhenAnswered,
    /// An entry bears the epoch at which its fetch ended.
    EpochAtEnd,
    /// What was read of the log is not written down before it is acknowledged.
    NoJournal,
    /// A purge returns although the log was only just made, and does not know yet who lives.
    ReturnsAtOnce,
    /// Who has asked has acknowledged, though the answer is still on its way.
    AcknowledgedWhenAsked,
    /// A position counts by its number, though another purge has that number by now.
    PositionUnchecked,
    /// Doubt changes nothing.
    DoubtUnheeded,
    /// What is unproven is served.
    UnprovenServed,
}

/// How much may happen yet.
#[derive(Clone, Copy, Debug, Hash)]
struct Left {
    ticks: u32,
    purges: u32,
    fetches: u32,
    faults: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Tick,
    /// The node sends a question, with its position.
    Ask(usize),
    /// The log gets it and answers.
    Hear(usize),
    /// The node takes the answer.
    Take(usize),
    Begin(usize),
    End(usize),
    /// The node finds in the shared tier what it holds from then on.
    Look(usize),
    PurgeOurs(Kind),
    PurgeOthers,
    Cut(usize),
    Join(usize),
    Crash(usize),
    /// The log forgets all but its newest entry.
    Trim,
    /// Another takes the log over, who has not got the newest entry.
    FailOver,
    /// The log begins again, with nothing.
    Empty,
    /// The node has noticed a fork.
    Renew(usize),
}

/// What is kept of a fetch.
#[derive(Clone, Copy, Debug, Hash)]
struct Held {
    epoch: Epoch,
    began: u32,
    validated_at: u32,
}

#[derive(Clone, Debug)]
enum Question {
    None,
    Sent { at: u32, from: Position },
    Answered { at: u32, entries: Vec<LogEntry>, newest: Position },
}

#[derive(Clone)]
struct Node {
    follower: Follower,
    /// Of a node with a disk: what its file knows.
    journal: Option<Rules>,
    memory: Option<Held>,
    disk: Option<Held>,
    fetch: Option<Held>,
    is_cut: bool,
    question: Question,
}

#[derive(Clone)]
struct Server {
    newest: Position,
    entries: Vec<LogEntry>,
    made_at: u32,
    /// When each node was heard.
    seen: Vec<Option<u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Pending,
    Returned,
    /// Lost by the log: only who knows it keeps to it.
    Lost,
}

#[derive(Clone, Debug, Hash)]
struct Purge {
    number: u64,
    issued: u32,
    acknowledged: Vec<bool>,
    state: State,
    /// Whether the log has it still: then a position may acknowledge it.
    is_in_log: bool,
}

#[derive(Clone)]
struct World {
    begun: Instant,
    now: u32,
    /// Orders fetches and purges.
    stamp: u32,
    /// Lineages and tokens that were given.
    given: u64,
    server: Server,
    nodes: Vec<Node>,
    shared: Option<Held>,
    /// Those that cover the one entry there is.
    purges: Vec<Purge>,
    left: Left,
    flaw: Flaw,
}

impl Server {
    // A position that it cannot look up proves nothing.
    fn has(&self, position: Position) -> bool {
        let place = self.newest;
        position == place || self.entries.iter().any(|entry| position == place.at(entry))
    }
}

impl World {
    /// All nodes know the log, which is empty; the first of them have a disk.
    fn new(nodes: usize, disks: usize, left: Left, flaw: Flaw) -> Self {
        // Small, so that the floor rises because the table is full.
        let bounds = Bounds { rules_max: 1, ..Bounds::default() };
        let newest = Position::start_of(1);
        let node = |number| {
            let mut rules = Rules::new(bounds);
            rules.begin(newest);
            Node {
                journal: (number < disks).then(|| rules.clone()),
                follower: Follower::new(rules, OWN * (OWN / 2 + number as u64)),
                memory: None,
                disk: None,
                fetch: None,
                is_cut: false,
                question: Question::None,
            }
        };
        let server = Server { newest, entries: Vec::new(), made_at: 0, seen: vec![None; nodes] };
        Self {
            begun: Instant::now(),
            now: BOUND,
            stamp: 0,
            given: 1,
            server,
            nodes: (0..nodes).map(node).collect(),
            shared: None,
            purges: Vec::new(),
            left,
            flaw,
        }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = vec![Step::Tick, Step::PurgeOurs(Kind::Hard), Step::PurgeOurs(Kind::Soft)];
        steps.extend([Step::PurgeOthers, Step::Trim, Step::FailOver, Step::Empty]);
        for node in 0..self.nodes.len() {
            steps.extend([Step::Take(node), Step::Hear(node), Step::Ask(node), Step::Renew(node)]);
            steps.extend([Step::Begin(node), Step::End(node), Step::Look(node)]);
            steps.extend([Step::Cut(node), Step::Join(node), Step::Crash(node)]);
        }
        steps.retain(|step| self.can(*step));
        steps
    }

    fn can(&self, step: Step) -> bool {
        let left = &self.left;
        match step {
            Step::Tick => left.ticks > 0,
            Step::Ask(node) => matches!(self.nodes[node].question, Question::None),
            Step::Hear(node) => {
                let node = &self.nodes[node];
                !node.is_cut && matches!(node.question, Question::Sent { .. })
            }
            Step::Take(node) => {
                let node = &self.nodes[node];
                !node.is_cut && matches!(node.question, Question::Answered { .. })
            }
            Step::Begin(node) => left.fetches > 0 && self.nodes[node].fetch.is_none(),
            Step::End(node) => self.nodes[node].fetch.is_some(),
            Step::Look(node) => !self.nodes[node].is_cut && self.shared.is_some(),
            Step::PurgeOurs(_) | Step::PurgeOthers => left.purges > 0,
            Step::Cut(node) => left.faults > 0 && !self.nodes[node].is_cut,
            Step::Join(node) => self.nodes[node].is_cut,
            Step::Crash(_) | Step::Empty => left.faults > 0,
            Step::Trim => left.faults > 0 && self.server.entries.len() > 1,
            Step::FailOver => left.faults > 0 && !self.server.entries.is_empty(),
            Step::Renew(node) => {
                let node = &self.nodes[node];
                !node.is_cut && node.follower.refused() == Some(self.server.newest.lineage)
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Tick => {
                self.left.ticks -= 1;
                self.now += 1;
            }
            Step::Ask(node) => {
                let from = self.nodes[node].follower.position();
                self.nodes[node].question = Question::Sent { at: self.now, from };
            }
            Step::Hear(node) => self.hear(node),
            Step::Take(node) => self.take(node),
            Step::Begin(node) => self.begin(node),
            Step::End(node) => self.end(node),
            Step::Look(node) => {
                let found = self.shared.filter(|held| !self.is_gone(node, held));
                self.nodes[node].memory = found.or(self.nodes[node].memory);
            }
            Step::PurgeOurs(kind) => self.purge(ours(), kind),
            Step::PurgeOthers => self.purge(others(), Kind::Hard),
            Step::Cut(node) => {
                self.left.faults -= 1;
                self.nodes[node].is_cut = true;
                self.nodes[node].question = Question::None;
            }
            Step::Join(node) => self.nodes[node].is_cut = false,
            Step::Crash(node) => self.crash(node),
            Step::Trim => {
                self.left.faults -= 1;
                self.server.entries.drain(..self.server.entries.len() - 1);
            }
            Step::FailOver => self.fail_over(),
            Step::Empty => {
                self.left.faults -= 1;
                self.server.entries.clear();
                self.server.seen.fill(None);
                self.make_lineage(0, 0);
                // One that has returned still binds everybody: nobody follows the old log now.
                self.lose(|purge| purge.state == State::Pending);
                self.purges.iter_mut().for_each(|purge| purge.is_in_log = false);
            }
            Step::Renew(_) => {
                let Position { number, token, .. } = self.server.newest;
                self.make_lineage(number, token);
            }
        }
        self.settle();
    }

    fn make_lineage(&mut self, number: u64, token: u64) {
        self.given += 1;
        self.server.newest = Position { lineage: self.given, number, token };
        self.server.made_at = self.now;
    }

    fn hear(&mut self, node: usize) {
        let Question::Sent { at, from } = self.nodes[node].question else { return };
        self.server.seen[node] = Some(self.now);
        let (newest, flaw) = (self.server.newest, self.flaw);
        let is_ours = from.lineage == newest.lineage
            && (self.server.has(from) || flaw == Flaw::PositionUnchecked);
        for purge in self.purges.iter_mut().filter(|purge| purge.is_in_log) {
            let knows = is_ours && from.number >= purge.number;
            purge.acknowledged[node] |= knows || flaw == Flaw::AcknowledgedWhenAsked;
        }
        let is_same = from.lineage == newest.lineage;
        let from = if is_same { from.number } else { 0 };
        let behind = self.server.entries.iter().filter(|entry| entry.number >= from);
        let entries = behind.cloned().collect();
        self.nodes[node].question = Question::Answered { at, entries, newest };
    }

    fn take(&mut self, node: usize) {
        let (now, flaw) = (self.now, self.flaw);
        let node = &mut self.nodes[node];
        let answer = std::mem::replace(&mut node.question, Question::None);
        let Question::Answered { at, mut entries, mut newest } = answer else { return };
        let position = node.follower.position();
        let is_same = position.lineage == newest.lineage;
        if flaw == Flaw::PreviousUnchecked && is_same {
            entries.retain(|entry| entry.number > position.number);
            if let Some(first) = entries.first_mut() {
                first.previous = position.token;
            }
        }
        if flaw == Flaw::BackwardsUnnoticed && is_same && newest.number < position.number {
            (entries, newest) = (Vec::new(), position);
        }
        let asked_at = if flaw == Flaw::HeardWhenAnswered { now } else { at };
        let taken = node.follower.take(&entries, newest, self.begun + TICK * asked_at);
        let is_fork = matches!(taken, Taken::Raised(raise) if raise.is_fork());
        if node.journal.is_some() && !is_fork && flaw != Flaw::NoJournal {
            node.journal = Some(node.follower.rules().clone());
        }
    }

    fn begin(&mut self, node: usize) {
        self.left.fetches -= 1;
        self.stamp += 1;
        let epoch = self.nodes[node].follower.rules().epoch();
        let held = Held { epoch, began: self.stamp, validated_at: self.now };
        self.nodes[node].fetch = Some(held);
    }

    fn end(&mut self, node: usize) {
        let Some(mut held) = self.nodes[node].fetch.take() else { return };
        if self.flaw == Flaw::EpochAtEnd {
            held.epoch = self.nodes[node].follower.rules().epoch();
        }
        if self.is_gone(node, &held) {
            return;
        }
        let is_cut = self.nodes[node].is_cut;
        let owner = &mut self.nodes[node];
        owner.memory = Some(held);
        owner.disk = owner.journal.as_ref().map(|_| held);
        self.shared = if is_cut { self.shared } else { Some(held) };
    }

    fn purge(&mut self, group: Group, kind: Kind) {
        self.left.purges -= 1;
        self.stamp += 1;
        self.given += 1;
        let alike = self.flaw == Flaw::SignsAlike;
        let token = if alike { self.given << 24 } else { self.given };
        let (number, previous) = (self.server.newest.number + 1, self.server.newest.token);
        let rule = Rule { scope: Scope::Group(group), kind };
        let at = Timestamp::from_millis(u64::from(self.now));
        let entry = LogEntry { number, token, previous, at, rule };
        self.server.newest = self.server.newest.at(&entry);
        self.server.entries.push(entry);
        if group == ours() {
            let acknowledged = vec![false; self.nodes.len()];
            let issued = self.stamp;
            let (state, is_in_log) = (State::Pending, true);
            self.purges.push(Purge { number, issued, acknowledged, state, is_in_log });
        }
    }

    // A node without a disk knows nothing any more, and nobody may count on what it said.
    fn crash(&mut self, number: usize) {
        self.left.faults -= 1;
        let node = &mut self.nodes[number];
        (node.memory, node.fetch, node.question) = (None, None, Question::None);
        let known = node.journal.clone();
        if known.is_none() {
            self.purges.iter_mut().for_each(|purge| purge.acknowledged[number] = false);
        }
        self.given += 1;
        let nothing = || Rules::new(Bounds::default());
        node.follower = Follower::new(known.unwrap_or_else(nothing), OWN * self.given);
    }

    fn fail_over(&mut self) {
        self.left.faults -= 1;
        let Some(lost) = self.server.entries.pop() else { return };
        self.server.newest = self.server.newest.before(&lost);
        self.lose(|purge| purge.is_in_log && purge.number == lost.number);
    }

    fn lose(&mut self, is_lost: impl Fn(&Purge) -> bool) {
        for purge in self.purges.iter_mut().filter(|purge| is_lost(purge)) {
            (purge.state, purge.is_in_log) = (State::Lost, false);
        }
    }

    // A purge returns when all who live have acknowledged it. Who lives is not known of a log that
    // was only just made.
    fn settle(&mut self) {
        let (now, server) = (self.now, &self.server);
        if now < server.made_at + BOUND && self.flaw != Flaw::ReturnsAtOnce {
            return;
        }
        let lives = |seen: &Option<u32>| seen.is_some_and(|at| now < at + BOUND);
        for purge in self.purges.iter_mut().filter(|purge| purge.state == State::Pending) {
            let mut nodes = server.seen.iter().zip(&purge.acknowledged);
            if nodes.all(|(seen, has)| *has || !lives(seen)) {
                purge.state = State::Returned;
            }
        }
    }

    fn verdict(&self, node: usize, held: &Held) -> Verdict {
        let mut belongs = Belongs::new();
        belongs.to(ours());
        self.nodes[node].follower.rules().judge(held.epoch, &belongs)
    }

    fn is_gone(&self, node: usize, held: &Held) -> bool {
        matches!(self.verdict(node, held), Verdict::Gone { .. })
    }

    fn trust(&self, node: usize) -> Trust {
        let now = self.begun + TICK * self.now;
        let unheard = self.nodes[node].follower.heard().map(|at| now.duration_since(at));
        Trust::after(unheard, TICK * BOUND)
    }

    // As the gateway does, without a word to the origin.
    fn is_served(&self, node: usize, held: &Held) -> bool {
        let is_alive = match self.verdict(node, held) {
            Verdict::Alive => true,
            Verdict::Unproven => self.flaw == Flaw::UnprovenServed,
            Verdict::Gone { .. } | Verdict::Stale { .. } => false,
        };
        is_alive
            && match self.trust(node) {
                Trust::Sure => true,
                Trust::Doubt => {
                    self.flaw == Flaw::DoubtUnheeded || self.now < held.validated_at + BOUND
                }
            }
    }

    /// An answer that must not be: what was fetched before a purge, by a node that acknowledged it;
    /// or, after it returned, by any node that does not doubt or has not validated it within the
    /// bound.
    fn violation(&self) -> Option<String> {
        for (number, node) in self.nodes.iter().enumerate() {
            let shared = self.shared.as_ref().filter(|_| !node.is_cut);
            for held in [node.memory.as_ref(), node.disk.as_ref(), shared].into_iter().flatten() {
                let older = |purge: &&Purge| held.began < purge.issued;
                for purge in self.purges.iter().filter(older) {
                    if self.is_served(number, held) && self.is_wrong(number, held, purge) {
                        return Some(format!("node {number} serves {held:?} after {purge:?}"));
                    }
                }
            }
        }
        None
    }

    fn is_wrong(&self, node: usize, held: &Held, purge: &Purge) -> bool {
        let is_recent = self.now < held.validated_at + BOUND;
        let is_doubtful = self.trust(node) == Trust::Doubt && is_recent;
        purge.acknowledged[node] || (purge.state == State::Returned && !is_doubtful)
    }

    /// Two worlds with the same key have the same futures.
    fn key(&self) -> u64 {
        let mut state = DefaultHasher::new();
        let age = |at: u32| (self.now - at).min(BOUND + 1);
        let held = |held: &Option<Held>| held.map(|it| (it.epoch, it.began, age(it.validated_at)));
        let server = &self.server;
        (self.stamp, self.given, server.newest, age(server.made_at)).hash(&mut state);
        server.entries.iter().for_each(|entry| (entry.token, &entry.rule).hash(&mut state));
        server.seen.iter().for_each(|seen| seen.map(age).hash(&mut state));
        (held(&self.shared), &self.purges, self.left).hash(&mut state);
        for node in &self.nodes {
            node.follower.rules().hash(&mut state);
            let unheard = node.follower.heard().map(|at| {
                let at = at.duration_since(self.begun).as_secs() as u32;
                age(at)
            });
            (node.follower.refused(), unheard, &node.journal, node.is_cut).hash(&mut state);
            (held(&node.memory), held(&node.disk), held(&node.fetch)).hash(&mut state);
            match &node.question {
                Question::None => 0.hash(&mut state),
                Question::Sent { at, from } => (1, age(*at), from).hash(&mut state),
                Question::Answered { at, entries, newest } => {
                    (2, age(*at), newest).hash(&mut state);
                    entries.iter().for_each(|entry| entry.token.hash(&mut state));
                }
            }
        }
        state.finish()
    }
}

fn ours() -> Group {
    Group::of("url", b"ours")
}

fn others() -> Group {
    Group::of("url", b"others")
}

// A fork is named, and no other is.
#[test]
fn each_reason_says_whether_history_has_changed() {
    let forks = [Raise::Backwards, Raise::OtherToken, Raise::Unchained];
    assert!(forks.iter().all(|raise| raise.is_fork()));
    assert!(![Raise::OtherLineage, Raise::Trimmed].iter().any(|raise| raise.is_fork()));
}
