-- Adds a checkpoint to a thread.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation of a new thread, 2 and 3 generation and epoch that older numbers are of ('' for none), 4 whether the
--       thread may be made ('1'), 5 whether a tombstone is passed over ('1'), 6 lifetime, 7 fence, 8 whether the parent must be
--       the latest ('1'), 9 parent, 10 whether the id is greater ('1'), 11 namespace, 12 id, 13 record, 14 run, 15 generation in
--       which the run is in its index, 16 compressed segment or '', 17 raw content, then lists, each after its length:
--       frames; versions, place and description each; places without a value.
-- Returns: {'ok', head, length of what is recent or -1, latest id where it is another, version, segment, offset}, then where that
--          is so: the number of a tail that is full ('' for none), its bytes, whether the thread was made ('1') |
--          {'existed'} | {'stale'} |
--          {'absent'}: it may not be made | {'unindexed', generation}: the run comes first | {'conflict', reason} |
--          {'fenced'} | {'full', what} | {'corrupt'} | {'later'}.
-- Atomic: the whole script.
local namespace, id, record, run, raw = ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[17]
local place = id .. '\0' .. namespace
local name, latest_field = 'c' .. place, 'latest:' .. namespace
local head, found, bad = see(name, latest_field)
if bad then return {bad} end
if ARGV[2] ~= '' and not lives(head, ARGV[2], ARGV[3]) then return {'stale'} end
local made, buried = not head, false
if made then
  buried = redis.call('EXISTS', TOMBSTONE) == 1
  if buried and ARGV[5] ~= '1' then return {'conflict', 'deleted'} end
  head = new_head(ARGV[1])
end
if ARGV[7] ~= '' then
  local no = refused(head, ARGV[7])
  if no then return no end
end
if found[2] then
  -- The digest of what was put.
  if string.sub(found[2], 14, 21) == string.sub(record, 2, 9) then return {'existed'} end
  return {'conflict', 'id'}
end
local latest = found[3]
if ARGV[8] == '1' and (latest or '') ~= ARGV[9] then return {'conflict', 'parent'} end
if made and ARGV[4] ~= '1' then return {'absent'} end
if run ~= '' then
  if redis.call('ZSCORE', ORDER, 'r' .. run) then
    run = ''
  elseif not made and ARGV[15] ~= head[GENERATION] then
    return {'unindexed', head[GENERATION]}
  end
end
local frames, at = {}, 19
for i = 1, tonumber(ARGV[18]) do frames[i] = ARGV[at]; at = at + 1 end
local count = tonumber(ARGV[at])
local first = head[VERSIONS]
if first + count >= 2147483647 then return {'full', 'versions'} end
if head[SEGMENTS] + #frames >= 4294967295 then return {'full', 'segments'} end

-- Rows that are added to: the end of the log, the open block of descriptions, and versions by place, the first of which is
-- read with the others.
local block, level, row, before = math.floor(first / BLOCK), level_of(first), '', nil
local block_field = 'd' .. block
local place_by, place_field = ARGV[at + 1] or '', ''
if count > 0 and place_by ~= '' then place_field = places_row(level, place_by) end
local old = redis.call('HMGET', HISTORY, 'recent', block_field, place_field)
local tail = read_tail(head, raw, old[1])
if not tail then return {'corrupt'} end
if first % BLOCK > 0 then
  row = old[2]
  if not row then return {'corrupt'} end
  before = #row
end

if ARGV[6] ~= '' or head[LIFETIME_MS] > 0 then live(head, made, ARGV[6]) end
if buried then redis.call('UNLINK', TOMBSTONE) end
if ARGV[7] ~= '' then raise(head, ARGV[7]) end
if ARGV[16] ~= '' then seal(head, ARGV[16]) end
local segment, offset = add_content(head, tail, raw, frames)
local rows = {}
local function found_by(by, number)
  local field = by == place_by and place_field or places_row(level, by)
  rows[field] = (rows[field] or '') .. by .. struct.pack('<I4', number)
end
at = at + 1
for number = first, first + count - 1 do
  if number % BLOCK == 0 and number > first then
    set(head, block_field, row, before)
    block_field, row, before = 'd' .. number / BLOCK, '', nil
  end
  row = row .. struct.pack('<I4I2I3', segment, offset, #ARGV[at + 1]) .. ARGV[at + 1]
  if ARGV[at] ~= '' then found_by(ARGV[at], number * 2) end
  at = at + 2
end
if count > 0 then set(head, block_field, row, before) end
for i = at + 1, at + tonumber(ARGV[at]) do found_by(ARGV[i], first * 2 + 1) end
for field, added in pairs(rows) do
  local known = old[3]
  if field ~= place_field then known = redis.call('HGET', HISTORY, field) end
  -- Its name does not count: writers who know the rest cannot know whether it is there.
  known = known or ''
  set(head, field, known .. added, #known)
end
set(head, name, struct.pack('<I4I2I6', first, count, head[SERIAL] + 1) .. record)
head[BYTES] = head[BYTES] + #name
if not latest or (latest == ARGV[9] and ARGV[10] == '1') or below(latest, id) then
  fields[#fields + 1], fields[#fields + 2] = latest_field, id
  latest = ''
end
if head[CHECKPOINTS] + head[HIDDEN] == 0 then redis.call('ZADD', ORDER, '0', 'g' .. head[GENERATION]) end
redis.call('ZADD', ORDER, '0', name)
if run ~= '' then redis.call('ZADD', ORDER, '0', 'r' .. run) end
head[VERSIONS] = first + count
head[CHECKPOINTS] = head[CHECKPOINTS] + 1
local reply = {'ok', commit(head, 'p:' .. place), head.recent, latest, first, segment, offset}
if head.full or made then
  local full = head.full or {'', ''}
  reply[8], reply[9], reply[10] = full[1], full[2], made and '1' or ''
end
return reply
