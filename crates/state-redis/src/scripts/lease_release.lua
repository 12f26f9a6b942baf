-- Gives a held lease up; its token is remembered.
-- KEYS: lease.
-- ARGV: owner (16 bytes), token.
-- Returns: {'ok', '1'} | {'ok', '0'} when the owner no longer held it under this token.
-- Atomic: the whole script.
local owner, token = unpack(ARGV)
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'until')
if held[1] ~= owner or held[2] ~= token or tonumber(held[3]) <= now_ms then return {'ok', '0'} end
redis.call('HSET', KEYS[1], 'until', '0')
return {'ok', '1'}
