-- Writes, removes or counts fields of a hash, with one lifetime for all of them.
-- KEYS: hash, fencing marks beside it, index and log where there are.
-- ARGV: 'set' | 'delete' | 'increment' | 'remove', lifetime mode, lifetime, lease, token,
--       place of the first field, what is noted, then fields
--       (field, value pairs for 'set'; fields for 'delete'; field and number for 'increment').
-- Returns: {'ok', count or sum} | {'fenced'} | {'invalid', reason} | {'corrupt'} where something else is stored.
-- Atomic: the whole script; nothing is written before every check has passed, but a fencing mark may rise.
local what, mode, ms, lease, token, first = unpack(ARGV, 1, 6)
first = tonumber(first)
if deadline_is_bad(mode, ms) then return {'invalid', 'lifetime'} end
if stale(KEYS[2], lease, token) then return {'fenced'} end
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and kind ~= 'hash' then return {'corrupt'} end
local noted
if first > 7 then noted = notes(3, 7) end
local result
if what == 'set' then
  raise(KEYS[2], lease, token)
  result = 0
  for i = first, #ARGV, 2 do result = result + redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
elseif what == 'delete' then
  raise(KEYS[2], lease, token)
  result = 0
  for i = first, #ARGV do result = result + redis.call('HDEL', KEYS[1], ARGV[i]) end
elseif what == 'increment' then
  raise(KEYS[2], lease, token)
  local held = redis.call('HGET', KEYS[1], ARGV[first]) or '0'
  if not is_number(held) then return {'invalid', 'number'} end
  result = add(held, ARGV[first + 1])
  if not result then return {'invalid', 'overflow'} end
  redis.call('HSET', KEYS[1], ARGV[first], result)
else
  raise(KEYS[2], lease, token)
  result = redis.call('UNLINK', KEYS[1])
end
local changed = (what == 'set' and #ARGV >= first) or what == 'increment' or result > 0
if mode ~= 'k' and redis.call('EXISTS', KEYS[1]) == 1 then
  relive(KEYS[1], mode, ms)
  changed = true
end
note_hash(noted, KEYS[1], changed)
return {'ok', tostring(result)}
