-- Reads the head of a thread, and runs of it.
-- KEYS: as in thread.lua.
-- ARGV: 1 how many runs at most, 2 the last run that was read, or ''.
-- Returns: {'ok', generation, epoch, serial, versions, segments, tail, replaced, checkpoints, bytes, milliseconds of the last
--          write, end in milliseconds or -1, what is left of it, whether it is pinned (1 or 0), runs} |
--          {'absent', whether a tombstone stands (1 or 0)} | {'corrupt'} | {'later'}.
-- Atomic: the whole script.
local head, _, bad = see()
if bad then return {bad} end
if not head then return {'absent', redis.call('EXISTS', TOMBSTONE)} end
local runs = {}
if ARGV[1] ~= '0' then
  runs = redis.call('ZRANGEBYLEX', ORDER, ARGV[2] == '' and '[r' or '(r' .. ARGV[2], '(s', 'LIMIT', 0, ARGV[1])
end
return {'ok', head[GENERATION], head[EPOCH], head[SERIAL], head[VERSIONS], head[SEGMENTS], head[TAIL], head[REPLACED],
  head[CHECKPOINTS], head[BYTES], head[WRITTEN_MS], redis.call('PEXPIRETIME', HISTORY), redis.call('PTTL', HISTORY),
  head[PINNED], runs}
