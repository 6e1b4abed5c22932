-- ARGV: how many entries to look at, the plausible step, the tag of a batch, whether to pass what is still live in any case, who
-- collects, and for how long nobody else does.
local max, step, tag, force, who, lease = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1', ARGV[5], tonumber(ARGV[6])
local watermark = math.max(number('watermark') or now, now)
local result = {0, whole(watermark), 0}
local leased_until = number('collector_until') or 0
if said['collector'] ~= who and leased_until > now and leased_until <= now + lease then
  result[1], result[2] = -1, said['watermark'] or '0'
  return result
end
-- This takes no room, and what is written behind it is written also where there is none.
redis.call('PEXPIRE', beat, '2592000000')
set('collector', who)
put('collector_until', now + lease)
put('watermark', watermark)
note_time(step)
note_losses(contents())
local last = number('last') or 0
note_epoch(last)
local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
if newest then last = math.max(last, position(newest)) end
if not newest or last + max > POSITION_MAX then
  save()
  return result
end
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
  if entry[1] == newest[1] then break end
  local record, keep_until = read(entry)
  local is_gone = not record or (keep_until and keep_until <= now)
  chunk[#chunk + 1] = {entry = entry, live = not is_gone, record = record}
  if is_gone then gone = gone + 1 end
  if is_gone and front == #chunk - 1 then front = #chunk end
end
-- What is still live is written again behind the newest, in the same transaction, also on replicas and in the append-only file.
-- What goes is taken first, so that there is room.
if front < gone and (force or gone * 4 >= #chunk) then through = #chunk else through = front end
if through == 0 then
  save()
  return result
end
redis.call('XTRIM', stream, 'MINID', '=', whole(position(chunk[through].entry) + 1) .. '-0')
local deleted, ours, again = 0, 0, 0
for i = 1, through do
  local one = chunk[i]
  if one.record then ours = ours + 1 end
  if one.live then
    last, again = last + 1, again + 1
    one.record[#one.record + 1] = 'a'
    one.record[#one.record + 1] = whole(position(one.entry))
    redis.call('XADD', stream, whole(last) .. '-' .. tag, unpack(one.record))
  elseif one.record then
    deleted = deleted + 1
  end
end
if again > 0 then set('tag', tag) end
put('last', last)
put('first', position(redis.call('XRANGE', stream, '-', '+', 'COUNT', '1')[1]))
-- What is no entry of ours may have been counted as one.
put('count', math.min((number('count') or 0) + again - ours, redis.call('XLEN', stream)))
save()
result[1] = deleted
if through == max then result[3] = 1 end
return result
