//! The log as calls: what goes to Redis, what comes back, and what of it is to be believed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::codec::{Damage, Seal};
use crate::purge::{LogEntry, Position};
use crate::redis::failure::LinkFailure;
use crate::redis::link::Link;
use crate::redis::roll::{
    self, FORGET_AFTER, Keys, Listed, NODES_MAX, NodeName, Roll, YIELD_AFTER, written_id,
    written_line,
};
use crate::redis::script::Script;

use super::answers::{self, Appended, Beaten, Heard, Teller};
use super::steps;

/// The most entries that are read with one beat.
pub(super) const PAGE_ENTRIES_MAX: usize = 1_000;

/// The most bytes that are read with one beat, if there is more than one entry.
const PAGE_BYTES_MAX: usize = 512 << 10;

/// Where the era lies in a lineage.
const ERA_SHIFT: u32 = 44;

/// The highest era there is.
pub(super) const ERA_MAX: u64 = u64::MAX >> ERA_SHIFT;

/// Who this node is to the others.
#[derive(Clone, Debug)]
pub(super) struct Myself {
    pub(super) id: u64,
    pub(super) name: NodeName,
    /// For how long it trusts what it holds without hearing the log; for ever, if it has none.
    pub(super) bound: Option<Duration>,
    pub(super) started: Timestamp,
}

/// Whether those who wait are told with a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// This node has moved on.
    Moved,
    /// It stands where it stood.
    None,
}

/// Why a call to the log brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StoreFailure {
    Link(LinkFailure),
    /// The roll of nodes is full.
    Crowded,
    /// The server answers what no script of ours says.
    Foreign,
}

impl fmt::Display for StoreFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(failure) => failure.fmt(f),
            Self::Crowded => f.write_str("cannot be a node: the roll in redis is full"),
            Self::Foreign => f.write_str("cannot read what redis answered: it is none of ours"),
        }
    }
}

/// What a beat brought.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// The newest entry of the log.
    pub(super) newest: Position,
    /// What the server says of itself.
    pub(super) teller: Teller,
    pub(super) found: answers::Found,
    /// The server's milliseconds at the beat before this, as far as it knows.
    pub(super) before: Option<u64>,
    /// Entries from the node's next number on, up to the first that does not read.
    pub(super) entries: Vec<LogEntry>,
    /// What was wrong with the one behind them.
    pub(super) damage: Option<Damage>,
}

/// Where log and roll are, and how they are spoken to.
pub(super) struct Store {
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    pub(super) roll: Roll,
    pub(super) seal: Option<Seal>,
    pub(super) call_timeout: Duration,
    pub(super) entries_max: u64,
    pub(super) kept_for: Duration,
    /// The highest era that this node has heard of.
    pub(super) era: AtomicU64,
}

impl Store {
    /// Says where this node is, and reads on.
    pub(super) async fn beat(
        &self,
        myself: &Myself,
        at: Position,
        news: News,
    ) -> Result<Page, StoreFailure> {
        let arguments = [
            written_id(myself.id),
            written_line(&myself.name, myself.bound, myself.started, &at),
            hex(at.lineage),
            at.number.to_string(),
            PAGE_ENTRIES_MAX.to_string(),
            PAGE_BYTES_MAX.to_string(),
            NODES_MAX.to_string(),
            millis(FORGET_AFTER),
            millis(YIELD_AFTER),
            match news {
                News::Moved => "news".to_owned(),
                News::None => String::new(),
            },
        ];
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        let keys = [&self.keys.log[..], &self.keys.summary, &self.keys.roll, &self.keys.waiting];
        let answer = self.run(&self.link, &steps::BEAT, &keys, &arguments).await?;
        match answers::read_beaten(&answer).ok_or(StoreFailure::Foreign)? {
            Beaten::Heard(heard) => Ok(self.page(heard)),
            Beaten::Crowded => Err(StoreFailure::Crowded),
        }
    }

