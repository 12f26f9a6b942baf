-- Reads fields of a hash, a step of them.
-- KEYS: hash.
-- ARGV: 1 where to go on, '0' at the beginning, 2 about how many fields.
-- Returns: {'ok', where to go on, '0' at the end, fields, each followed by its value}.
-- Atomic: the whole script. A field that is there the whole time comes at least once in the steps to the end.
local at, fields = hash_step(KEYS[1], ARGV[1], ARGV[2])
local reply = {'ok', at}
for i = 1, #fields do reply[i + 2] = fields[i] end
return reply
