-- Stores a part of a copy, out of sight.
-- KEYS: 1 to 6 as in thread.lua, but of the copy that is being made.
-- ARGV: 1 generation, 2 milliseconds that the copy may be left alone, then per row: 2 for a record, 3 for an order, 4 for
--       content, 5 for a write; field; value ('' for an order or a write).
-- Returns: {'ok'}.
-- Atomic: the whole script.
local used = {}
for i = 3, #ARGV, 3 do
  local number = tonumber(ARGV[i])
  local key = KEYS[number]
  if not used[number] then
    used[number] = true
    mark({generation = ARGV[1]}, key)
  end
  if number == 2 or number == 4 then
    redis.call('HSET', key, ARGV[i + 1], ARGV[i + 2])
  else
    redis.call('ZADD', key, 0, ARGV[i + 1])
  end
end
for i = 2, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
return {'ok'}
