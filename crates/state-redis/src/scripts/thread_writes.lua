-- Adds writes beside a checkpoint of a thread, which need not be there.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation of a new thread, 2 whether the thread may be made ('1'), 3 whether a tombstone is passed over ('1'),
--       4 to 6 lifetime: mode, milliseconds, default, 7 lease, 8 token, 9 whether the checkpoint must be the latest ('1'),
--       10 namespace, 11 id, 12 channel, 13 most bytes of the tail, 14 to 17 compressed segment: generation, number, bytes
--       of the raw one, frame, 18 raw content, 19 number of frames, the frames, then task, index and body of each write.
-- Returns: {'ok', written, replaced, kept, generation, full segment, its bytes, whether the thread was made ('1')} | {'absent'}: it may not be made |
--          {'conflict', reason} | {'fenced'} | {'full', what} | {'corrupt'}.
-- Atomic: the whole script. Nothing changes where all writes were there already.
local place = ARGV[11] .. '\0' .. ARGV[10]
local head = read_head()
local buried = false
if head then
  if not whole(head) then return {'corrupt'} end
else
  buried = redis.call('EXISTS', TOMBSTONE) == 1
  if buried and ARGV[3] ~= '1' then return {'conflict', 'deleted'} end
  if orphaned() then return {'corrupt'} end
  head = new_head(ARGV[1])
end
local no = refused(head, ARGV[7], ARGV[8])
if no then return no end
if ARGV[9] == '1' and redis.call('HGET', HEAD, 'latest:' .. ARGV[10]) ~= ARGV[11] then
  return {'conflict', 'latest'}
end
local frames, at = {}, 20
for i = 1, tonumber(ARGV[19]) do frames[i] = ARGV[at]; at = at + 1 end
if head.segments + #frames >= 4294967295 then return {'full', 'segments'} end
local tail, sound = read_tail(head, ARGV[18])
if not sound then return {'corrupt'} end
local written, replaced, kept, taken = 0, 0, 0, {}
for i = at, #ARGV, 3 do
  local name = 'w' .. place .. '\0' .. ARGV[i] .. '\0' .. ARGV[i + 1]
  local old = redis.call('ZRANGEBYLEX', WRITES, '[' .. name .. '\0', '(' .. name .. '\1', 'LIMIT', 0, 1)[1]
  if not old then
    written = written + 1
  elseif tonumber(ARGV[i + 1]) < 0 then
    replaced = replaced + 1
  else
    kept = kept + 1
  end
  if not old or tonumber(ARGV[i + 1]) < 0 then taken[#taken + 1] = {name, ARGV[i + 2], old} end
end
if #taken == 0 then return {'ok', '0', '0', text(kept), head.generation, '', '', ''} end
if head.new and ARGV[2] ~= '1' then return {'absent'} end

live(head, ARGV[4], ARGV[5], ARGV[6])
if buried then redis.call('UNLINK', TOMBSTONE) end
raise(head, ARGV[7], ARGV[8])
mark(head, WRITES)
if ARGV[18] ~= '' or #frames > 0 then mark(head, CONTENT) end
seal(head, ARGV[14], ARGV[15], ARGV[16], ARGV[17])
local segment, offset = add_content(head, ARGV[18], frames, tail, tonumber(ARGV[13]))
local beside = struct.pack('<I4I2I6', segment, offset, head.serial + 1)
for _, write in ipairs(taken) do
  if write[3] then
    redis.call('ZREM', WRITES, write[3])
    head.bytes = head.bytes - #write[3]
  end
  local member = write[1] .. '\0' .. beside .. write[2]
  redis.call('ZADD', WRITES, 0, member)
  head.bytes = head.bytes + #member
end
head.writes = head.writes + written
if replaced > 0 then head.replaced = head.serial + 1 end
commit(head, ARGV[12], 'w:' .. place)
local full = head.full or {'', ''}
return {'ok', text(written), text(replaced), text(kept), head.generation, full[1], full[2], head.new and '1' or ''}
