-- Deletes a thread.
-- KEYS: as in thread.lua.
-- ARGV: 1 fence, 2 milliseconds of a tombstone, or '', 3 how many runs the caller knows of, or '' where nobody can know,
--       4 whether the thread must hold nothing any more ('1'), 5 the generation that the caller has seen, or '' for none.
-- Returns: {'ok', whether there was one (1 or 0), how many checkpoints it had} | {'stale'}: it holds something |
--          {'again'}: it is another thread, or has other runs | {'fenced'} | {'full', what} | {'later'}.
-- Atomic: the whole script. What is damaged is deleted as well. Because only what the caller has seen is deleted, it knows
-- that there was something even where the answer was lost.
local head, _, bad = see()
if bad == 'later' then return {bad} end
if head then
  if ARGV[4] == '1' and head[CHECKPOINTS] + head[PENDING] > 0 then return {'stale'} end
  if ARGV[1] ~= '' then
    local no = refused(head, ARGV[1])
    if no then return no end
  end
  if ARGV[3] ~= ''
    and (head[GENERATION] ~= ARGV[5] or redis.call('ZLEXCOUNT', ORDER, '[r', '(s') ~= tonumber(ARGV[3])) then
    return {'again'}
  end
end
local removed = redis.call('UNLINK', HISTORY, ORDER, WRITES)
if ARGV[2] ~= '' then redis.call('SET', TOMBSTONE, '1', 'PX', ARGV[2]) end
if removed > 0 then redis.pcall('PUBLISH', string.sub(HISTORY, 1, -8), 'd') end
return {'ok', removed > 0 and 1 or 0, head and head[CHECKPOINTS] or 0}
