//! What Redis answers to the steps of the log, read exactly: `None` for what a script never says.

use std::time::Duration;

use ::redis::Value;

use crate::purge::Position;

/// How a step found the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::redis) enum Found {
    /// It and its summary agree.
    Whole,
    /// There was none.
    Missing,
    /// A part of it was lost, or a stranger wrote there; it has begun anew.
    Broken,
}

/// The answer to [`super::steps::APPEND`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redis) enum Appended {
    /// The newest number now.
    Up(u64),
    /// The newest entry is this one, and nothing was written. The time is milliseconds.
    Moved(Position, u64, Found),
}

/// The answer to [`super::steps::BEAT`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redis) enum Beaten {
    Heard(Heard),
    /// The roll has no room.
    Crowded,
}

/// What the log holds, as a node hears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redis) struct Heard {
    /// The newest entry.
    pub(in crate::redis) newest: Position,
    /// Milliseconds by the server's clock.
    pub(in crate::redis) millis: u64,
    pub(in crate::redis) found: Found,
    /// The server's milliseconds at the beat before this, as far as it knows.
    pub(in crate::redis) before: Option<u64>,
    /// Ids and stored forms from the node's next number on, not all if they are many; none of another
    /// lineage than the node's.
    pub(in crate::redis) entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// The answer to [`super::steps::ROLL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::redis) struct Rolled {
    /// Milliseconds by the server's clock.
    pub(in crate::redis) millis: u64,
    /// The log's lineage, if there is a log.
    pub(in crate::redis) lineage: Option<u64>,
    /// How old the roll is: nodes that were on one before it are not listed.
    pub(in crate::redis) age: Duration,
    /// Ids and lines.
    pub(in crate::redis) lines: Vec<(Vec<u8>, Vec<u8>)>,
    /// The ids of those who have followed another history than the log has.
    pub(in crate::redis) astray: Vec<u64>,
}

pub(in crate::redis) fn read_appended(answer: &Value) -> Option<Appended> {
    match &texts(answer)?[..] {
        [b"appended", number] => Some(Appended::Up(decimal(number)?)),
        [b"moved", lineage, number, token, millis, found] => {
            let newest = position(lineage, number, token)?;
            Some(Appended::Moved(newest, decimal(millis)?, read_found(found)?))
        }
        _ => None,
    }
}

pub(in crate::redis) fn read_beaten(answer: &Value) -> Option<Beaten> {
    let Value::Array(parts) = answer else { return None };
    let Some((Value::Array(entries), front)) = parts.split_last() else {
        return (texts(answer)?[..] == [b"crowded"]).then_some(Beaten::Crowded);
    };
    let front = front.iter().map(text).collect::<Option<Vec<_>>>()?;
    let [b"heard", lineage, number, token, millis, found, before] = front[..] else {
        return None;
    };
    Some(Beaten::Heard(Heard {
        newest: position(lineage, number, token)?,
        millis: decimal(millis)?,
        found: read_found(found)?,
        before: decimal(before),
        entries: pairs(entries)?,
    }))
}

pub(in crate::redis) fn read_rolled(answer: &Value) -> Option<Rolled> {
    let Value::Array(parts) = answer else { return None };
    let [millis, lineage, born, Value::Array(lines), Value::Array(astray)] = &parts[..] else {
        return None;
    };
    let millis = decimal(text(millis)?)?;
    let age = decimal(text(born)?).map_or(0, |born| millis.saturating_sub(born));
    Some(Rolled {
        millis,
        lineage: hex(text(lineage)?),
        age: Duration::from_millis(age),
        lines: pairs(lines)?,
        astray: astray.iter().filter_map(|id| hex(text(id)?)).collect(),
    })
}

/// The number that an id names; `None` if it is none of ours.
pub(in crate::redis) fn number_of(id: &[u8]) -> Option<u64> {
    decimal(id.strip_suffix(b"-0")?)
}

fn read_found(word: &[u8]) -> Option<Found> {
    match word {
        b"whole" => Some(Found::Whole),
        b"missing" => Some(Found::Missing),
        b"broken" => Some(Found::Broken),
        _ => None,
    }
}

fn position(lineage: &[u8], number: &[u8], token: &[u8]) -> Option<Position> {
    Some(Position { lineage: hex(lineage)?, number: decimal(number)?, token: hex(token)? })
}

