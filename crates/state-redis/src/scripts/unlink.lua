-- Removes a key of any kind as part of a clear, under a fence or none.
-- KEYS: what is removed, fencing marks beside it, index and log where there are.
-- ARGV: lease, token, what is noted, and with a log: the id of its last event after the clear was noted there.
-- Returns: {'ok', number of keys removed} | {'fenced'}.
-- Atomic: the whole script. Where the log has moved since the clear was noted, what is removed may have been written
-- since, so that is told by itself.
local lease, token = unpack(ARGV)
if stale(KEYS[2], lease, token) then return {'fenced'} end
local noted = notes(3, 3)
raise(KEYS[2], lease, token)
local removed = redis.call('UNLINK', KEYS[1])
local moved = noted and noted.stream and ends[noted.stream].id ~= ARGV[7]
note_delete(noted, removed == 1 and moved)
return {'ok', tostring(removed)}
