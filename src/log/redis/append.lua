-- ARGV: identity, watermark, newest, longest lifetime, the batch's tag, the plausible step, how many records;
-- then of each its time and its text.
begin(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
note_losses()
local tag, step, count = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local last, newest = highest(), number('newest')
if last + count > 9007199254740000 then return {0, 0} end
local behind = '0'
for _, entry in ipairs(redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')) do
  for i = 1, #entry[2], 2 do if entry[2][i] == 'batch' then behind = entry[2][i + 1] end end
end
local first, at = last + 1, 8
if number('count') == 0 then put('first', first) end
for _ = 1, count do
  last = last + 1
  redis.call('XADD', stream, string.format('%.0f-0', last), 'batch', tag, 'record', ARGV[at + 1])
  newest = advance(newest, tonumber(ARGV[at]), step)
  at = at + 2
end
put('last', last)
put('newest', newest)
redis.call('HINCRBY', facts, 'count', count)
return {first, last, behind}
