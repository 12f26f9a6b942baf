-- Makes a held lease last from now.
-- KEYS: lease.
-- ARGV: owner (16 bytes), token, lifetime in ms.
-- Returns: {'ok'} | {'fenced'} when the owner no longer holds it under this token.
-- Atomic: the whole script.
local owner, token, ttl = unpack(ARGV)
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'until')
if held[1] ~= owner or held[2] ~= token or tonumber(held[3]) <= now_ms then return {'fenced'} end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now_ms + ttl))
redis.call('PEXPIRE', KEYS[1], ttl + 86400000)
return {'ok'}
