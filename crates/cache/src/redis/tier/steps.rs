//! What Redis does for the tier in one step, where another node must not come in between.

use crate::redis::script::Script;

/// Answers 0 unless the lease says that it may: KEYS[2] the lease, ARGV[1] its token or nothing.
macro_rules! if_leased {
    () => {
        "local held = redis.call('GET', KEYS[2])
    if ARGV[1] == '' then
        if held then return 0 end
    elseif not held or string.sub(held, 1, 16) ~= ARGV[1] then
        return 0
    end
    "
    };
}

/// Sets `old` to what lies under KEYS[1] if that has chunks, else to 1.
macro_rules! with_old {
    () => {
        "local flags = redis.pcall('GETRANGE', KEYS[1], 6, 6)
    local old = 1
    if type(flags) == 'string' and #flags == 1 and math.floor(flags:byte() / 2) % 2 == 1 then
        old = redis.call('GET', KEYS[1])
    end
    "
    };
}

/// Stores an entry, if the lease says that it may: KEYS entry, lease; ARGV token or nothing, value,
/// milliseconds. Answers 0 if not, else what lay there before if that had chunks, else 1.
pub(super) static STORE: Script = Script::new(concat!(
    if_leased!(),
    with_old!(),
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return old",
));

/// Removes an entry that is too long now, if the lease says that it may: KEYS entry, lease; ARGV
/// token or nothing. Answers as [`STORE`] does.
pub(super) static GIVE_UP: Script = Script::new(concat!(
    if_leased!(),
    with_old!(),
    "redis.call('UNLINK', KEYS[1])
    return old",
));

/// Removes an entry and the lease under which a newer one is fetched: KEYS entry, lease. Answers
/// what lay there if that had chunks, else 1.
pub(super) static REMOVE: Script = Script::new(concat!(
    with_old!(),
    "redis.call('UNLINK', KEYS[1], KEYS[2])
    return old",
));

/// Whether an entry was offered before, by another fetch: KEYS entry, sighting; ARGV what tells this
/// fetch, milliseconds. What is there already is replaced, whoever offers it.
pub(super) static SIGHT: Script = Script::new(
    "if redis.call('EXISTS', KEYS[1]) == 1 then return 1 end
    local seen = redis.call('GET', KEYS[2])
    if not seen then
        redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
        return 0
    end
    if seen == ARGV[1] then return 0 end
    return 1",
);