fn texts(answer: &Value) -> Option<Vec<&[u8]>> {
    let Value::Array(parts) = answer else { return None };
    parts.iter().map(text).collect()
}

fn text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

fn pairs(values: &[Value]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let pairs = values.chunks(2).map(|pair| match pair {
        [first, second] => Some((text(first)?.to_vec(), text(second)?.to_vec())),
        _ => None,
    });
    pairs.collect()
}

fn decimal(bytes: &[u8]) -> Option<u64> {
    let is_number = bytes.first().is_some_and(u8::is_ascii_digit);
    std::str::from_utf8(bytes).ok().filter(|_| is_number)?.parse().ok()
}

pub(in crate::redis) fn hex(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() == 16)?;
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    const LINEAGE: &str = "0000100000000007";
    const TOKEN: &str = "00000000000000ff";

    fn text(words: &str) -> Value {
        Value::BulkString(words.as_bytes().to_vec())
    }

    fn array(words: &[&str]) -> Value {
        Value::Array(words.iter().map(|it| text(it)).collect())
    }

    fn heard(words: &[&str], entries: Value) -> Value {
        let Value::Array(mut parts) = array(words) else { unreachable!() };
        parts.push(entries);
        Value::Array(parts)
    }

    #[test]
    fn an_append_is_answered_in_two_ways() {
        let newest = Position { lineage: 0x0000_1000_0000_0007, number: 12, token: 255 };
        for (words, expected) in [
            (&["appended", "7"][..], Some(Appended::Up(7))),
            (&["appended", "-7"], None),
            (&["appended", "+7"], None),
            (&["appended"], None),
            (
                &["moved", LINEAGE, "12", TOKEN, "99", "whole"],
                Some(Appended::Moved(newest, 99, Found::Whole)),
            ),
            (&["moved", LINEAGE, "12", TOKEN, "99", "well"], None),
            (&["moved", "7", "12", TOKEN, "99", "whole"], None),
            (&["moved", LINEAGE, "12", "+0000000000000ff", "99", "whole"], None),
            (&[], None),
        ] {
            assert_eq!(read_appended(&array(words)), expected, "{words:?}");
        }
        assert_eq!(read_appended(&Value::Nil), None);
    }

    #[test]
    fn a_beat_is_answered_with_entries_in_pairs() {
        let front = ["heard", LINEAGE, "12", TOKEN, "99", "missing", "98"];
        let answer = heard(&front, array(&["12-0", "form"]));
        let Some(Beaten::Heard(read)) = read_beaten(&answer) else { panic!() };
        assert_eq!((read.newest.number, read.millis, read.before), (12, 99, Some(98)));
        assert_eq!(read.found, Found::Missing);
        assert_eq!(read.entries, [(b"12-0".to_vec(), b"form".to_vec())]);
        assert_eq!(read_beaten(&array(&["crowded"])), Some(Beaten::Crowded));
        for foreign in [
            heard(&front, array(&["12-0"])),
            heard(&front, Value::Array(vec![Value::Int(1), text("form")])),
            heard(&front[..6], array(&[])),
            array(&front),
            array(&[]),
            Value::Int(1),
        ] {
            assert_eq!(read_beaten(&foreign), None, "{foreign:?}");
        }
    }

    #[test]
    fn a_roll_whose_begin_nobody_knows_is_young() {
        for (born, age) in [("1000", 500), ("", 0), ("x", 0), ("2000", 0)] {
            let Value::Array(mut parts) = array(&["1500", LINEAGE, born]) else { unreachable!() };
            parts.extend([array(&["id", "line"]), array(&["1f", "x"])]);
            let rolled = read_rolled(&Value::Array(parts)).unwrap();
            assert_eq!(rolled.age, Duration::from_millis(age), "{born}");
            assert_eq!(rolled.astray, [0x1f]);
        }
    }

    #[test]
    fn an_id_is_ours_only_with_nothing_behind() {
        for (id, number) in [("7-0", Some(7)), ("7-1", None), ("-0", None), ("7", None)] {
            assert_eq!(number_of(id.as_bytes()), number, "{id}");
        }
        assert_eq!(number_of(b"99999999999999999999999-0"), None);
    }
}
