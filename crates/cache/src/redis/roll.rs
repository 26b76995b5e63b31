//! The roll: which nodes there are, where each stands in the log of purges, and when it was last
//! heard. A node tells it with every beat, and is forgotten when it is silent for long.
//!
//! It is a hash with a field for each node, `<milliseconds> <line>`, and one that says since when the
//! roll exists: on a roll younger than a bound, nodes that still trust what they hold may be missing.

use std::sync::Arc;
use std::time::Duration;

use super::failure::LinkFailure;
use super::link::Link;
use super::names::Names;
use super::purge_log::{answers, steps};
use crate::clock::Timestamp;
use crate::purge::Position;

/// Nodes that the roll holds. One more is taken only in place of one unheard for [`YIELD_AFTER`].
pub(super) const NODES_MAX: usize = 1_024;

/// An unheard node is forgotten after this.
pub(super) const FORGET_AFTER: Duration = Duration::from_secs(10 * 60);

/// An unheard node makes room for another after this, if the roll is full.
pub(super) const YIELD_AFTER: Duration = Duration::from_secs(30);

/// How long those who wait for nodes are told of them, once they asked.
pub(super) const TOLD_FOR: Duration = Duration::from_secs(10);

/// The longest name or address; what is longer is cut.
const WORD_BYTES_MAX: usize = 255;

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeName {
    /// What people call it.
    pub name: String,
    /// Where its admin API listens, if others can reach it.
    pub address: Option<String>,
}

/// A node, as it is on the roll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLine {
    /// What tells it from every other; a process has a new one each time it starts.
    pub id: u64,
    /// What people call it.
    pub name: String,
    /// Where its admin API listens, if others can reach it.
    pub address: Option<String>,
    /// The last purge that it has applied.
    pub position: Position,
    /// For how long it trusts what it holds without hearing the log; for ever, if it has none.
    pub bound: Option<Duration>,
    /// How long ago it was heard, by Redis' clock.
    pub heard_ago: Duration,
    /// When it started, by its own clock.
    pub started: Timestamp,
}

/// The names of what belongs to the log and the roll; one slot of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) log: Vec<u8>,
    pub(super) summary: Vec<u8>,
    pub(super) roll: Vec<u8>,
    pub(super) waiting: Vec<u8>,
    /// The channel on which a purge is told.
    pub(super) news: Vec<u8>,
}

impl Keys {
    pub(super) fn of(names: &Names) -> Self {
        let name = |kind: &str| names.global(&format!("{{purges}}:{kind}"));
        Self {
            log: name("log"),
            summary: name("summary"),
            roll: name("nodes"),
            waiting: name("waiting"),
            news: name("news"),
        }
    }
}

/// Reads the roll.
#[derive(Clone, Debug)]
pub struct Roll {
    link: Arc<Link>,
    keys: Keys,
}

/// All nodes at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The nodes, by name.
    pub nodes: Vec<NodeLine>,
    /// The ids of those who have followed a history that the log has lost, and do not know it yet.
    pub astray: Vec<u64>,
    /// The lineage of the log, if there is a log.
    pub lineage: Option<u64>,
    /// How old the roll is. A node that was heard before is not on it until it is heard again.
    pub age: Duration,
}

impl Roll {
    /// The roll behind this link, under these names.
    pub fn new(link: Arc<Link>, names: &Names) -> Self {
        Self { link, keys: Keys::of(names) }
    }

    /// All nodes that were heard of late.
    pub async fn nodes(&self) -> Result<Vec<NodeLine>, LinkFailure> {
        Ok(self.read(b"").await?.0.nodes)
    }

    /// All nodes, and the server's milliseconds; from now on this channel, if it is one, is told when a
    /// node has moved.
    pub(super) async fn read(&self, channel: &[u8]) -> Result<(Listed, u64), LinkFailure> {
        let Keys { log, summary, roll, waiting, news: _ } = &self.keys;
        let keys: [&[u8]; 4] = [summary, roll, waiting, log];
        let forget = FORGET_AFTER.as_millis().to_string();
        let (told, most) = (TOLD_FOR.as_millis().to_string(), NODES_MAX.to_string());
        let arguments: [&[u8]; 4] = [forget.as_bytes(), channel, told.as_bytes(), most.as_bytes()];
        let answer = self.link.run(&steps::ROLL, &keys, &arguments).await?;
        let rolled = answers::read_rolled(&answer)
            .ok_or_else(|| LinkFailure::Refused("an answer that is none of ours".to_owned()))?;
        Ok((listed(&rolled), rolled.millis))
    }
}

