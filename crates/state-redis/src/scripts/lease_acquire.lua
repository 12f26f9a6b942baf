-- Asks for a lease; the owner that holds it gets it again, renewed, under the same token.
-- KEYS: lease, fencing marks beside it.
-- ARGV: owner (16 bytes), lifetime in ms, name of the lease in fencing marks.
-- Returns: {'ok', token} | {'held', remaining ms}.
-- Atomic: the whole script. The lease stays for a day after its end, for its token.
local owner, ttl, name = unpack(ARGV)
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'token', 'until')
local token = held[2]
local lasts = held[3] and tonumber(held[3]) > now_ms
if lasts and held[1] ~= owner then return {'held', string.format('%.0f', tonumber(held[3]) - now_ms)} end
-- Read for a lease that lasts, too: if there is no hash, that is found out before the first write.
local mark = redis.call('HGET', KEYS[2], name)
if not lasts then
  local now_us = string.format('%.0f', now[1] * 1000000 + now[2])
  local last = token or '0'
  if mark and less(last, mark) then last = mark end
  local next = add_magnitudes(last, '1')
  token = now_us
  if less(now_us, next) then token = next end
end
redis.call('HSET', KEYS[1], 'owner', owner, 'token', token, 'until', string.format('%.0f', now_ms + ttl))
redis.call('PEXPIRE', KEYS[1], ttl + 86400000)
raise(KEYS[2], name, token)
return {'ok', token}
