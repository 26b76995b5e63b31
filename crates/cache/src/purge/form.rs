//! The stored form of a purge: in a file, in Redis, the same everywhere. Little endian, with a
//! version and a checksum; what does not read is damage, never a guess.

use super::{Group, Kind, LogEntry, PREFIX_BYTES_MAX, Prefix, Rule, Scope};
use crate::clock::Timestamp;
use crate::codec::{Damage, checksum};
use crate::purge::Epoch;

/// Raised with every change of the form.
const VERSION: u8 = 1;

/// Version, scope, kind, a check of the other seven bytes, and the length of what follows.
const OPENING_BYTES: usize = 8;
const GROUP_BYTES: usize = 16;
const SUM_BYTES: usize = 8;
/// Number, token, previous token, moment.
const PLACE_BYTES: usize = 32;

/// The longest stored form of a [`Rule`].
pub const RULE_BYTES_MAX: usize = OPENING_BYTES + GROUP_BYTES + PREFIX_BYTES_MAX + SUM_BYTES;

/// The longest stored form of a [`LogEntry`].
pub const ENTRY_BYTES_MAX: usize = PLACE_BYTES + RULE_BYTES_MAX + SUM_BYTES;

const EVERYTHING: u8 = 0;
const GROUP: u8 = 1;
const PREFIX: u8 = 2;
const HARD: u8 = 0;
const SOFT: u8 = 1;

impl Rule {
    /// Its stored form, for a log that gives numbers and tokens itself.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    /// Reads a stored form, all of these bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, Damage> {
        match Self::read_first(bytes)? {
            (rule, len) if len == bytes.len() => Ok(rule),
            _ => Err(Damage::Length),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (begin, kind) = (out.len(), kind_byte(self.kind));
        let (scope, group, prefix) = match &self.scope {
            Scope::Everything => (EVERYTHING, None, &[][..]),
            Scope::Group(group) => (GROUP, Some(*group), &[][..]),
            Scope::Prefix(prefix) => (PREFIX, Some(prefix.group()), prefix.bytes()),
        };
        let group_len = group.map_or(0, |_| GROUP_BYTES);
        // A prefix is bounded where it is made.
        let len = (group_len + prefix.len()) as u32;
        let len = len.to_le_bytes();
        out.extend_from_slice(&[VERSION, scope, kind, check(VERSION, scope, kind, len)]);
        out.extend_from_slice(&len);
        out.extend(group.iter().flat_map(|group| group.to_bytes()));
        out.extend_from_slice(prefix);
        let sum = checksum(&out[begin..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    /// Reads the rule that these bytes begin with, and says how many of them it takes.
    fn read_first(bytes: &[u8]) -> Result<(Self, usize), Damage> {
        let Some(([version, scope, kind, checked, len @ ..], rest)) =
            bytes.split_first_chunk::<OPENING_BYTES>()
        else {
            return Err(Damage::Length);
        };
        if *version != VERSION {
            return Err(Damage::OtherVersion);
        }
        // A damaged length must not look like an end that was torn off.
        if *checked != check(*version, *scope, *kind, *len) {
            return Err(Damage::Checksum);
        }
        let len = u32::from_le_bytes(*len) as usize;
        if len > GROUP_BYTES + PREFIX_BYTES_MAX {
            return Err(Damage::TooLong);
        }
        let (Some(scoped), Some(sum)) = (rest.get(..len), rest.get(len..len + SUM_BYTES)) else {
            return Err(Damage::Length);
        };
        if checksum(&bytes[..OPENING_BYTES + len]).to_le_bytes() != sum {
            return Err(Damage::Checksum);
        }
        let kind = match *kind {
            HARD => Kind::Hard,
            SOFT => Kind::Soft,
            _ => return Err(Damage::Foreign),
        };
        let rule = Self { scope: read_scope(*scope, scoped)?, kind };
        Ok((rule, OPENING_BYTES + len + SUM_BYTES))
    }
}

impl LogEntry {
    /// Its stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let numbers = [self.number, self.token, self.previous, self.at.as_millis()];
        out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self.rule.write(&mut out);
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads a stored form, all of these bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, Damage> {
        match Self::read_first(bytes)? {
            (entry, len) if len == bytes.len() => Ok(entry),
            _ => Err(Damage::Length),
        }
    }

    /// Reads the entry that these bytes begin with, and says how many of them it takes.
    pub fn read_first(bytes: &[u8]) -> Result<(Self, usize), Damage> {
        let Some((place, behind)) = bytes.split_first_chunk::<PLACE_BYTES>() else {
            return Err(Damage::Length);
        };
        let (rule, rule_len) = Rule::read_first(behind)?;
        let len = PLACE_BYTES + rule_len;
        let Some(sum) = bytes.get(len..len + SUM_BYTES) else { return Err(Damage::Length) };
        if checksum(&bytes[..len]).to_le_bytes() != sum {
            return Err(Damage::Checksum);
        }
        let [number, token, previous, at] = longs(place);
        if number == 0 || number > Epoch::NUMBER_MAX {
            return Err(Damage::Foreign);
        }
        let at = Timestamp::from_millis(at);
        Ok((Self { number, token, previous, at, rule }, len + SUM_BYTES))
    }
}

fn check(version: u8, scope: u8, kind: u8, len: [u8; 4]) -> u8 {
    len.iter().fold(!(version ^ scope ^ kind), |check, byte| check ^ byte)
}

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Hard => HARD,
        Kind::Soft => SOFT,
    }
}

fn read_scope(scope: u8, bytes: &[u8]) -> Result<Scope, Damage> {
    let group = bytes.split_first_chunk::<GROUP_BYTES>();
    let group = group.map(|(group, prefix)| (Group::from_bytes(*group), prefix));
    match (scope, group) {
        (EVERYTHING, None) if bytes.is_empty() => Ok(Scope::Everything),
        (GROUP, Some((group, []))) => Ok(Scope::Group(group)),
        (PREFIX, Some((group, prefix))) => {
            Prefix::new(group, prefix).map(Scope::Prefix).ok_or(Damage::TooLong)
        }
        _ => Err(Damage::Foreign),
    }
}

fn longs(bytes: &[u8; PLACE_BYTES]) -> [u64; 4] {
    let mut longs = [0; 4];
    for (long, eight) in longs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *long = u64::from_le_bytes(*eight);
    }
    longs
}
