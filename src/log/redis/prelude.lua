local stream, facts = KEYS[1], KEYS[2]
local function number(name) return tonumber(redis.call('HGET', facts, name) or '') end
local function put(name, value) redis.call('HSET', facts, name, string.format('%.0f', value)) end
-- The newest time after another was seen, which counts only if it is plausible.
local function advance(newest, time, step)
  if newest and time > newest + step then return newest end
  return math.max(newest or time, time)
end
-- The highest position that the stream or we have given.
local function highest()
  local last = number('last') or 0
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = math.max(last, tonumber(string.match(info[i + 1], '^%d+'))) end
    end
  end
  return last
end
-- The position of an entry that was read.
local function position(entry) return tonumber(string.match(entry[1], '^%d+')) end
-- The last position that doubles tell from the next.
local POSITION_MAX = 9007199254740991
-- How many entries there are, and the position of the first: of the next where there is none.
local function contents()
  local entries = redis.call('XRANGE', stream, '-', string.format('%.0f', POSITION_MAX), 'COUNT', '1')
  if entries[1] then return redis.call('XLEN', stream), position(entries[1]) end
  return 0, highest() + 1
end
-- States facts, those that are given.
local function state(watermark, newest, longest, allowance)
  if watermark ~= '' then redis.call('HSET', facts, 'watermark', watermark) end
  if newest ~= '' then redis.call('HSET', facts, 'newest', newest) end
  if longest ~= '' then redis.call('HSET', facts, 'longest_lifetime', longest) end
  if allowance ~= '' then redis.call('HSET', facts, 'issued_in_future_max', allowance) end
end
-- Makes the log where there is none, with what is known of an earlier one.
local function begin(identity, watermark, newest, longest, allowance)
  if redis.call('HEXISTS', facts, 'identity') == 1 then return 0 end
  local length, first = contents()
  redis.call('HSET', facts, 'identity', identity, 'format', '100', 'losses', '0', 'last', '0')
  put('count', length)
  put('first', first)
  state(watermark, newest, longest, allowance)
  return 1
end
-- Notes what somebody else has taken from the stream, so that every node puts back what it holds.
local function note_losses()
  local length, first = contents()
  local count = number('count') or 0
  if length >= count and (count == 0 or first <= (number('first') or 0)) then return 0 end
  redis.call('HINCRBY', facts, 'losses', 1)
  put('count', length)
  put('first', first)
  return 1
end
