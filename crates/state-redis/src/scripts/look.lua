-- Says what is at a key, for those who follow changes: nothing, an entry, a hash, an announcement.
-- KEYS: the key.
-- ARGV: the last byte of a string that is returned (-1 for all of it).
-- Returns: {'ok', type, beginning of a string, deadline in Unix ms (-1 for none), remaining ms}.
-- Atomic: the whole script.
local kind = redis.call('TYPE', KEYS[1]).ok
local head = ''
if kind == 'string' then head = redis.call('GETRANGE', KEYS[1], 0, tonumber(ARGV[1])) end
return {'ok', kind, head, redis.call('PEXPIRETIME', KEYS[1]), redis.call('PTTL', KEYS[1])}
