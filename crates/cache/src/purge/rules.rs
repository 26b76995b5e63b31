//! The table of purges that may still matter, and its judgement. All costs are of the groups of
//! one entry, however much a purge covers and however many there are.

use std::collections::{BTreeMap, HashMap, VecDeque};

use xxhash_rust::xxh3::Xxh3;

use super::{Belongs, Group, Kind, LogEntry, Position, Prefix, Scope, Verdict};
use crate::clock::Timestamp;
use crate::purge::Epoch;

/// What a rule about a group takes, slack of the tables included; see `tests/footprint.rs`.
const GROUP_RULE_BYTES: usize = 360;

/// What a rule about a prefix takes.
const PREFIX_RULE_BYTES: usize = 760;

/// Lengths of the prefixes in one group, each of which costs a hash. Over it, a prefix is cut to the
/// next shorter length that there is: it covers more then, never less.
const LENGTHS_MAX: usize = 64;

/// Purges whose signs are known. Over it, the floor rises to the oldest of these.
const SIGNS_MAX: usize = 128 << 10;

/// How large the table may become. Over it, the oldest rules leave, and the floor rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rules; a hard and a soft one about the same are two.
    pub rules_max: usize,
    /// Bytes of them all.
    pub bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { rules_max: 100_000, bytes_max: 64 << 20 }
    }
}

/// What is known of a log of purges.
#[derive(Clone, Debug)]
pub struct Rules {
    position: Position,
    floor: u64,
    version: u64,
    marks: HashMap<Covered, Marks>,
    /// How many prefixes of each length there are in a group.
    pub(super) lengths: HashMap<Group, BTreeMap<usize, usize>>,
    /// All rules, the oldest first.
    order: BTreeMap<u64, (Covered, Kind)>,
    signs: Signs,
    bytes: usize,
    bounds: Bounds,
}

#[cfg(test)]
impl std::hash::Hash for Rules {
    // What tells two tables apart, but for how often they changed.
    fn hash<S: std::hash::Hasher>(&self, state: &mut S) {
        (self.position, self.floor, self.signs.first, &self.signs.signs).hash(state);
        self.order.iter().for_each(|rule| rule.hash(state));
    }
}

/// A scope in the table; of a prefix there is only a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Covered {
    Everything,
    Group(Group),
    Prefix { group: Group, len: usize, digest: u128 },
}

/// The newest purges of a scope.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    hard: Option<u64>,
    soft: Option<(u64, Timestamp)>,
}