// What a stranger wrote there is no node.
fn listed(rolled: &answers::Rolled) -> Listed {
    let lines = rolled.lines.iter();
    let mut nodes: Vec<NodeLine> =
        lines.filter_map(|(id, line)| read_line(id, line, rolled.millis)).collect();
    nodes.sort_by(|one, other| (&one.name, one.id).cmp(&(&other.name, other.id)));
    let astray = rolled.astray.clone();
    Listed { nodes, astray, lineage: rolled.lineage, age: rolled.age }
}

/// How a node is named among the fields of the roll.
pub(super) fn written_id(id: u64) -> String {
    format!("{id:016x}")
}

/// What a node says of itself: its position, its bound, when it started, its address, its name.
pub(super) fn written_line(
    node: &NodeName,
    bound: Option<Duration>,
    started: Timestamp,
    position: &Position,
) -> String {
    let bound = bound.map_or("-".to_owned(), |bound| bound.as_millis().to_string());
    let Position { lineage, number, token } = position;
    let started = started.as_millis();
    let address = node.address.as_deref().map_or("-".to_owned(), |it| word(it).replace(' ', ""));
    let name = word(&node.name);
    format!("{lineage:016x} {number} {token:016x} {bound} {started} {address} {name}")
}

fn read_line(id: &[u8], line: &[u8], now_millis: u64) -> Option<NodeLine> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.splitn(8, ' ');
    let mut next = || words.next();
    let heard: u64 = next()?.parse().ok()?;
    let lineage = answers::hex(next()?.as_bytes())?;
    let number = next()?.parse().ok()?;
    let token = answers::hex(next()?.as_bytes())?;
    let bound = match next()? {
        "-" => None,
        millis => Some(Duration::from_millis(millis.parse().ok()?)),
    };
    let started = Timestamp::from_millis(next()?.parse().ok()?);
    let address = Some(next()?).filter(|it| *it != "-").map(str::to_owned);
    Some(NodeLine {
        id: answers::hex(id)?,
        name: next()?.to_owned(),
        address,
        position: Position { lineage, number, token },
        bound,
        heard_ago: Duration::from_millis(now_millis.saturating_sub(heard)),
        started,
    })
}

// It is shown to people, in a line.
fn word(text: &str) -> String {
    let mut word: String = text.chars().filter(|it| !it.is_control()).collect();
    word.truncate(word.floor_char_boundary(WORD_BYTES_MAX));
    word
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_was_written() {
        let bound = Duration::from_millis(2);
        let position = Position { lineage: 7, number: 12, token: u64::MAX };
        for (name, address) in [("a b", None), ("", Some("10.0.0.1:9")), ("ü", Some("::1"))] {
            let node = NodeName { name: name.to_owned(), address: address.map(str::to_owned) };
            let line = format!(
                "5 {}",
                written_line(&node, Some(bound), Timestamp::from_millis(3), &position)
            );
            let read = read_line(written_id(9).as_bytes(), line.as_bytes(), 8).unwrap();
            let expected = NodeLine {
                id: 9,
                name: node.name,
                address: node.address,
                position,
                bound: Some(bound),
                heard_ago: Duration::from_millis(3),
                started: Timestamp::from_millis(3),
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn what_is_no_line_is_no_node() {
        let id = written_id(1);
        for line in ["", "x", "1 2 3 4 5 6 7 8", "1", "\u{0}", "1 0000000000000001 -1 a - 1 - n"] {
            assert_eq!(read_line(id.as_bytes(), line.as_bytes(), 1), None, "{line}");
        }
        let whole = "1 0000000000000001 1 0000000000000001 - 1 - n";
        assert!(read_line(id.as_bytes(), whole.as_bytes(), 1).is_some());
        assert_eq!(read_line(b"born", whole.as_bytes(), 1), None);
        assert_eq!(read_line(id.as_bytes(), &[0xff; 40], 1), None);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let node = NodeName { name: "ü".repeat(1_000), address: Some("a\nb c".to_owned()) };
        let position = Position { lineage: 0, number: 0, token: 0 };
        let line = written_line(&node, None, Timestamp::from_millis(0), &position);
        assert!(line.len() < 2 * WORD_BYTES_MAX && line.contains(" abc ü"), "{line}");
    }
}
