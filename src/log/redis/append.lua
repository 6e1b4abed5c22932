-- ARGV: identity, the facts as begin() has them, the plausible step, the batch's tag, and the records.
local BEFORE = 9
begin(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
note_losses(redis.call('XLEN', stream))
local tag, count = ARGV[9], #ARGV - BEFORE
local last, behind = given(), said['tag'] or '0'
-- The facts are written first: who may not write one of the keys has written nothing, or too high a position.
local function note(last)
  if last + count > POSITION_MAX then return nil end
  local epoch = note_epoch(last)
  if (number('count') or 0) == 0 then put('first', last + 1) end
  note_time(tonumber(ARGV[8]))
  put('last', last + count)
  set('tag', tag)
  save()
  return epoch
end
local function add(last, i)
  return redis.pcall('XADD', stream, whole(last + i) .. '-' .. tag, 'r', ARGV[BEFORE + i])
end
local epoch = note(last)
if not epoch then return {0, 0} end
local added = add(last, 1)
local function is_behind(added)
  local told = type(added) == 'table' and added.err
  return told and (string.find(told, 'equal or smaller') or string.find(told, 'exhausted'))
end
if is_behind(added) then
  -- Somebody else has put something behind it.
  said['last'] = whole(last)
  last, behind = highest(), '0'
  epoch = note(last)
  if not epoch then return {0, 0} end
  added = add(last, 1)
end
if type(added) == 'table' and added.err then return redis.error_reply(added.err) end
for i = 2, count do redis.call('XADD', stream, whole(last + i) .. '-' .. tag, 'r', ARGV[BEFORE + i]) end
put('count', (number('count') or 0) + count)
save()
return {last + 1, last + count, behind, epoch, now}
