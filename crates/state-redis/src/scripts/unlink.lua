-- Removes a key of any kind as the holder of a lease.
-- KEYS: what is removed, fencing marks beside it.
-- ARGV: lease, token.
-- Returns: {'ok', number of keys removed} | {'fenced'}.
-- Atomic: the whole script.
local lease, token = unpack(ARGV)
if stale(KEYS[2], lease, token) then return {'fenced'} end
raise(KEYS[2], lease, token)
return {'ok', tostring(redis.call('UNLINK', KEYS[1]))}
