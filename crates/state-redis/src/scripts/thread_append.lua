-- Adds a checkpoint to a thread.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation of a new thread, 2 and 3 generation and epoch that older numbers are of ('' for none), 4 whether the
--       thread may be made ('1'), 5 whether a tombstone is passed over ('1'), 6 to 8 lifetime: mode, milliseconds, default,
--       9 lease, 10 token, 11 whether the parent must be the latest ('1'), 12 parent, 13 namespace, 14 id, 15 digest,
--       16 record, 17 run, 18 generation in which the run is in its index, 19 channel, 20 most bytes of the tail,
--       21 to 24 compressed segment: generation, number, bytes of the raw one, frame, 25 raw content, then lists, each after
--       its length: frames; versions, place and description each; places without a value.
-- Returns: {'ok', generation, epoch, version, segment, offset, full segment, its bytes, whether the thread was
--          made ('1')} | {'existed'} | {'stale'} |
--          {'absent'}: it may not be made | {'unindexed', generation}: the run comes first | {'conflict', reason} |
--          {'fenced'} | {'full', what} | {'corrupt'}.
-- Atomic: the whole script.
local place = ARGV[14] .. '\0' .. ARGV[13]
local head = read_head()
if ARGV[2] ~= '' and not lives(head, ARGV[2], ARGV[3]) then return {'stale'} end
local buried = false
if head then
  if not whole(head) then return {'corrupt'} end
else
  buried = redis.call('EXISTS', TOMBSTONE) == 1
  if buried and ARGV[5] ~= '1' then return {'conflict', 'deleted'} end
  if orphaned() then return {'corrupt'} end
  head = new_head(ARGV[1])
end
local no = refused(head, ARGV[9], ARGV[10])
if no then return no end
local there = redis.call('HGET', RECORDS, 'c' .. place)
if there then
  if string.sub(there, 14, 21) == ARGV[15] then return {'existed'} end
  return {'conflict', 'id'}
end
local latest = redis.call('HGET', HEAD, 'latest:' .. ARGV[13])
if ARGV[11] == '1' and (latest or '') ~= ARGV[12] then return {'conflict', 'parent'} end
if head.new and ARGV[4] ~= '1' then return {'absent'} end
local run = ARGV[17]
if run ~= '' and redis.call('ZSCORE', ORDER, 'r' .. run) then run = '' end
if run ~= '' and not head.new and ARGV[18] ~= head.generation then return {'unindexed', head.generation} end
local tail, sound = read_tail(head, ARGV[25])
if not sound then return {'corrupt'} end
local frames, at = {}, 27
for i = 1, tonumber(ARGV[26]) do frames[i] = ARGV[at]; at = at + 1 end
local count = tonumber(ARGV[at])
local first = head.versions
if first + count >= 2147483647 then return {'full', 'versions'} end
if head.segments + #frames >= 4294967295 then return {'full', 'segments'} end
local block, row = math.floor(first / 64), nil
if first % 64 > 0 then
  row = redis.call('HGET', CONTENT, 'd' .. text(block))
  if not row then return {'corrupt'} end
end

live(head, ARGV[6], ARGV[7], ARGV[8])
if buried then redis.call('UNLINK', TOMBSTONE) end
raise(head, ARGV[9], ARGV[10])
if head.checkpoints + head.hidden == 0 then
  mark(head, RECORDS)
  mark(head, ORDER)
end
local bare = is_bare(head)
seal(head, ARGV[21], ARGV[22], ARGV[23], ARGV[24])
local segment, offset = add_content(head, ARGV[25], frames, tail, tonumber(ARGV[20]))
local level = level_of(first)
local rows = {}
local function found_by(by, number)
  local field = places_row(level, by)
  rows[field] = (rows[field] or '') .. by .. struct.pack('<I4', number)
end
at = at + 1
local before = row and #row
row = row or ''
for number = first, first + count - 1 do
  if math.floor(number / 64) ~= block then
    set(head, CONTENT, 'd' .. text(block), row, before)
    block, row, before = math.floor(number / 64), '', nil
  end
  row = row .. struct.pack('<I4I2I3', segment, offset, #ARGV[at + 1]) .. ARGV[at + 1]
  if ARGV[at] ~= '' then found_by(ARGV[at], number * 2) end
  at = at + 2
end
if count > 0 then set(head, CONTENT, 'd' .. text(block), row, before) end
for i = at + 1, at + tonumber(ARGV[at]) do found_by(ARGV[i], first * 2 + 1) end
for field, added in pairs(rows) do
  local old = redis.call('HGET', CONTENT, field)
  set(head, CONTENT, field, (old or '') .. added, old and #old)
end
if bare then mark(head, CONTENT) end
head.versions = first + count
head.checkpoints = head.checkpoints + 1
set(head, RECORDS, 'c' .. place, struct.pack('<I4I2I6', first, count, head.serial + 1) .. ARGV[16])
redis.call('ZADD', ORDER, 0, 'c' .. place)
if run ~= '' then redis.call('ZADD', ORDER, 0, 'r' .. run) end
head.bytes = head.bytes + #place + 1
if not latest or below(latest, ARGV[14]) then redis.call('HSET', HEAD, 'latest:' .. ARGV[13], ARGV[14]) end
commit(head, ARGV[19], 'p:' .. place)
local full = head.full or {'', ''}
return {'ok', head.generation, text(head.epoch), text(first), text(segment), text(offset), full[1], full[2],
  head.new and '1' or ''}
