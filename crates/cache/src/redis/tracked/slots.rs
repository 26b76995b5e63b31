//! Which slot of a Redis Cluster a key lies in, and which primary has it. Pure.

use ::redis::Value;

use crate::redis::options::Address;

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// Ranges of slots that are taken from an answer; a cluster has no more slots than this.
const RANGES_MAX: usize = SLOTS as usize;

/// Slots in a row, and the primary that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Address,
}

/// The slot of a key: of what stands between the first braces, if anything does.
pub(super) fn slot_of(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let end = rest.iter().position(|byte| *byte == b'}')?;
        (end > 0).then(|| &rest[..end])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

// CRC-16/XMODEM, as the cluster specification says.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |mut crc: u16, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
        }
        crc
    })
}

/// What `CLUSTER SLOTS` answers, sorted by slots; what cannot be understood of it is left out. A
/// primary without a name of its own is where the answer came from.
pub(super) fn ranges_of(answer: Value, asked: &Address) -> Vec<Range> {
    let Value::Array(entries) = answer else { return Vec::new() };
    let ranges = entries.into_iter().take(RANGES_MAX);
    let mut ranges: Vec<_> = ranges.filter_map(|entry| range_of(entry, asked)).collect();
    ranges.sort_by_key(|range| range.first);
    ranges
}

fn range_of(entry: Value, asked: &Address) -> Option<Range> {
    let Value::Array(entry) = entry else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(primary), ..] = &entry[..] else {
        return None;
    };
    let [host, Value::Int(port), ..] = &primary[..] else { return None };
    let port = u16::try_from(*port).ok()?;
    let host = match host {
        Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) => host.clone(),
        Value::Nil => String::new(),
        _ => return None,
    };
    let host = match (host.as_str(), asked) {
        ("", Address::Tcp(asked, _)) => asked.clone(),
        ("" | "?", _) => return None,
        _ => host,
    };
    let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
    Some(Range { first, last, primary: Address::Tcp(host, port) })
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_in_the_slot_that_the_specification_says() {
        // As `CLUSTER KEYSLOT` answers.
        let cases = [("123456789", 12_739), ("foo", 12_182), ("", 0), ("foo{}{bar}", 8_363)];
        for (key, slot) in cases {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
    }

    #[test]
    fn what_stands_between_the_first_braces_decides() {
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{{bar}}zap"), slot_of(b"{bar"));
        assert_eq!(slot_of(b"foo{bar}{zap}"), slot_of(b"bar"));
    }

    #[test]
    fn a_primary_without_a_name_is_where_the_answer_came_from() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let node = |host, port| Value::Array(vec![host, Value::Int(port), bulk("id")]);
        let entry =
            |first, last, node| Value::Array(vec![Value::Int(first), Value::Int(last), node]);
        let answer = Value::Array(vec![
            entry(100, 16_383, node(bulk("b.example"), 2)),
            entry(0, 99, node(Value::Nil, 1)),
            entry(0, 99, node(bulk("?"), 1)),
            entry(0, 70_000, node(bulk("c.example"), 1)),
            entry(0, 9, node(bulk("c.example"), -1)),
            Value::Nil,
        ]);
        let asked = Address::Tcp("a.example".to_owned(), 9);
        let range = |first, last, host: &str, port| Range {
            first,
            last,
            primary: Address::Tcp(host.to_owned(), port),
        };
        let expected = [range(0, 99, "a.example", 1), range(100, 16_383, "b.example", 2)];
        assert_eq!(ranges_of(answer, &asked), expected);
        assert_eq!(ranges_of(Value::Nil, &asked), []);
    }
}
