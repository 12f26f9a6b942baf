-- Removes an entry under conditions.
-- KEYS: entry, fencing marks beside it, remembered operation beside it, index and log where there are.
-- ARGV: precondition, wanted version, whether the entry is returned ('1'), lease, token, digest, what is noted.
-- Returns: {'ok', existed, frame} | {'conflict'} | {'fenced'} | {'invalid', reason} | {'corrupt'} | {'replay', result}.
-- Atomic: the whole script; nothing is written before every check has passed, but a fencing mark may rise.
local kind, wanted, returned, lease, token, digest = unpack(ARGV)
local before = remembered(KEYS[3], digest)
if before == nil then return {'invalid', 'operation'} end
if before then return {'ok', string.sub(before, 1, 1), string.sub(before, 2)} end
if stale(KEYS[2], lease, token) then return {'fenced'} end
local noted = notes(4, 7)
local version = version_at(KEYS[1])
if version == nil then return {'corrupt'} end
raise(KEYS[2], lease, token)
if not holds(version, kind, wanted) then return {'conflict', version or ''} end
local frame = ''
if version and returned == '1' then frame = redis.call('GET', KEYS[1]) end
local existed = '0'
if version then
  existed = '1'
  redis.call('UNLINK', KEYS[1])
end
note_delete(noted, version)
remember(KEYS[3], digest, existed .. frame)
return {'ok', existed, frame}
