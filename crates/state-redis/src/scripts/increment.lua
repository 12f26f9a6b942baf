-- Adds to a counter, exactly, within 64 bits.
-- KEYS: entry, fencing marks beside it, remembered operation beside it, index and log where there are.
-- ARGV: frame header (18 bytes), what is added, lifetime mode, lifetime, when the lifetime is set ('c'reate, 'e'very),
--       lease, token, digest, what is noted.
-- Returns: {'ok', sum} | {'fenced'} | {'invalid', reason} | {'corrupt'} | {'replay', version .. sum}.
-- Atomic: the whole script; nothing is written before every check has passed, but a fencing mark may rise.
local header, by, mode, ms, on, lease, token, digest = unpack(ARGV)
if deadline_is_bad(mode, ms) then return {'invalid', 'lifetime'} end
local before = remembered(KEYS[3], digest)
if before == nil then return {'invalid', 'operation'} end
if before then return {'replay', before} end
if stale(KEYS[2], lease, token) then return {'fenced'} end
local noted = notes(4, 9)
local stored = redis.call('GET', KEYS[1])
local held = '0'
if stored then
  if #stored < 18 or string.sub(stored, 1, 2) ~= 'S1' then return {'corrupt'} end
  held = string.sub(stored, 19)
end
raise(KEYS[2], lease, token)
if not is_number(held) then return {'invalid', 'number'} end
local sum = add(held, by)
if not sum then return {'invalid', 'overflow'} end
if stored and on == 'c' then mode = 'k' end
store(KEYS[1], header .. sum, mode, ms)
note_put(noted, KEYS[1], string.sub(header, 3))
remember(KEYS[3], digest, string.sub(header, 3) .. sum)
return {'ok', sum}
