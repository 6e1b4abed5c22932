//! What the server does in one step, as it has it: in Lua.
//!
//! Sent whole each time. That costs a server some microseconds for a batch, and nothing is to be loaded again after a restart.

/// What every script begins with.
macro_rules! script {
    ($body:expr) => {
        concat!(include_str!("prelude.lua"), $body)
    };
}

/// Appends records. Answers with the positions of the first and the last, and the
/// batch that they stand behind; zeros where the stream has no ids left.
pub(super) const APPEND: &str = script!(include_str!("append.lua"));

/// Raises the watermark, and takes what has expired from the front. Answers with how many it took,
/// the watermark, and whether there may be more.
pub(super) const COLLECT: &str = script!(include_str!("trim.lua"));

/// Makes a log where there is none. `ARGV`: identity, watermark, newest, longest lifetime, allowance. Answers whether it did.
pub(super) const BEGIN: &str = script!("return begin(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])");

/// States facts that were stated before. `ARGV`: watermark, newest, longest lifetime, allowance.
pub(super) const RESTATE: &str = script!("return state(ARGV[1], ARGV[2], ARGV[3], ARGV[4])");

/// States an allowance in the place of another. `ARGV`: the text of that, and of the new one. Answers with the text that is
/// stated then.
pub(super) const ALLOWANCE: &str = script!(
    "local stored = redis.call('HGET', facts, 'issued_in_future_max') or ''
    if stored ~= ARGV[1] then return stored end
    redis.call('HSET', facts, 'issued_in_future_max', ARGV[2])
    return ARGV[2]"
);

/// Notes that somebody else has taken entries, if somebody has.
pub(super) const NOTE_LOSSES: &str = script!("return note_losses()");

/// States the longest lifetime, unless a shorter one is stated. Answers with what is stated then.
pub(super) const LIFETIME: &str = script!(
    "local stored = number('longest_lifetime')
    if stored and stored <= tonumber(ARGV[1]) then return string.format('%.0f', stored) end
    redis.call('HSET', facts, 'longest_lifetime', ARGV[1])
    return ARGV[1]"
);
