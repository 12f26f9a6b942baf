-- Removes threads from an index that were not written to it since.
-- KEYS: 1 index.
-- ARGV: per thread: thread, time of its entry.
-- Returns: {'ok'}.
-- Atomic: the whole script.
for i = 1, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) == tonumber(ARGV[i + 1]) then redis.call('ZREM', KEYS[1], ARGV[i]) end
end
return {'ok'}
