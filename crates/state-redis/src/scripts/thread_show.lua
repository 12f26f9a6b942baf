-- Makes a copy visible, whole.
-- KEYS: 1 to 6 as in thread.lua, 7 to 10 records, order, content and writes as they were staged.
-- ARGV: 1 generation, 2 to 4 lifetime: mode, milliseconds, default, 5 channel, 6 epoch, 7 versions, 8 segments,
--       9 checkpoints, 10 hidden, 11 writes, 12 bytes, 13 to 16 how many members each staged key has, then namespace and
--       latest id of each namespace.
-- Returns: {'ok'} | {'conflict', reason} | {'again'}: a part was lost meanwhile.
-- Atomic: the whole script.
if redis.call('EXISTS', HEAD, TOMBSTONE) > 0 then
  if redis.call('HGET', HEAD, 'generation') == ARGV[1] then return {'ok'} end
  return {'conflict', 'exists'}
end
if orphaned() then return {'corrupt'} end
for i = 7, 10 do
  local size
  if i == 7 or i == 9 then size = redis.call('HLEN', KEYS[i]) else size = redis.call('ZCARD', KEYS[i]) end
  if text(size) ~= ARGV[i + 6] then return {'again'} end
end
for i = 7, 10 do
  if ARGV[i + 6] ~= '0' then
    redis.call('RENAME', KEYS[i], KEYS[i - 5])
    redis.call('PERSIST', KEYS[i - 5])
  end
end
local head = new_head(ARGV[1])
head.epoch, head.versions, head.segments = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]) + 1
-- A segment of its own is written to next: the last one may be compressed.
head.tail, head.tail_bytes = tonumber(ARGV[8]), 0
head.checkpoints, head.hidden, head.writes = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
head.bytes = tonumber(ARGV[12])
live(head, ARGV[2], ARGV[3], ARGV[4])
mark(head, CONTENT)
for i = 17, #ARGV, 2 do redis.call('HSET', HEAD, 'latest:' .. ARGV[i], ARGV[i + 1]) end
commit(head, ARGV[5], 'c:')
return {'ok'}
