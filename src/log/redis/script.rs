//! What the server does in one step, as it has it: in Lua.
//!
//! Appending goes by the name that a server has for a script; the others are run seldom, and sent whole each time.

/// What every script begins with.
macro_rules! script {
    ($body:expr) => {
        concat!(include_str!("prelude.lua"), $body)
    };
}

/// Appends records. Answers with the positions of the first and the last, the batch that they stand behind, the server's term and
/// its time; zeros where the stream has no ids left.
pub(super) const APPEND: &str = script!(include_str!("append.lua"));

/// Raises the watermark, and takes what has expired from the front. Answers with how many it took,
/// the watermark, whether there may be more, and the revision; with -1 for the first where somebody else collects, and -2 where clocks differ.
pub(super) const COLLECT: &str = script!(include_str!("trim.lua"));

/// What a reader asks for in one step. `ARGV`: the position where it stands, the last that counts, the start of the range behind it,
/// and how many entries.
pub(super) const ASK: &str = script!(
    "local function range(from, to, count) return redis.call('XRANGE', stream, from, to, 'COUNT', count) end
    local time, length = redis.call('TIME'), redis.call('XLEN', stream)
    local at = redis.call('XRANGE', stream, ARGV[1], ARGV[1])
    local facts = redis.call('HGETALL', facts)
    return {facts, time, length, at, range('-', ARGV[2], 1), range(ARGV[3], ARGV[2], ARGV[4])}"
);

/// Makes a log where there is none. `ARGV`: identity, and the facts as [`STATE`] has them. Answers whether it did.
pub(super) const BEGIN: &str = script!("return begin(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])");

/// States facts. `ARGV`: revision, watermark, newest, revision of the lifetime, longest lifetime, allowance.
pub(super) const STATE: &str = script!(
    "make_way()
    state(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
    save()"
);

/// States a fact in the place of another. `ARGV`: its name, the text of that, of the new one, and the name of what
/// counts how often it was taken back, if it is. Answers with the text that is stated, where it is neither.
pub(super) const SWAP: &str = script!(
    "local name, before, after, revision = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
    local stored = said[name] or ''
    if stored ~= before then return stored end
    if after == stored then return false end
    if after == '' then redis.call('HDEL', facts, name) else set(name, after) end
    if revision ~= '' then put(revision, (number(revision) or 0) + 1) end
    save()
    return false"
);

/// Takes records out. `ARGV`: what the set is called from then on, how many it may have, and the records. Answers with 0 where it
/// would have more.
pub(super) const ERASE: &str = script!(
    "local added = {}
    for i = 3, #ARGV do
      if redis.call('SADD', erased, ARGV[i]) == 1 then added[#added + 1] = ARGV[i] end
    end
    if redis.call('SCARD', erased) > tonumber(ARGV[2]) then
      for _, record in ipairs(added) do redis.call('SREM', erased, record) end
      return 0
    end
    set('erased', ARGV[1])
    save()
    return 1"
);

/// States what was erased. `ARGV`: what the set is called from then on, and the records.
pub(super) const STATE_ERASED: &str = script!(
    "make_way()
    for i = 2, #ARGV do redis.call('SADD', erased, ARGV[i]) end
    set('erased', ARGV[1])
    save()"
);

/// Notes that somebody else has taken entries, if somebody has.
pub(super) const NOTE_LOSSES: &str = script!(
    "make_way()
    local noted = note_losses(contents())
    save()
    return noted"
);

/// Takes the server's time for right, and with `ARGV[1]` the watermark back to it.
pub(super) const CONFIRM_TIME: &str = script!(
    "put('newest', now)
    if ARGV[1] == '1' then
      put('watermark', now)
      put('revision', (number('revision') or 0) + 1)
    end
    save()
    return now"
);
