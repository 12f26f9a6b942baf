-- Gives a held lease up; its token is remembered.
-- KEYS: lease.
-- ARGV: owner (16 bytes), token, nonce of the call.
-- Returns: {'ok', '1'} | {'ok', '0'} when the owner no longer held it under this token. A call whose nonce is that of the last
-- release is the same call again, and is answered as it was.
-- Atomic: the whole script.
local owner, token, call = unpack(ARGV)
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'until', 'released')
if held[4] == call then return {'ok', '1'} end
if held[1] ~= owner or held[2] ~= token or tonumber(held[3]) <= now_ms then return {'ok', '0'} end
redis.call('HSET', KEYS[1], 'until', '0', 'released', call)
return {'ok', '1'}
