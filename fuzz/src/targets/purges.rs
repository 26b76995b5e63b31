//! Purges as they are stored: one in Redis, many in a file. And a follower who reads them.
//!
//! An input is read as it is, and once more with the checksums made right, as somebody would who
//! writes on purpose.

use forebay_cache::codec::checksum;
use forebay_cache::log::Follower;
use forebay_cache::log::file::form::{self, Contents, HEADER_BYTES};
use forebay_cache::mechanism::{Belongs, Group, LogEntry, Rule, Rules, Verdict};
use forebay_cache::purge::{Bounds, ENTRY_BYTES_MAX, RULE_BYTES_MAX};
use tokio::time::Instant;

/// Pieces of files.
pub const WORDS: &[&[u8]] = &[
    b"FBAYPURG",
    b"\x01\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x01\0\0\xfe\0\0\0\0",
    b"\x01\x01\0\xef\x10\0\0\0",
    b"\x01\x02\x01\xf9\x15\0\0\0",
];

/// What an entry takes besides its rule's group and prefix.
const PLACE_BYTES: usize = 32;
const OPENING_BYTES: usize = 8;

/// What reads is written again as the same bytes, and whatever it says can be followed.
pub fn run(bytes: &[u8]) {
    if let Ok(rule) = Rule::read(bytes) {
        assert!(bytes.len() <= RULE_BYTES_MAX);
        assert_eq!(rule.to_bytes(), bytes);
    }
    if let Ok((entry, len)) = LogEntry::read_first(bytes) {
        assert!(len <= ENTRY_BYTES_MAX);
        assert_eq!(entry.to_bytes(), bytes[..len]);
    }
    read(bytes);
    read(&made_right(bytes));
}

fn read(bytes: &[u8]) {
    let Ok(contents) = form::read(bytes) else { return };
    let Contents { base, entries, len } = &contents;
    let mut again = form::header(*base).to_vec();
    again.extend(entries.iter().flat_map(LogEntry::to_bytes));
    assert_eq!(again, bytes[..*len]);
    let newest = entries.iter().fold(*base, |last, entry| last.at(entry));
    let mut rules = Rules::new(Bounds { rules_max: 4, ..Bounds::default() });
    rules.begin(*base);
    let mut follower = Follower::new(rules, 1);
    let now = Instant::now();
    follower.take(entries, newest, now);
    // Out of order, with gaps, and twice: no more than a higher floor may come of it.
    let reversed: Vec<_> = entries.iter().rev().cloned().collect();
    follower.take(&reversed, newest, now);
    assert!(follower.rules().len() <= 4);
    let mut belongs = Belongs::new();
    belongs.to(Group::of("tag", bytes));
    let own = follower.rules().epoch();
    assert_eq!(follower.rules().judge(own, &belongs), Verdict::Alive);
}

/// The same file with every checksum as it must be, as far as lengths allow, and with entries that
/// follow each other.
fn made_right(bytes: &[u8]) -> Vec<u8> {
    let mut forged = bytes.to_vec();
    let Some((header, mut rest)) = forged.split_at_mut_checked(HEADER_BYTES) else {
        return forged;
    };
    seal(header);
    let mut previous = header[32..40].to_vec();
    let mut number = header[24..32].to_vec();
    while rest.len() > PLACE_BYTES + OPENING_BYTES {
        let opening = &mut rest[PLACE_BYTES..PLACE_BYTES + OPENING_BYTES];
        opening[3] = 0;
        opening[3] = !opening.iter().fold(0, |check, byte| check ^ byte);
        let len = u32::from_le_bytes([opening[4], opening[5], opening[6], opening[7]]) as usize;
        let rule_end = len.saturating_add(PLACE_BYTES + OPENING_BYTES + 8);
        let Some((entry, behind)) = rest.split_at_mut_checked(rule_end.saturating_add(8)) else {
            break;
        };
        let next = number.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        number = next.wrapping_add(1).to_le_bytes().to_vec();
        entry[..8].copy_from_slice(&number);
        entry[16..24].copy_from_slice(&previous);
        previous = entry[8..16].to_vec();
        seal(&mut entry[PLACE_BYTES..rule_end]);
        seal(entry);
        rest = behind;
    }
    forged
}

fn seal(bytes: &mut [u8]) {
    let Some((signed, sum)) = bytes.split_last_chunk_mut::<8>() else { return };
    *sum = checksum(signed).to_le_bytes();
}
