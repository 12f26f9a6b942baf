-- Notes in a change log what is not about one key, or begins it.
-- KEYS: log.
-- ARGV: the most events of the log, nonce, then fields of the event; none to begin a log that has not begun.
-- Returns: {'ok', id of the last event, generation, time of the server in microseconds}.
-- Atomic: the whole script.
local max, nonce = unpack(ARGV)
local tail = end_of(KEYS[1])
if ARGV[3] then
  append(KEYS[1], tail, max, nonce, unpack(ARGV, 3))
elseif tail.number == 0 then
  append(KEYS[1], tail, max, nonce, 'e', 'begin')
end
return {'ok', tail.id, tail.generation, now_us()}
