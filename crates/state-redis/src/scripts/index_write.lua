-- Writes a thread into the index of threads.
-- KEYS: 1 index.
-- ARGV: 1 thread, 2 whether an entry that is there is written anew ('1').
-- Returns: {'ok', its time, whether the index has grown by 64 entries since it had as many last (1 or 0)} | {'existed'}.
-- Atomic: the whole script. No two entries have one time, and an entry that is written anew has another.
if ARGV[2] ~= '1' and redis.call('ZSCORE', KEYS[1], ARGV[1]) then return {'existed'} end
local now = redis.call('TIME')
local at = now[1] * 1000000 + now[2]
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if last and tonumber(last) >= at then at = tonumber(last) + 1 end
at = string.format('%.0f', at)
local grown = redis.call('ZADD', KEYS[1], at, ARGV[1]) == 1 and redis.call('ZCARD', KEYS[1]) % 64 == 0
return {'ok', at, grown and 1 or 0}
