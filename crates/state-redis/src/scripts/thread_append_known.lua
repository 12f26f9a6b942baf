-- Adds a checkpoint to a thread whose head is as the caller knows it, so that the caller has made everything that is written.
-- KEYS: 1 history, 2 order, 3 writes of one thread, which has a checkpoint.
-- ARGV: 1 the head as it is known, 2 what is told to followers in front of the place, 3 'w' where the thread has writes, and
--       milliseconds until its end where those are set, 4 how many rows go on, their names, what is added to each, the new head,
--       then fields, each with its value, of which the first is the record.
-- Returns: 1 | 0: the head is another, and nothing was done | {'corrupt'}.
-- Atomic: the whole script. What a call costs is most of all what it is given, and what it makes of that: it does little.
local rows, ends = tonumber(ARGV[4]), ARGV[3]
local found = redis.call('HMGET', KEYS[1], 'head', unpack(ARGV, 5, 4 + rows))
if found[1] ~= ARGV[1] then return 0 end
local set = {'HSET', KEYS[1], 'head', unpack(ARGV, 5 + 2 * rows)}
local name, mark = set[5], 'g' .. string.sub(ARGV[1], 2, 17)
if string.byte(ends) == 119 then
  if not redis.call('ZSCORE', KEYS[3], mark) then return {'corrupt'} end
  ends = string.sub(ends, 2)
end
if redis.call('ZADD', KEYS[2], '0', mark, '0', name) ~= 1 then
  -- The order was lost, or is of another life: what was added goes again.
  redis.call('ZREM', KEYS[2], mark, name)
  return {'corrupt'}
end
local at = #set
for i = 1, rows do
  set[at + 1], set[at + 2] = ARGV[4 + i], (found[i + 1] or '') .. ARGV[4 + rows + i]
  at = at + 2
end
redis.call(unpack(set))
if ends ~= '' then
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ends) end
end
redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -8), ARGV[2] .. string.sub(name, 2))
return 1
