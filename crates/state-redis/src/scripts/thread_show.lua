-- Makes a copy visible, whole.
-- KEYS: 1 to 4 as in thread.lua, 5 to 7 history, order and writes as they were staged.
-- ARGV: 1 generation, 2 lifetime, 3 epoch, 4 versions, 5 segments, 6 checkpoints, 7 hidden, 8 writes, 9 bytes, 10 to 12 how many
--       members each staged key has, then namespace and latest id of each namespace.
-- Returns: {'ok'} | {'conflict', reason} | {'again'}: a part was lost meanwhile | {'corrupt'} | {'later'}.
-- Atomic: the whole script.
local old, _, bad = see()
if bad then return {bad} end
if old and old[GENERATION] == ARGV[1] then return {'ok'} end
if old or redis.call('EXISTS', TOMBSTONE) == 1 then return {'conflict', 'exists'} end
for i = 5, 7 do
  local size = redis.call(i == 5 and 'HLEN' or 'ZCARD', KEYS[i])
  if size ~= tonumber(ARGV[i + 5]) then return {'again'} end
end
for i = 5, 7 do
  if ARGV[i + 5] ~= '0' then
    redis.call('RENAME', KEYS[i], KEYS[i - 4])
    redis.call('PERSIST', KEYS[i - 4])
  end
end
local head = new_head(ARGV[1])
head[EPOCH], head[VERSIONS], head[SEGMENTS] = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]) + 1
-- A segment of its own is written to next: the last one may be compressed.
head[TAIL] = tonumber(ARGV[5])
head[CHECKPOINTS], head[HIDDEN], head[PENDING] = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
head[BYTES] = tonumber(ARGV[9])
live(head, true, ARGV[2])
for i = 13, #ARGV, 2 do
  fields[#fields + 1], fields[#fields + 2] = 'latest:' .. ARGV[i], ARGV[i + 1]
end
commit(head, 'c:')
return {'ok'}
