//! The steps of the log and of the roll, each one script: the server does it whole, with nobody
//! between.
//!
//! Keys: the log (a stream), its summary (a hash of lineage, newest number and its token),
//! the roll (a hash of nodes), and who waits to hear that a node has applied a purge (channels,
//! scored by when their waiting ends). All share one hash tag, so they lie in one slot, and all expire.
//!
//! An entry lies under the id `<number>-0` with two fields: `t`, its token, and `e`, its stored form,
//! which the server does not read. Whoever appends says which entry he takes for the newest, and is
//! refused if it is another: so he can name it in what he writes, and seal that.
//!
//! Each step first sees whether log and summary agree. If one of them was lost, or a stranger wrote
//! there, nobody can know what the log held: it begins anew, with a lineage that the caller brings.

use crate::redis::script::Script;

/// Sets `lineage`, `number` and `token` to those of the newest entry, `found` to how the log was
/// found: `whole`, `missing` (there was none) or `broken`; `millis` is the time. KEYS[1] the log,
/// KEYS[2] its summary; ARGV[1] 11 digits by chance for a new lineage, ARGV[2] the milliseconds for
/// which both are kept, ARGV[3] the highest era that the caller has heard of.
///
/// The first 5 digits of a lineage are its era. A log that begins has a higher era than any that was
/// heard of: so one that a failover has brought back is told from one that is new.
macro_rules! settled {
    () => {
        "local log, summary = KEYS[1], KEYS[2]
local none = '0000000000000000'
local function digits(number) return string.format('%.0f', number) end
local function field(entry, name)
    for at = 1, #entry[2], 2 do
        if entry[2][at] == name then return entry[2][at + 1] end
    end
end
local function keep(key, span)
    if redis.call('PTTL', key) < span / 2 then redis.call('PEXPIRE', key, span) end
end
local function begin(before)
    local era = tonumber(ARGV[3])
    if before then era = math.max(era, tonumber(string.sub(before, 1, 5), 16)) end
    local fresh = string.format('%05x', math.min(era + 1, 0xfffff)) .. ARGV[1]
    redis.call('DEL', log, summary)
    redis.call('HSET', summary, 'lineage', fresh, 'number', '0', 'token', none)
    redis.call('PEXPIRE', summary, ARGV[2])
    return fresh, 0, none
end
local function agreed()
    local said = redis.pcall('HMGET', summary, 'lineage', 'number', 'token')
    local last = redis.pcall('XREVRANGE', log, '+', '-', 'COUNT', 1)
    if said.err or last.err then return 'broken' end
    local lineage, number, token = said[1], said[2], said[3]
    if not lineage and not number and not token and #last == 0 then return 'missing' end
    if not lineage or not number or not token then return 'broken' end
    local function plain(text) return #text == 16 and string.match(text, '^[0-9a-f]+$') end
    if not plain(lineage) or lineage == none or not plain(token) then return 'broken' end
    if #number > 12 or not string.match(number, '^%d+$') then return 'broken' end
    if number == '0' then
        if #last > 0 or token ~= none then return 'broken' end
    elseif #last == 0 or last[1][1] ~= number .. '-0' or field(last[1], 't') ~= token then
        return 'broken'
    end
    return 'whole', lineage, tonumber(number), token
end
local found, lineage, number, token = agreed()
if found ~= 'whole' then lineage, number, token = begin() end
local clock = redis.call('TIME')
local millis = clock[1] * 1000 + math.floor(clock[2] / 1000)
"
    };
}

/// Appends. Keys: log, summary. Arguments beside the first three: lineage, number and token of the
/// entry that is taken for the newest, how many entries are kept, the channel that is told, then a
/// token and a stored form for each entry.
///
/// An entry that was removed by a stranger may leave an id behind that is above all of ours; then
/// nothing could be appended ever again, so the log begins anew.
pub(in crate::redis) static APPEND: Script = Script::new(concat!(
    settled!(),
    "local most, channel = ARGV[7], ARGV[8]
local function moved()
    return {'moved', lineage, digits(number), token, digits(millis), found}
end
if lineage ~= ARGV[4] or digits(number) ~= ARGV[5] or token ~= ARGV[6] then return moved() end
for at = 9, #ARGV, 2 do
    number, token = number + 1, ARGV[at]
    local added = redis.pcall('XADD', log, 'MAXLEN', '~', most, digits(number) .. '-0',
        't', token, 'e', ARGV[at + 1])
    if type(added) == 'table' and added.err then
        if not string.find(added.err, 'smaller', 1, true) then return added end
        lineage, number, token = begin(lineage)
        found = 'broken'
        return moved()
    end
end
redis.call('HSET', summary, 'number', digits(number), 'token', token)
keep(log, tonumber(ARGV[2]))
keep(summary, tonumber(ARGV[2]))
redis.call('PUBLISH', channel, lineage .. ' ' .. digits(number))
return {'appended', digits(number)}
",
));

