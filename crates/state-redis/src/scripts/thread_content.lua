-- Reads what a thread holds step by step.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation, 2 epoch, 3 serial or '', 4 where to go on, '0' at the beginning, 5 about how many fields, 6 whether
--       all is read, each with its value ('1'): segments, descriptions, places and records; otherwise the names of segments
--       and rows of descriptions.
-- Returns: {'ok', where to go on, fields, each followed by its value where those are read} | {'stale'} | {'corrupt'} | {'later'}.
-- Atomic: each step. A field that is there the whole time comes at least once, also when the thread moves to another node.
local head, _, bad = see()
if bad then return {bad} end
if not lives(head, ARGV[1], ARGV[2]) then return {'stale'} end
if ARGV[3] ~= '' and ARGV[3] ~= text(head[SERIAL]) then return {'stale'} end
local at, fields = hash_step(HISTORY, ARGV[4], ARGV[5])
local kinds = ARGV[6] == '1' and '^[sdpck]' or '^[sd]'
local tail, found = 's' .. head[TAIL], {}
for i = 1, #fields, 2 do
  local field, value = fields[i], fields[i + 1]
  if string.find(field, kinds) then
    found[#found + 1] = field
    if ARGV[6] == '1' then
      if field == tail then value = value .. (redis.call('HGET', HISTORY, 'recent') or '') end
      found[#found + 1] = value
    end
  end
end
return {'ok', at, found}
