//! The steps of a lease, each one script: the server does it whole, with nobody between.
//!
//! Keys: the lease, who waits for it, the two marks (not shareable; at rest), and the watched entry.
//! All belong to one family, so they lie in one slot. Channels are no keys: they reach every node
//! of a Redis Cluster.
//!
//! Who waits is listed as the lease's id and his channel behind it: a lease may be taken away (by a
//! removal, or by its end), and then those who waited for it are told by whoever notices first.

use ::redis::Value;

use super::word::LeaseId;
use crate::redis::script::Script;

/// Asks. Arguments: token, milliseconds of the lease, channel, purpose, the stamp that was seen or
/// nothing, how a stored value begins, where its stamp lies from zero, the most who may wait.
///
/// A value of another kind or form under the watched key is no entry: it reads as a miss, and must
/// not be taken for something newer. Somebody else's key without an end is given one.
pub(super) static ASK: Script = Script::new(
    r"
local lease, waiters, declined, rest, entry = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local token, ttl, channel, purpose = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local seen, opening, offset, waiters_max = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8])
local front = redis.pcall('GETRANGE', entry, 0, offset + 7)
if type(front) == 'string' and #front == offset + 8 and string.sub(front, 1, #opening) == opening
    and string.sub(front, offset + 1) ~= seen then
    return {'newer'}
end
local left = redis.call('PTTL', declined)
if left > 0 then return {'unshared', left} end
left = redis.call('PTTL', rest)
if purpose == 'refresh' and left > 0 then return {'resting', left} end
if redis.call('SET', lease, token, 'PX', ttl, 'NX') then
    local late = redis.call('SMEMBERS', waiters)
    redis.call('DEL', waiters)
    for _, who in ipairs(late) do
        redis.pcall('PUBLISH', string.sub(who, 33), '1 ' .. string.sub(who, 1, 32) .. ' left')
    end
    return {'ours'}
end
local id = string.sub(redis.sha1hex(redis.call('GET', lease)), 1, 32)
left = redis.call('PTTL', lease)
if left < 0 then
    redis.call('PEXPIRE', lease, ttl)
    left = tonumber(ttl)
end
if redis.call('SISMEMBER', waiters, id .. channel) == 0
    and redis.call('SCARD', waiters) >= waiters_max then
    return {'crowded'}
end
redis.call('SADD', waiters, id .. channel)
redis.call('PEXPIRE', waiters, math.max(left, 1))
return {'theirs', id, left}
",
);

/// Renews. Arguments: token, milliseconds of the lease.
pub(super) static RENEW: Script = Script::new(
    r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
",
);

/// Ends. Arguments: token, the word, its mark, the mark's milliseconds, what the mark holds.
///
/// Of a lease that does not hold any more nothing is to be believed: who waits for it asks again.
/// A mark that cannot be written must keep nobody from hearing the word.
pub(super) static END: Script = Script::new(
    r"
local lease, waiters, declined, rest = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local token, word, mark, span, holds = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local id = string.sub(redis.sha1hex(token), 1, 32)
local function tell(who, said)
    redis.pcall('PUBLISH', string.sub(who, 33), '1 ' .. id .. ' ' .. said)
end
local waiting = redis.call('SMEMBERS', waiters)
if redis.call('GET', lease) ~= token then
    for _, who in ipairs(waiting) do
        if string.sub(who, 1, 32) == id then
            redis.call('SREM', waiters, who)
            tell(who, 'left')
        end
    end
    return -1
end
redis.call('DEL', lease, waiters)
if mark == 'lift' then
    redis.call('DEL', declined, rest)
elseif mark == 'declined' then
    redis.pcall('SET', declined, holds, 'PX', span)
elseif mark == 'rest' then
    redis.pcall('SET', rest, holds, 'PX', span)
end
for _, who in ipairs(waiting) do tell(who, word) end
return #waiting
",
);

