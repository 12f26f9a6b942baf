-- Gives an entry another lifetime and leaves value and version alone.
-- KEYS: entry, fencing marks beside it, log where there is one.
-- ARGV: lifetime mode, lifetime, lease, token, what is noted.
-- Returns: {'ok', '1'} | {'ok', '0'} when there is no entry | {'fenced'} | {'invalid', reason}.
-- Atomic: the whole script.
local mode, ms, lease, token = unpack(ARGV)
if deadline_is_bad(mode, ms) then return {'invalid', 'lifetime'} end
if stale(KEYS[2], lease, token) then return {'fenced'} end
local noted = notes(3, 5)
raise(KEYS[2], lease, token)
if redis.call('EXISTS', KEYS[1]) == 0 then return {'ok', '0'} end
relive(KEYS[1], mode, ms)
note_touch(noted, KEYS[1])
return {'ok', '1'}
