-- Reads writes of a thread, whatever checkpoint they stand beside, 1,000 at most.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation, 2 epoch, 3 the last write that was read, or ''.
-- Returns: {'ok', writes} | {'stale'} | {'corrupt'} | {'later'}.
-- Atomic: the whole script.
local head, _, bad = see()
if bad then return {bad} end
if not lives(head, ARGV[1], ARGV[2]) then return {'stale'} end
local from = ARGV[3] == '' and '[w' or '(' .. ARGV[3]
return {'ok', redis.call('ZRANGEBYLEX', WRITES, from, '(x', 'LIMIT', 0, 1000)}
