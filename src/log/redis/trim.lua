-- ARGV: how many entries to look at, the plausible step, the tag of a batch, whether to pass what is still live in any case, who
-- collects, for how long nobody else does, what the clock of whoever collects reads, and whether somebody has said that the
-- server's is right.
local max, step, tag, force, who, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1', ARGV[5], tonumber(ARGV[6])
local result = {0, said['watermark'] or '0', 0, number('revision') or 0}
local leased_until = number('collector_until') or 0
if said['collector'] ~= who and leased_until > now and leased_until <= now + lease then
  result[1] = -1
  return result
end
-- By no clock that another contradicts, also if it was set just now, or this is another server than a moment ago.
if ARGV[8] ~= '1' and (math.abs(now - tonumber(ARGV[7])) > 60000 or not is_plausible(step)) then
  result[1] = -2
  return result
end
local watermark = math.max(number('watermark') or now, now)
result[2] = whole(watermark)
make_way()
set('collector', who)
put('collector_until', now + lease)
put('watermark', watermark)
note_time(step)
note_losses(contents())
local last = highest()
note_epoch(last)
save()
-- What was erased is remembered for as long as it would have been kept.
local has_erased = redis.call('SCARD', erased) > 0
if has_erased then
  for _, record in ipairs(redis.call('SMEMBERS', erased)) do
    local until_then = #record >= 18 and struct.unpack('>i8', record, 11)
    if not until_then or until_then <= now then redis.call('SREM', erased, record) end
  end
end
local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
if not newest or last + max > POSITION_MAX then return result end
-- What of an entry is written again, and until when its record is kept; nil of what is no entry of ours.
local function read(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  if fields['r'] and #fields['r'] >= 18 then return {'r', fields['r']}, (struct.unpack('>i8', fields['r'], 11)) end
  -- Of the format before.
  if not fields['batch'] or not fields['record'] then return nil end
  local is_json, record = pcall(cjson.decode, fields['record'])
  if not is_json or type(record) ~= 'table' then return nil end
  return {'batch', tag, 'record', fields['record']}, tonumber(record[5])
end
local entries, chunk = redis.call('XRANGE', stream, '-', '+', 'COUNT', max), {}
local gone, front, through = 0, 0, 0
for _, entry in ipairs(entries) do
  if position(entry) >= position(newest) then break end
  local record, keep_until = read(entry)
  local is_gone = not record or (keep_until and keep_until <= now)
    or (has_erased and record[1] == 'r' and redis.call('SISMEMBER', erased, record[2]) == 1)
  chunk[#chunk + 1] = {entry = entry, live = not is_gone, record = record}
  if is_gone then gone = gone + 1 end
  if is_gone and front == #chunk - 1 then front = #chunk end
end
-- What is still live is written again behind the newest, in the same transaction, also on replicas and in the append-only file.
-- What goes is taken first, so that there is room; which positions are given is noted before that.
if front < gone and (force or gone * 4 >= #chunk) then through = #chunk else through = front end
if through == 0 then return result end
local deleted, ours, again = 0, 0, {}
for i = 1, through do
  local one = chunk[i]
  if one.record then ours = ours + 1 end
  if one.live then again[#again + 1] = one elseif one.record then deleted = deleted + 1 end
end
if #again > 0 then set('tag', tag) end
put('last', last + #again)
save()
redis.call('XTRIM', stream, 'MINID', '=', whole(position(chunk[through].entry) + 1) .. '-0')
for i, one in ipairs(again) do
  one.record[#one.record + 1] = 'a'
  one.record[#one.record + 1] = whole(position(one.entry))
  redis.call('XADD', stream, whole(last + i) .. '-' .. tag, unpack(one.record))
end
local length, first = contents()
put('first', first)
-- What is no entry of ours may have been counted as one.
put('count', math.min((number('count') or 0) + #again - ours, length))
save()
result[1] = deleted
if through == max then result[3] = 1 end
return result
