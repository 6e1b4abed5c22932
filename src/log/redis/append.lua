-- ARGV: identity, watermark, newest, longest lifetime, the batch's tag, the plausible step, how many records;
-- then of each its time, how many names and texts follow, and these.
begin(ARGV[1], ARGV[2], ARGV[3], ARGV[4])
note_losses()
local tag, step, count = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local last, newest = highest(), number('newest')
if last + count > 9007199254740000 then return {0, 0} end
local first, at = last + 1, 8
if number('count') == 0 then put('first', first) end
for _ = 1, count do
  local time, texts = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  last = last + 1
  redis.call('XADD', stream, string.format('%.0f-0', last), 'batch', tag, unpack(ARGV, at + 2, at + 1 + texts))
  newest = advance(newest, time, step)
  at = at + 2 + texts
end
put('last', last)
put('newest', newest)
redis.call('HINCRBY', facts, 'count', count)
return {first, last}