    /// Appends these entries, of which the first follows on `newest`.
    pub(super) async fn append(
        &self,
        link: &Link,
        newest: Position,
        entries: &[LogEntry],
    ) -> Result<Appended, StoreFailure> {
        let front = [
            hex(newest.lineage),
            newest.number.to_string(),
            hex(newest.token),
            self.entries_max.to_string(),
        ];
        let stored: Vec<(String, Vec<u8>)> = entries
            .iter()
            .map(|entry| (hex(entry.token), self.stored(newest.lineage, entry)))
            .collect();
        let mut arguments: Vec<&[u8]> = front.iter().map(String::as_bytes).collect();
        arguments.push(&self.keys.news);
        arguments.extend(stored.iter().flat_map(|(token, form)| [token.as_bytes(), form]));
        let answer = self.run(link, &steps::APPEND, &self.log_keys(), &arguments).await?;
        answers::read_appended(&answer).ok_or(StoreFailure::Foreign)
    }

    /// Has the log begin anew, if it is still of this lineage.
    pub(super) async fn renew(&self, lineage: u64) -> Result<(), StoreFailure> {
        let lineage = hex(lineage);
        let arguments = [lineage.as_bytes(), &self.keys.news];
        self.run(&self.link, &steps::RENEW, &self.log_keys(), &arguments).await.map(drop)
    }

    /// Reads the roll, and the server's milliseconds; the channel is told for a while when a node has moved.
    pub(super) async fn listed(&self, channel: &[u8]) -> Result<(Listed, Teller), LinkFailure> {
        self.roll.read(channel).await
    }

    /// Takes a node off the roll.
    pub(super) async fn goodbye(&self, id: u64) -> Result<(), LinkFailure> {
        let (id, keys) = (roll::written_id(id), [&self.keys.roll[..], &self.keys.waiting]);
        let arguments = [id.as_bytes()];
        let run = self.link.run_within(&steps::GOODBYE, &keys, &arguments, self.call_timeout);
        run.await.map(drop)
    }

    fn log_keys(&self) -> [&[u8]; 2] {
        [&self.keys.log, &self.keys.summary]
    }

    // Every step brings a lineage, should it find that the log must begin anew.
    async fn run(
        &self,
        link: &Link,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<::redis::Value, StoreFailure> {
        let fresh = format!("{:011x}", rand::random_range(0..1_u64 << ERA_SHIFT));
        let kept = millis(self.kept_for);
        let era = self.era.load(Ordering::Relaxed).to_string();
        let mut all = vec![fresh.as_bytes(), kept.as_bytes(), era.as_bytes()];
        all.extend(arguments);
        let answer = link.run_within(script, keys, &all, self.call_timeout).await;
        answer.map_err(StoreFailure::Link)
    }

    fn stored(&self, lineage: u64, entry: &LogEntry) -> Vec<u8> {
        let mut form = entry.to_bytes();
        if let Some(seal) = &self.seal {
            seal.close(&self.place(lineage, entry.number), &mut form);
        }
        form
    }

    fn page(&self, heard: Heard) -> Page {
        let (newest, mut entries, mut damage) = (heard.newest, Vec::new(), None);
        for (id, form) in &heard.entries {
            match self.read(newest.lineage, id, form) {
                Ok(entry) => entries.push(entry),
                Err(why) => {
                    damage = Some(why);
                    break;
                }
            }
        }
        let Heard { teller, found, before, .. } = heard;
        Page { newest, teller, found, before, entries, damage }
    }

    fn read(&self, lineage: u64, id: &[u8], form: &[u8]) -> Result<LogEntry, Damage> {
        let number = answers::number_of(id).ok_or(Damage::Foreign)?;
        let len = match &self.seal {
            Some(seal) => seal.open(&self.place(lineage, number), form)?,
            None => form.len(),
        };
        let entry = LogEntry::read(&form[..len])?;
        if entry.number == number { Ok(entry) } else { Err(Damage::Foreign) }
    }

    // What a seal is bound to: an entry of another log, or at another place of it, is none.
    fn place(&self, lineage: u64, number: u64) -> Vec<u8> {
        let mut place = self.keys.log.clone();
        place.extend_from_slice(format!(" {lineage:016x} {number}").as_bytes());
        place
    }
}

/// The era of a log: how often it is known to have begun anew.
pub(super) fn era_of(lineage: u64) -> u64 {
    lineage >> ERA_SHIFT
}

fn hex(number: u64) -> String {
    format!("{number:016x}")
}

fn millis(span: Duration) -> String {
    span.as_millis().max(1).to_string()
}
