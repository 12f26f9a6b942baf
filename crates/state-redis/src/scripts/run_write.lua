-- Writes a thread into the index of runs.
-- KEYS: 1 index.
-- ARGV: 1 run and thread, each ended by a 0.
-- Returns: {'ok', whether the index has grown by 64 entries since it had as many last (1 or 0)}.
-- Atomic: the whole script. An entry is run, thread and time in microseconds; one that is written anew has another time.
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
local old = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1], '(' .. string.sub(ARGV[1], 1, -2) .. '\1')
for _, entry in ipairs(old) do
  local was = tonumber(string.sub(entry, #ARGV[1] + 1))
  if was and was >= at then at = was + 1 end
  redis.call('ZREM', KEYS[1], entry)
end
redis.call('ZADD', KEYS[1], '0', ARGV[1] .. string.format('%.0f', at))
return {'ok', #old == 0 and redis.call('ZCARD', KEYS[1]) % 64 == 0 and 1 or 0}
