-- Picks entries of an index by chance, and says what time it is.
-- KEYS: 1 index.
-- ARGV: 1 how many at most.
-- Returns: {'ok', microseconds, entry, score, ...}.
-- Atomic: the whole script.
local now = redis.call('TIME')
local picked = redis.call('ZRANDMEMBER', KEYS[1], ARGV[1], 'WITHSCORES')
local reply = {'ok', string.format('%.0f', now[1] * 1000000 + now[2])}
for i = 1, #picked, 2 do
  reply[#reply + 1] = picked[i]
  reply[#reply + 1] = string.format('%.0f', picked[i + 1])
end
return reply
