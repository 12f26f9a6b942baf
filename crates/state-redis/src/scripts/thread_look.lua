-- Reads the head of a thread, and runs of it.
-- KEYS: as in thread.lua.
-- ARGV: 1 how many runs at most, 2 the last run that was read, or ''.
-- Returns: {'ok', generation, epoch, serial, versions, segments, tail, replaced, checkpoints, bytes, milliseconds of the last
--          write, end in milliseconds or -1, what is left of it, whether it is pinned ('1' or ''), runs} |
--          {'absent', whether a tombstone stands ('1' or '0')} | {'corrupt'}.
-- Atomic: the whole script.
local head = read_head()
if not head then
  if orphaned() then return {'corrupt'} end
  return {'absent', text(redis.call('EXISTS', TOMBSTONE))}
end
if not whole(head) then return {'corrupt'} end
local runs = {}
if ARGV[1] ~= '0' then
  runs = redis.call('ZRANGEBYLEX', ORDER, ARGV[2] == '' and '[r' or '(r' .. ARGV[2], '(s', 'LIMIT', 0, ARGV[1])
end
return {'ok', head.generation, text(head.epoch), text(head.serial), text(head.versions), text(head.segments),
  text(head.tail), text(head.replaced), text(head.checkpoints), text(head.bytes), redis.call('HGET', HEAD, 'written_ms'),
  text(redis.call('PEXPIRETIME', HEAD)), text(redis.call('PTTL', HEAD)), head.pinned or '', runs}
