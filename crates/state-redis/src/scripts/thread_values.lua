-- Reads what values are made from, in turn, as far as it fits into an answer.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation, 2 epoch, then lists, each after its length: numbers of versions, of segments, places of versions.
-- Returns: {'ok', descriptions, segments, what is known of each place: '' nothing, 'e' no value, or a number} |
--          {'stale'} | {'corrupt'} | {'later'}.
-- All versions that are asked for are sent, and as many of the segments as fit: the caller asks again for the others.
-- Atomic: the whole script.
local head, _, bad = see()
if bad then return {bad} end
if not lives(head, ARGV[1], ARGV[2]) then return {'stale'} end
local at = 3
local function list()
  local from = at + 1
  at = from + tonumber(ARGV[at])
  return from, at - 1
end
local first_version, last_version = list()
local first_segment, last_segment = list()
local first_place, last_place = list()
for i = first_segment, last_segment do
  if not send_segment(head, tonumber(ARGV[i]), REPLY_BYTES_MAX) then return {'corrupt'} end
end
local found = {}
for i = first_place, last_place do
  local place, answer = ARGV[i], ''
  for level = level_of(head[VERSIONS]), 0, -1 do
    local row = redis.call('HGET', HISTORY, places_row(level, place))
    local from = 1
    while row and from <= #row do
      if string.sub(row, from, from + 7) == place then answer = struct.unpack('<I4', row, from + 8) end
      from = from + 12
    end
    if answer ~= '' then break end
  end
  if answer ~= '' then
    if answer % 2 == 1 then
      answer = 'e'
    else
      local entry = description(answer / 2)
      -- One that was swept away was of checkpoints that are gone.
      answer = entry and entry[3] ~= '' and text(answer / 2) or ''
    end
  end
  found[#found + 1] = answer
end
for i = first_version, last_version do
  if not send_version(head, tonumber(ARGV[i]), true) then return {'corrupt'} end
end
for _, answer in ipairs(found) do
  if answer ~= '' and answer ~= 'e' and sent.bytes <= SENT_BYTES_MAX then
    if not send_version(head, tonumber(answer), true) then return {'corrupt'} end
  end
end
return {'ok', sent.versions, sent.segments, found}
