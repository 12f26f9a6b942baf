-- Reads an index from the newest entry on.
-- KEYS: 1 index.
-- ARGV: 1 the greatest time, as a bound of ZRANGEBYSCORE, 2 how many at most.
-- Returns: {'ok', thread, time, ...}.
-- Atomic: the whole script.
local found = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[1], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
local reply = {'ok'}
for i = 1, #found, 2 do
  reply[#reply + 1] = found[i]
  reply[#reply + 1] = string.format('%.0f', found[i + 1])
end
return reply
