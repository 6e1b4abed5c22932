-- ARGV: now, how many entries to look at, the plausible step, the tag of a batch, whether to pass what is still live in any case.
local now, max, step, tag, force = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5] == '1'
local watermark = math.max(number('watermark') or now, now)
put('watermark', watermark)
put('newest', advance(number('newest'), now, step))
note_losses()
local result = {0, string.format('%.0f', watermark), 0}
if highest() + max > POSITION_MAX then return result end
local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
if not newest then return result end
-- The text of the record of an entry, and until when it is kept; nil of what is no entry of ours.
local function read(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  if not fields['batch'] or not fields['record'] then return nil end
  local is_json, record = pcall(cjson.decode, fields['record'])
  if not is_json or type(record) ~= 'table' then return nil end
  return fields['record'], tonumber(record[5])
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
-- What is still live is written again behind the newest, before the horizon moves past it: in one transaction, also on replicas
-- and in the append-only file.
if front < gone and (force or gone * 4 >= #chunk) then through = #chunk else through = front end
if through == 0 then return result end
local last, deleted, ours, again = highest(), 0, 0, 0
for i = 1, through do
  local one = chunk[i]
  if one.record then ours = ours + 1 end
  if one.live then
    last, again = last + 1, again + 1
    redis.call('XADD', stream, string.format('%.0f-0', last), 'batch', tag, 'record', one.record, 'again',
      string.format('%.0f', position(one.entry)))
  elseif one.record then
    deleted = deleted + 1
  end
end
redis.call('XTRIM', stream, 'MINID', '=', string.format('%.0f-0', position(chunk[through].entry) + 1))
put('last', last)
put('first', position(redis.call('XRANGE', stream, '-', '+', 'COUNT', '1')[1]))
-- What is no entry of ours may have been counted as one.
put('count', math.min(number('count') + again - ours, redis.call('XLEN', stream)))
result[1] = deleted
if through == max then result[3] = 1 end
return result