impl Rules {
    /// Nothing is known: no log, no purge. All that bears no epoch is alive.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            position: Position::default(),
            floor: 0,
            version: 1,
            marks: HashMap::new(),
            lengths: HashMap::new(),
            order: BTreeMap::new(),
            signs: Signs::from(Position::default()),
            bytes: 0,
            bounds,
        }
    }

    /// How far the log is known.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What an entry bears whose fetch begins now.
    pub fn epoch(&self) -> Epoch {
        self.position.epoch()
    }

    /// Entries whose epoch has a lower number are unproven.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// Rises with every change; never 0. What was alive at a version is so as long as it lasts.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The bytes of all rules, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all, and goes on from here, in this log: what is older is unproven.
    pub fn begin(&mut self, position: Position) {
        self.leave_for(position);
    }

    /// As [`Rules::begin`]; gives back what was known.
    pub fn leave_for(&mut self, position: Position) -> Self {
        let anew = Self { version: self.version + 1, ..Self::new(self.bounds) };
        let known = std::mem::replace(self, anew);
        self.go_to(position);
        known
    }

    /// Goes on from here, in the same log, without what lies between: what is older is unproven.
    /// What is known of older purges still counts.
    pub fn skip_to(&mut self, position: Position) {
        self.version += 1;
        self.go_to(position);
    }

    /// Holds all that is older than this for unproven.
    pub fn raise_floor(&mut self, to: u64) {
        self.version += 1;
        self.floor = self.floor.max(to);
    }

    /// Takes the next entry of the log. One that is known is passed over; where entries are missing
    /// before it, the floor rises.
    pub fn apply(&mut self, entry: &LogEntry) {
        if entry.number <= self.position.number {
            return;
        }
        if entry.number != self.position.number + 1 {
            self.skip_to(self.position.before(entry));
        }
        self.version += 1;
        self.position = self.position.at(entry);
        let oldest = self.signs.push(entry.token);
        self.floor = self.floor.max(oldest);
        let covered = self.covered(&entry.rule.scope);
        if (covered, entry.rule.kind) == (Covered::Everything, Kind::Hard) {
            // It says all that those before it said.
            self.forget_rules();
        }
        self.mark(covered, entry);
        while self.order.len() > self.bounds.rules_max || self.bytes > self.bounds.bytes_max {
            self.evict();
        }
    }

    /// What the rules say of an entry with this epoch that belongs to these groups.
    pub fn judge(&self, epoch: Epoch, belongs: &Belongs<'_>) -> Verdict {
        if let Some(verdict) = self.judge_by_epoch(epoch) {
            return verdict;
        }
        let number = epoch.number();
        let (mut gone, mut stale) = (None::<u64>, None::<(Timestamp, u64)>);
        self.for_each_covering(belongs, |marks| {
            gone = gone.max(marks.hard.filter(|hard| *hard > number));
            // Of several, the first made it stale.
            if let Some((by, since)) = marks.soft.filter(|(soft, _)| *soft > number)
                && stale.is_none_or(|known| (since, by) < known)
            {
                stale = Some((since, by));
            }
        });
        match (gone, stale) {
            (Some(by), _) => Verdict::Gone { by },
            (None, _) if number < self.floor => Verdict::Unproven,
            (None, Some((since, by))) => Verdict::Stale { since, by },
            (None, None) => Verdict::Alive,
        }
    }

    /// As [`Rules::judge`], where the groups of the entry do not matter.
    pub fn judge_by_epoch(&self, epoch: Epoch) -> Option<Verdict> {
        if epoch.lineage() != self.position.lineage || !self.signs.may_know(epoch) {
            return Some(Verdict::Unproven);
        }
        let newest = self.order.last_key_value().map_or(0, |(newest, _)| *newest);
        (epoch.number() >= newest && epoch.number() >= self.floor).then_some(Verdict::Alive)
    }

    fn for_each_covering(&self, belongs: &Belongs<'_>, mut each: impl FnMut(&Marks)) {
        let mut look = |covered: &Covered| {
            if let Some(marks) = self.marks.get(covered) {
                each(marks);
            }
        };
        look(&Covered::Everything);
        belongs.groups().for_each(|group| look(&Covered::Group(group)));
        for (group, path) in belongs.paths() {
            let Some(lengths) = self.lengths.get(&group) else { continue };
            let mut digest = PrefixDigest::of(group);
            for len in lengths.keys().copied().take_while(|len| *len <= path.len()) {
                look(&digest.up_to(path, len));
            }
        }
    }

    fn go_to(&mut self, position: Position) {
        self.position = position;
        self.signs = Signs::from(position);
        self.floor = self.floor.max(position.number);
    }

    fn forget_rules(&mut self) {
        self.marks.clear();
        self.lengths.clear();
        self.order.clear();
        self.bytes = 0;
    }

    fn covered(&self, scope: &Scope) -> Covered {
        match scope {
            Scope::Everything => Covered::Everything,
            Scope::Group(group) => Covered::Group(*group),
            Scope::Prefix(prefix) => {
                let len = self.length_for(prefix);
                PrefixDigest::of(prefix.group()).up_to(prefix.bytes(), len)
            }
        }
    }

    fn length_for(&self, prefix: &Prefix) -> usize {
        let asked = prefix.bytes().len();
        match self.lengths.get(&prefix.group()) {
            Some(lengths) if lengths.len() >= LENGTHS_MAX => {
                lengths.range(..=asked).next_back().map_or(0, |(len, _)| *len)
            }
            Some(_) | None => asked,
        }
    }

    fn mark(&mut self, covered: Covered, entry: &LogEntry) {
        let marks = self.marks.entry(covered).or_default();
        let before = match entry.rule.kind {
            Kind::Hard => marks.hard.replace(entry.number),
            Kind::Soft => marks.soft.replace((entry.number, entry.at)).map(|(number, _)| number),
        };
        self.order.insert(entry.number, (covered, entry.rule.kind));
        match before {
            Some(before) => drop(self.order.remove(&before)),
            None => self.count(covered),
        }
    }

    fn count(&mut self, covered: Covered) {
        self.bytes += covered.bytes();
        if let Covered::Prefix { group, len, .. } = covered {
            *self.lengths.entry(group).or_default().entry(len).or_default() += 1;
        }
    }

    fn evict(&mut self) {
        let Some((number, (covered, kind))) = self.order.pop_first() else { return };
        self.floor = self.floor.max(number);
        self.bytes -= covered.bytes();
        if let Some(marks) = self.marks.get_mut(&covered) {
            match kind {
                Kind::Hard => marks.hard = None,
                Kind::Soft => marks.soft = None,
            }
            if marks.hard.is_none() && marks.soft.is_none() {
                self.marks.remove(&covered);
            }
        }
        if let Covered::Prefix { group, len, .. } = covered {
            self.forget_length(group, len);
        }
    }

    fn forget_length(&mut self, group: Group, len: usize) {
        let Some(lengths) = self.lengths.get_mut(&group) else { return };
        if let Some(count) = lengths.get_mut(&len) {
            *count -= 1;
            if *count == 0 {
                lengths.remove(&len);
            }
        }
        if lengths.is_empty() {
            self.lengths.remove(&group);
        }
    }
}

impl Covered {
    fn bytes(&self) -> usize {
        match self {
            Covered::Everything | Covered::Group(_) => GROUP_RULE_BYTES,
            Covered::Prefix { .. } => PREFIX_RULE_BYTES,
        }
    }
}

/// The digests of longer and longer prefixes of one path.
struct PrefixDigest {
    group: Group,
    state: Xxh3,
    len: usize,
}

impl PrefixDigest {
    fn of(group: Group) -> Self {
        let mut state = Xxh3::new();
        state.update(&group.to_bytes());
        Self { group, state, len: 0 }
    }

    // No shorter than the one before, and no longer than the path.
    fn up_to(&mut self, path: &[u8], len: usize) -> Covered {
        self.state.update(&path[self.len..len]);
        self.len = len;
        Covered::Prefix { group: self.group, len, digest: self.state.digest128() }
    }
}

/// A sign of each purge from a number on, so that an epoch is known to be of this log's history.
#[derive(Clone, Debug)]
struct Signs {
    first: u64,
    signs: VecDeque<u32>,
}

impl From<Position> for Signs {
    fn from(position: Position) -> Self {
        Self { first: position.number, signs: [Epoch::sign_of(position.token)].into() }
    }
}

impl Signs {
    /// Adds the next; says from which number on signs are known.
    fn push(&mut self, token: u64) -> u64 {
        if self.signs.len() >= SIGNS_MAX {
            self.signs.pop_front();
            self.first += 1;
        }
        self.signs.push_back(Epoch::sign_of(token));
        self.first
    }

    // Below the first, an epoch is below the floor as well.
    fn may_know(&self, epoch: Epoch) -> bool {
        let Some(place) = epoch.number().checked_sub(self.first) else { return true };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        self.signs.get(place) == Some(&epoch.sign())
    }
}
