-- Stores an entry under conditions.
-- KEYS: entry, fencing marks beside it, remembered operation beside it, index and log where there are.
-- ARGV: frame header (18 bytes), value, precondition, wanted version, lifetime mode, lifetime, lease, token, digest,
--       what is noted (see `notes`).
-- Returns: {'ok'} | {'conflict'} | {'fenced'} | {'invalid', reason} | {'corrupt'} | {'replay', version}.
-- A call that is sent twice is noted once: what it wrote bears its version.
-- Atomic: the whole script; nothing is written before every check has passed, but a fencing mark may rise.
local header, value, kind, wanted, mode, ms, lease, token, digest = unpack(ARGV)
if deadline_is_bad(mode, ms) then return {'invalid', 'lifetime'} end
local before = remembered(KEYS[3], digest)
if before == nil then return {'invalid', 'operation'} end
if before then return {'replay', before} end
if stale(KEYS[2], lease, token) then return {'fenced'} end
local noted = notes(4, 10)
if kind ~= 'a' or noted then
  local version = version_at(KEYS[1])
  if version == string.sub(header, 3) then return {'ok'} end
  if kind == 'a' then version = true end
  if version == nil then return {'corrupt'} end
  if not holds(version, kind, wanted) then
    raise(KEYS[2], lease, token)
    return {'conflict', version or ''}
  end
end
raise(KEYS[2], lease, token)
store(KEYS[1], header .. value, mode, ms)
note_put(noted, KEYS[1], string.sub(header, 3))
remember(KEYS[3], digest, string.sub(header, 3))
return {'ok'}
