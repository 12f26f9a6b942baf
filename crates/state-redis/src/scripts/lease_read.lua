-- Tells who holds a lease.
-- KEYS: lease.
-- ARGV: none.
-- Returns: {'ok', owner, token, remaining ms} | {'ok'} when nobody does.
-- Atomic: the whole script; it only reads.
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'until')
if not held[3] or tonumber(held[3]) <= now_ms then return {'ok'} end
return {'ok', held[1], held[2], string.format('%.0f', tonumber(held[3]) - now_ms)}
