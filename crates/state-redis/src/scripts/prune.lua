-- Takes members out of an index whose entries or hashes have expired.
-- KEYS: index, then what is stored for each member.
-- ARGV: the members.
-- Returns: {'ok', number of members removed}.
-- Atomic: the whole script; each is looked at again, so that what was written anew stays.
local removed = 0
for i, member in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then removed = removed + redis.call('ZREM', KEYS[1], member) end
end
return {'ok', tostring(removed)}