/// Tells the roll where a node is, and reads on from there. Keys: log, summary, roll, waiting.
/// Arguments beside the first three: the node's id, its line, the lineage and
/// the number up to which it has applied the log, the most entries and bytes that are read, the most
/// nodes on the roll, after how many milliseconds an unheard node is forgotten, after how many it
/// makes room for another, and `news` if those who wait are to be told.
///
/// It writes on purpose: a primary that was demoted, or whose replicas are gone, refuses.
pub(in crate::redis) static BEAT: Script = Script::new(concat!(
    settled!(),
    "local roll, waiting, id = KEYS[3], KEYS[4], ARGV[4]
local nodes_max, forget, yield = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local known = redis.pcall('HGET', roll, id)
if type(known) == 'table' then
    redis.call('DEL', roll)
    known = false
end
if not known then
    local all, count, first, first_heard = redis.call('HGETALL', roll), 0, nil, millis
    for at = 1, #all, 2 do
        if all[at] ~= 'born' then
            local heard = tonumber(string.match(all[at + 1], '^%d+')) or 0
            if math.abs(millis - heard) > forget then
                redis.call('HDEL', roll, all[at])
            else
                count = count + 1
                if heard < first_heard then first, first_heard = all[at], heard end
            end
        end
    end
    if count >= nodes_max then
        if not first or millis - first_heard < yield then return {'crowded'} end
        redis.call('HDEL', roll, first)
    end
    redis.call('HSETNX', roll, 'born', digits(millis))
end
redis.call('HSET', roll, id, digits(millis) .. ' ' .. ARGV[5])
keep(roll, forget)
keep(log, tonumber(ARGV[2]))
keep(summary, tonumber(ARGV[2]))
if ARGV[13] == 'news' then
    local ears = redis.pcall('ZRANGE', waiting, 0, -1, 'WITHSCORES')
    for at = 1, #ears, 2 do
        if tonumber(ears[at + 1]) < millis then
            redis.call('ZREM', waiting, ears[at])
        else
            redis.call('PUBLISH', ears[at], id)
        end
    end
end
local next, entries, bytes = digits(tonumber(ARGV[7]) + 1) .. '-0', {}, 0
if ARGV[6] == lineage and tonumber(ARGV[7]) < number then
    for _, entry in ipairs(redis.call('XRANGE', log, next, '+', 'COUNT', ARGV[8])) do
        local stored = field(entry, 'e') or ''
        bytes = bytes + #stored
        if #entries > 0 and bytes > tonumber(ARGV[9]) then break end
        entries[#entries + 1] = entry[1]
        entries[#entries + 1] = stored
    end
end
local before = known and string.match(known, '^%d+') or ''
return {'heard', lineage, digits(number), token, digits(millis), found, before, entries}
",
));

/// Begins the log anew if it is still of a lineage. Keys: log, summary. Arguments beside the first
/// three: that lineage, the channel that is told.
pub(in crate::redis) static RENEW: Script = Script::new(concat!(
    settled!(),
    "if lineage ~= ARGV[4] then return {'kept', lineage} end
lineage = begin(lineage)
redis.call('PUBLISH', ARGV[5], lineage .. ' 0')
return {'renewed', lineage}
",
));

/// Reads the roll, and asks to be told when a node has moved. Keys: summary, roll, waiting,
/// log. Arguments: after how many milliseconds an unheard node is forgotten, a channel or nothing, for
/// how many milliseconds it wants to be told, the most channels.
///
/// A node whose last purge is another than the log has under its number, or is beyond the newest, is
/// *astray*: it has followed a history that was lost, and does not know it yet.
pub(in crate::redis) static ROLL: Script = Script::new(
    "local summary, roll, waiting, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local clock = redis.call('TIME')
local millis = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function digits(number) return string.format('%.0f', number) end
for key, kind in pairs({[roll] = 'hash', [waiting] = 'zset'}) do
    local is = redis.call('TYPE', key).ok
    if is ~= kind and is ~= 'none' then redis.call('DEL', key) end
end
if ARGV[2] ~= '' then
    if redis.call('ZCARD', waiting) >= tonumber(ARGV[4]) then
        redis.call('ZREMRANGEBYSCORE', waiting, '-inf', digits(millis))
    end
    if redis.call('ZCARD', waiting) < tonumber(ARGV[4]) then
        redis.call('ZADD', waiting, digits(millis + tonumber(ARGV[3])), ARGV[2])
        redis.call('PEXPIRE', waiting, ARGV[1])
    end
end
local said = redis.pcall('HMGET', summary, 'lineage', 'number')
local lineage, newest = said[1] or '', tonumber(said[2] or '')
local tokens = {}
local function token_at(number)
    if tokens[number] == nil then
        local found = redis.pcall('XRANGE', log, number .. '-0', number .. '-0')
        tokens[number] = false
        for at, word in ipairs(found[1] and found[1][2] or {}) do
            if at % 2 == 1 and word == 't' then tokens[number] = found[1][2][at + 1] end
        end
    end
    return tokens[number]
end
local function is_astray(line)
    local of, number, token = string.match(line, '^%d+ (%x+) (%d+) (%x+) ')
    if of ~= lineage or not newest or tonumber(number) == 0 then return false end
    local known = tonumber(number) <= newest and token_at(number)
    return tonumber(number) > newest or (known and known ~= token)
end
local lines, astray, born = {}, {}, ''
local all = redis.call('HGETALL', roll)
for at = 1, #all, 2 do
    if all[at] == 'born' then
        born = all[at + 1]
    else
        local heard = tonumber(string.match(all[at + 1], '^%d+')) or 0
        if math.abs(millis - heard) <= tonumber(ARGV[1]) then
            lines[#lines + 1] = all[at]
            lines[#lines + 1] = all[at + 1]
            if is_astray(all[at + 1]) then astray[#astray + 1] = all[at] end
        end
    end
end
return {digits(millis), lineage, born, lines, astray}
",
);

/// Takes a node off the roll, and tells those who wait. Keys: roll, waiting. Argument: its id.
pub(in crate::redis) static GOODBYE: Script = Script::new(
    "redis.call('HDEL', KEYS[1], ARGV[1])
for _, channel in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    redis.call('PUBLISH', channel, ARGV[1])
end
return 1
",
);
