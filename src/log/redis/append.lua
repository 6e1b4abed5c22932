-- ARGV: identity, watermark, newest, longest lifetime, allowance, the batch's tag, the plausible step, how many times and how many records;
-- then the times, each once, and the texts of the records.
begin(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])
note_losses()
local tag, step, times, count = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local last, newest = highest(), number('newest')
if last + count > POSITION_MAX then return {0, 0} end
local behind = '0'
for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')) do
  for i = 1, #entry[2], 2 do if entry[2][i] == 'batch' then behind = entry[2][i + 1] end end
end
local first = last + 1
if number('count') == 0 then put('first', first) end
for at = 10, 9 + times do newest = advance(newest, tonumber(ARGV[at]), step) end
for at = 10 + times, 9 + times + count do
  last = last + 1
  redis.call('XADD', stream, string.format('%.0f-0', last), 'batch', tag, 'record', ARGV[at])
end
put('last', last)
put('newest', newest)
redis.call('HINCRBY', facts, 'count', count)
return {first, last, behind}
