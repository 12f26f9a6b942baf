-- Sets when a thread ends, and whose it is, and changes nothing else.
-- KEYS: as in thread.lua.
-- ARGV: 1 lifetime, 2 fence.
-- Returns: {'ok'} | {'absent'} | {'fenced'} | {'full', what} | {'corrupt'} | {'later'}.
-- Atomic: the whole script. Sent again, it does the same.
local head, _, bad = see()
if bad then return {bad} end
if not head then return {'absent'} end
if ARGV[2] ~= '' then
  local no = refused(head, ARGV[2])
  if no then return no end
  raise(head, ARGV[2])
end
live(head, false, ARGV[1])
commit(head, '-:')
return {'ok'}
