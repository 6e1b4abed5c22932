local stream, facts, beat = KEYS[1], KEYS[2], KEYS[3]
-- What the log says of itself, as it was when the script began and as the script has changed it since.
local said, changed = {}, {}
do
  local all = redis.call('HGETALL', facts)
  for i = 1, #all, 2 do said[all[i]] = all[i + 1] end
end
local function number(name) return tonumber(said[name] or '') end
local function whole(value) return string.format('%.0f', value) end
local function set(name, text)
  if said[name] == text then return end
  said[name] = text
  changed[#changed + 1], changed[#changed + 2] = name, text
end
local function put(name, value) set(name, whole(value)) end
-- Writes what has changed.
local function save()
  if #changed > 0 then redis.call('HSET', facts, unpack(changed)) end
  changed = {}
end
-- What the server's clock reads, in milliseconds: the time that counts.
local now
do
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
-- The newest time after now was seen, which counts only if it is plausible.
local function note_time(step)
  local newest = number('newest')
  if newest and now > newest + step then return end
  put('newest', math.max(newest or now, now))
end
-- The position of an entry that was read.
local function position(entry) return tonumber(string.match(entry[1], '^%d+')) end
-- The last position that doubles tell from the next.
local POSITION_MAX = 9007199254740991
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
-- How many entries there are, and the position of the first: of the next where there is none.
local function contents()
  local entries = redis.call('XRANGE', stream, '-', whole(POSITION_MAX), 'COUNT', '1')
  if entries[1] then return redis.call('XLEN', stream), position(entries[1]) end
  return 0, highest() + 1
end
-- Notes from which position on this term of this server has given positions. A server has a name of its own for each of its
-- terms: a promotion and a restart begin one. Of a user who may not ask for it, no term is known.
local EPOCHS_MAX = 100
local function note_epoch(last)
  local info = redis.pcall('INFO', 'replication')
  local epoch = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or '0'
  epoch = string.sub(epoch, 1, 16)
  if said['epoch'] == epoch then return epoch end
  local epochs = {}
  for one in string.gmatch(said['epochs'] or '', '%S+') do epochs[#epochs + 1] = one end
  epochs[#epochs + 1] = epoch .. ':' .. whole(last + 1)
  set('epochs', table.concat(epochs, ' ', math.max(1, #epochs - EPOCHS_MAX + 1)))
  set('epoch', epoch)
  return epoch
end
-- States facts, those that are given, unless somebody has taken back on purpose what they were made of. Of two texts or times of
-- one making the stricter counts.
local function state(revision, watermark, newest, longest, allowance)
  local ours, theirs = tonumber(revision), number('revision') or 0
  if ours < theirs then return 0 end
  local function stricter(name, text, is_stricter)
    if text == '' and ours > theirs and said[name] then
      redis.call('HDEL', facts, name)
      said[name] = nil
    end
    if text ~= '' and (not said[name] or ours > theirs or is_stricter(text, said[name])) then set(name, text) end
  end
  local function later(one, other) return tonumber(one) > tonumber(other) end
  local function smaller(one, other)
    return tonumber(string.match(one, '^%d+')) < tonumber(string.match(other, '^%d+') or 'inf')
  end
  stricter('watermark', watermark, later)
  stricter('longest_lifetime', longest, smaller)
  stricter('issued_in_future_max', allowance, smaller)
  if newest ~= '' and not said['newest'] then set('newest', newest) end
  if ours > theirs then put('revision', ours) end
  return 1
end
-- Makes the log where there is none, with what is known of an earlier one, and takes over one of the format before.
local function begin(identity, revision, watermark, newest, longest, allowance)
  local is_new = not said['identity']
  if not is_new and (number('format') or 0) >= 200 then return 0 end
  if is_new then
    local length, first = contents()
    set('identity', identity)
    put('losses', 0)
    put('last', 0)
    put('count', length)
    put('first', first)
    state(revision, watermark, newest, longest, allowance)
  end
  set('format', '200')
  save()
  redis.call('SET', beat, '1')
  return is_new and 1 or 0
end
-- Notes what somebody else has taken from the stream, so that every node puts back what it holds.
local function note_losses(length, first)
  local count = number('count') or 0
  if length >= count and (count == 0 or not first or first <= (number('first') or 0)) then return 0 end
  length, first = contents()
  put('losses', (number('losses') or 0) + 1)
  put('count', length)
  put('first', first)
  return 1
end