/// What asking brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Ours,
    /// Another's, for so many milliseconds.
    Theirs(LeaseId, u64),
    Newer,
    /// Milliseconds.
    Unshared(u64),
    /// Milliseconds.
    Resting(u64),
    /// Too many wait already.
    Crowded,
}

/// Reads the answer to [`ASK`]; `None` for what the script never says.
pub(super) fn read_asked(answer: &Value) -> Option<Asked> {
    let Value::Array(parts) = answer else { return None };
    let (Value::BulkString(word), rest) = parts.split_first()? else { return None };
    match (word.as_slice(), rest) {
        (b"ours", []) => Some(Asked::Ours),
        (b"newer", []) => Some(Asked::Newer),
        (b"crowded", []) => Some(Asked::Crowded),
        (b"theirs", [Value::BulkString(lease), Value::Int(left)]) => {
            Some(Asked::Theirs(LeaseId::read(lease)?, u64::try_from(*left).ok()?))
        }
        (b"unshared", [Value::Int(left)]) => Some(Asked::Unshared(u64::try_from(*left).ok()?)),
        (b"resting", [Value::Int(left)]) => Some(Asked::Resting(u64::try_from(*left).ok()?)),
        _ => None,
    }
}

/// Whether the server did it, as it answers to [`RENEW`] (1 or 0) and [`END`] (who was told, or -1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Yes,
    No,
}

/// Reads the answer to [`RENEW`]; `None` for what the script never says.
pub(super) fn read_renewed(answer: &Value) -> Option<Holds> {
    match answer {
        Value::Int(1) => Some(Holds::Yes),
        Value::Int(0) => Some(Holds::No),
        _ => None,
    }
}

/// Reads the answer to [`END`]; `None` for what the script never says.
pub(super) fn read_ended(answer: &Value) -> Option<Holds> {
    match answer {
        Value::Int(-1) => Some(Holds::No),
        Value::Int(0..) => Some(Holds::Yes),
        _ => None,
    }
}

#[cfg(test)]
#[cfg(not(shuttle))]
mod tests {
    use super::*;

    fn text(words: &str) -> Value {
        Value::BulkString(words.as_bytes().to_vec())
    }

    #[test]
    fn answers_are_read_exactly() {
        let id = "0".repeat(32);
        let lease = LeaseId::read(id.as_bytes()).unwrap();
        for (parts, expected) in [
            (vec![text("ours")], Some(Asked::Ours)),
            (vec![text("ours"), Value::Int(1)], None),
            (vec![text("newer")], Some(Asked::Newer)),
            (vec![text("crowded")], Some(Asked::Crowded)),
            (vec![text("theirs"), text(&id), Value::Int(7)], Some(Asked::Theirs(lease, 7))),
            (vec![text("theirs"), text(&id), Value::Int(-1)], None),
            (vec![text("theirs"), text("0"), Value::Int(7)], None),
            (vec![text("unshared"), Value::Int(7)], Some(Asked::Unshared(7))),
            (vec![text("resting"), Value::Int(7)], Some(Asked::Resting(7))),
            (vec![text("resting"), Value::Nil], None),
            (vec![], None),
            (vec![Value::Int(1)], None),
        ] {
            assert_eq!(read_asked(&Value::Array(parts.clone())), expected, "{parts:?}");
        }
        assert_eq!(read_asked(&text("ours")), None);
    }

    #[test]
    fn a_lease_holds_only_if_the_server_says_so() {
        assert_eq!(read_renewed(&Value::Int(1)), Some(Holds::Yes));
        assert_eq!(read_renewed(&Value::Int(0)), Some(Holds::No));
        assert_eq!(read_renewed(&Value::Nil), None);
        assert_eq!(read_ended(&Value::Int(3)), Some(Holds::Yes));
        assert_eq!(read_ended(&Value::Int(-1)), Some(Holds::No));
        assert_eq!(read_ended(&Value::Int(-2)), None);
    }
}
