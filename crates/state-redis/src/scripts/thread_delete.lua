-- Deletes a thread.
-- KEYS: as in thread.lua.
-- ARGV: 1 lease, 2 token, 3 milliseconds of a tombstone, or '', 4 channel, 5 how many runs the caller knows of, or '' where nobody can know, 6 whether
--       the thread must hold nothing any more ('1').
-- Returns: {'ok', whether there was one ('1')} | {'again'}: there are other runs | {'fenced'} | {'full', what}.
-- Atomic: the whole script.
local head = read_head()
if head then
  if ARGV[6] == '1' and head.checkpoints + head.writes > 0 then return {'ok', '0'} end
  local no = refused(head, ARGV[1], ARGV[2])
  if no then return no end
  if ARGV[5] ~= '' and text(redis.call('ZLEXCOUNT', ORDER, '[r', '(s')) ~= ARGV[5] then return {'again'} end
end
local removed = redis.call('UNLINK', HEAD, RECORDS, ORDER, CONTENT, WRITES)
if ARGV[3] ~= '' then redis.call('SET', TOMBSTONE, '1', 'PX', ARGV[3]) end
if removed > 0 then redis.pcall('PUBLISH', ARGV[4], 'd') end
return {'ok', removed > 0 and '1' or '0'}
