-- Stores a part of a copy, out of sight.
-- KEYS: 1 to 4 as in thread.lua, but of the copy that is being made.
-- ARGV: 1 generation, 2 milliseconds that the copy may be left alone, then per row: 1 for a field of the history, 2 for an order,
--       3 for a write; field; value ('' for an order or a write).
-- Returns: {'ok'}.
-- Atomic: the whole script.
local used = {}
for i = 3, #ARGV, 3 do
  local number = tonumber(ARGV[i])
  local key = KEYS[number]
  if number == 1 then
    redis.call('HSET', key, ARGV[i + 1], ARGV[i + 2])
  else
    if not used[number] then
      used[number] = true
      redis.call('ZADD', key, '0', 'g' .. ARGV[1])
    end
    redis.call('ZADD', key, '0', ARGV[i + 1])
  end
end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
return {'ok'}
