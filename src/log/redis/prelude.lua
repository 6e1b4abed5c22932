local stream, facts, beat, erased = KEYS[1], KEYS[2], KEYS[3], KEYS[6]
-- What the log says of itself, as it was when the script began and as the script has changed it since.
local said, changed = {}, {}
local function hear()
  said = {}
  local all = redis.call('HGETALL', facts)
  for i = 1, #all, 2 do said[all[i]] = all[i + 1] end
end
hear()
-- A number that is stated, if it is one that can be counted with.
local function number(name)
  local value = tonumber(said[name] or '')
  if value and value == value and math.abs(value) <= 9007199254740992 then return value end
end
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
-- This takes no room, and what is written behind it in one script is written also where there is none.
local function make_way() redis.call('PEXPIRE', beat, '2592000000') end
-- What the server's clock reads, in milliseconds: the time that counts.
local now
do
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
-- The newest time after now was seen, which counts only if it is plausible.
local function is_plausible(step) return not number('newest') or now <= number('newest') + step end
local function note_time(step)
  if is_plausible(step) then put('newest', math.max(number('newest') or now, now)) end
end
-- The position of an entry that was read.
local function position(entry) return tonumber(string.match(entry[1], '^%d+')) end
-- The last position that doubles tell from the next.
local POSITION_MAX = 9007199254740991
-- The highest position that we have given, and the highest that the stream has besides.
local function given() return math.max(number('last') or 0, 0) end
local function highest()
  local last = given()
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
  local function is_of(at, term) return epochs[at] and string.match(epochs[at], '^(%x+):') == term end
  if is_of(#epochs, '0') and is_of(#epochs - 1, epoch) then
    -- It was in this term all the time.
    epochs[#epochs] = nil
  else
    epochs[#epochs + 1] = epoch .. ':' .. whole(last + 1)
  end
  set('epochs', table.concat(epochs, ' ', math.max(1, #epochs - EPOCHS_MAX + 1)))
  set('epoch', epoch)
  return epoch
end
-- States facts, those that are given. Of two the stricter counts, unless somebody has taken back on purpose what one of them was
-- made of: a later revision counts before an earlier one.
local function state(revision, watermark, newest, lifetime_revision, longest, allowance)
  local function stricter(name, text, ours, theirs, is_stricter)
    if ours < theirs then return end
    if text == '' then
      if ours > theirs and said[name] then
        redis.call('HDEL', facts, name)
        said[name] = nil
      end
    elseif not said[name] or ours > theirs or is_stricter(text, said[name]) then
      set(name, text)
    end
  end
  local function later(one, other) return tonumber(one) > (tonumber(other) or -1) end
  local function smaller(one, other)
    return tonumber(string.match(one, '^%d+')) < (tonumber(string.match(other, '^%d+') or '') or 1e300)
  end
  local function of_revision(name, ours, stricters)
    local theirs = number(name) or 0
    stricters(ours, theirs)
    if ours > theirs then put(name, ours) end
  end
  of_revision('revision', tonumber(revision), function(ours, theirs)
    -- One that lies ahead was made by a wrong clock, or will count when this one has come so far.
    if watermark == '' or tonumber(watermark) <= now + 60000 then stricter('watermark', watermark, ours, theirs, later) end
  end)
  of_revision('lifetime_revision', tonumber(lifetime_revision), function(ours, theirs)
    stricter('longest_lifetime', longest, ours, theirs, smaller)
  end)
  if allowance ~= '' then stricter('issued_in_future_max', allowance, 0, 0, smaller) end
  if newest ~= '' and not said['newest'] then set('newest', newest) end
end
-- Takes over a log of the format before, whose keys have other names. What still writes to those finds nothing that it can write to.
local function take_over(stream_before, facts_before)
  if redis.call('TYPE', stream_before).ok == 'stream' then redis.call('RENAME', stream_before, stream) end
  local format = redis.call('HGET', facts_before, 'format')
  if not format or tonumber(format) >= 200 then return false end
  redis.call('RENAME', facts_before, facts)
  hear()
  return true
end
-- Makes the log where there is none, with what is known of an earlier one.
local function begin(identity, revision, watermark, newest, lifetime_revision, longest, allowance)
  if said['identity'] then return 0 end
  local stream_before, facts_before = KEYS[4], KEYS[5]
  local is_new = not take_over(stream_before, facts_before)
  if is_new then
    local length, first = contents()
    set('identity', identity)
    put('losses', 0)
    put('last', 0)
    put('count', length)
    put('first', first)
    state(revision, watermark, newest, lifetime_revision, longest, allowance)
  end
  set('format', '200')
  save()
  redis.call('SET', beat, '1')
  redis.call('SET', stream_before, 'The log lies in ' .. stream .. ': update signoff', 'NX')
  redis.call('HSETNX', facts_before, 'format', '200')
  redis.call('HSETNX', facts_before, 'identity', said['identity'])
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
-- A log of several streams would be one of a later version, whatever else it is.
local is_one = not said['streams'] or said['streams'] == '1'
if said['identity'] and (math.floor((number('format') or 200) / 100) ~= 2 or not is_one) then
  return redis.error_reply('NEWERFORMAT ' .. (is_one and said['format'] or '300'))
end
