-- Reads an entry with its lifetime, touches it if asked to, and checks a fence.
-- KEYS: entry, fencing marks beside it where there is a fence or a log, log where there is one and the entry is touched.
-- ARGV: whether only the head is read ('1'), touch mode ('' for none) and lifetime, lease, token,
--       what is noted.
-- Returns: {'ok', frame, deadline in Unix ms (-1 for none), remaining ms, bytes stored} | {'ok'} when absent |
--          {'fenced'} |
--          {'invalid', reason}.
-- Atomic: the whole script.
local head, mode, ms, lease, token = unpack(ARGV)
if deadline_is_bad(mode, ms) then return {'invalid', 'lifetime'} end
if stale(KEYS[2], lease, token) then return {'fenced'} end
local noted = notes(3, 6)
raise(KEYS[2], lease, token)
local frame
if head == '1' then
  frame = redis.call('GETRANGE', KEYS[1], 0, 17)
  if frame == '' then frame = false end
else
  frame = redis.call('GET', KEYS[1])
end
if not frame then return {'ok'} end
if mode ~= '' then
  relive(KEYS[1], mode, ms)
  note_touch(noted, KEYS[1])
end
local size = #frame
if head == '1' then size = redis.call('STRLEN', KEYS[1]) end
return {'ok', frame, redis.call('PEXPIRETIME', KEYS[1]), redis.call('PTTL', KEYS[1]), size}
