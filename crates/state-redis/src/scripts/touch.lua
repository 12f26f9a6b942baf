-- Gives an entry another lifetime and leaves value and version alone.
-- KEYS: entry, fencing marks beside it.
-- ARGV: lifetime mode, lifetime, lease, token.
-- Returns: {'ok', '1'} | {'ok', '0'} when there is no entry | {'fenced'} | {'invalid', reason}.
-- Atomic: the whole script.
local mode, ms, lease, token = unpack(ARGV)
if deadline_is_bad(mode, ms) then return {'invalid', 'lifetime'} end
if stale(KEYS[2], lease, token) then return {'fenced'} end
raise(KEYS[2], lease, token)
if redis.call('EXISTS', KEYS[1]) == 0 then return {'ok', '0'} end
relive(KEYS[1], mode, ms)
return {'ok', '1'}
