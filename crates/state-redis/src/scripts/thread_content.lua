-- Reads the content of a thread step by step: segments, descriptions and places.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation, 2 epoch, 3 serial or '', 4 where to go on, '0' at the beginning, 5 about how many fields, 6 whether
--       their values are read ('1').
-- Returns: {'ok', where to go on, fields, each followed by its value where those are read} | {'stale'} | {'corrupt'}.
-- Atomic: each step. A field that is there the whole time comes at least once, also when the thread moves to another node.
local head = read_head()
if not lives(head, ARGV[1], ARGV[2]) then return {'stale'} end
if ARGV[3] ~= '' and ARGV[3] ~= text(head.serial) then return {'stale'} end
if not whole(head) then return {'corrupt'} end
local at, fields = hash_step(CONTENT, ARGV[4], ARGV[5])
local found = {}
for i = 1, #fields, 2 do
  if fields[i] ~= 'generation' then
    found[#found + 1] = fields[i]
    if ARGV[6] == '1' then found[#found + 1] = fields[i + 1] end
  end
end
return {'ok', at, found}
