-- Adds writes beside a checkpoint of a thread, which need not be there.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation of a new thread, 2 whether the thread may be made ('1'), 3 whether a tombstone is passed over ('1'),
--       4 lifetime, 5 fence, 6 whether the checkpoint must be the latest ('1'), 7 namespace, 8 id, 9 compressed segment or '',
--       10 raw content, 11 number of frames, the frames, then task, index and body of each write.
-- Returns: {'ok', written, replaced, kept, head, length of what is recent or -1}, then as thread_append.lua | {'absent'}: it may not be made |
--          {'conflict', reason} | {'fenced'} | {'full', what} | {'corrupt'} | {'later'}.
-- Atomic: the whole script. Nothing changes where all writes were there already.
local place, raw = ARGV[8] .. '\0' .. ARGV[7], ARGV[10]
local head, found, bad = see('latest:' .. ARGV[7], 'recent')
if bad then return {bad} end
local made, buried = not head, false
if made then
  buried = redis.call('EXISTS', TOMBSTONE) == 1
  if buried and ARGV[3] ~= '1' then return {'conflict', 'deleted'} end
  head = new_head(ARGV[1])
end
if ARGV[5] ~= '' then
  local no = refused(head, ARGV[5])
  if no then return no end
end
if ARGV[6] == '1' and found[2] ~= ARGV[8] then return {'conflict', 'latest'} end
local frames, at = {}, 12
for i = 1, tonumber(ARGV[11]) do frames[i] = ARGV[at]; at = at + 1 end
if head[SEGMENTS] + #frames >= 4294967295 then return {'full', 'segments'} end
local tail = read_tail(head, raw, found[3])
if not tail then return {'corrupt'} end
-- Names and bodies of the writes that are added, one behind the other, and the members that they replace.
local written, kept, added, replaced, known = 0, 0, {}, {}, {}
local few = #ARGV - at < 30
for i = at, #ARGV, 3 do
  local task = 'w' .. place .. '\0' .. ARGV[i]
  local name, old = task .. '\0' .. ARGV[i + 1] .. '\0', nil
  -- Most calls bring what a task writes for the first time. With few writes, asking that is more than asking for each.
  if known[task] == nil then
    known[task] = head[PENDING] > 0
      and (few or redis.call('ZLEXCOUNT', WRITES, '[' .. task .. '\0', '(' .. task .. '\1') > 0)
  end
  if known[task] then
    old = redis.call('ZRANGEBYLEX', WRITES, '[' .. name, '(' .. string.sub(name, 1, -2) .. '\1', 'LIMIT', 0, 1)[1]
  end
  if old and tonumber(ARGV[i + 1]) >= 0 then
    kept = kept + 1
  else
    if old then replaced[#replaced + 1] = old else written = written + 1 end
    added[#added + 1], added[#added + 2] = name, ARGV[i + 2]
  end
end
if #added == 0 then return {'ok', 0, 0, kept, found[1], head.recent} end
if made and ARGV[2] ~= '1' then return {'absent'} end

if ARGV[4] ~= '' or head[LIFETIME_MS] > 0 then live(head, made, ARGV[4]) end
if buried then redis.call('UNLINK', TOMBSTONE) end
if ARGV[5] ~= '' then raise(head, ARGV[5]) end
if ARGV[9] ~= '' then seal(head, ARGV[9]) end
if head[PENDING] == 0 then redis.call('ZADD', WRITES, '0', 'g' .. head[GENERATION]) end
local segment, offset = add_content(head, tail, raw, frames)
local beside = struct.pack('<I4I2I6', segment, offset, head[SERIAL] + 1)
for _, member in ipairs(replaced) do
  redis.call('ZREM', WRITES, member)
  head[BYTES] = head[BYTES] - #member
end
local call = {'ZADD', WRITES}
for i = 1, #added, 2 do
  local member = added[i] .. beside .. added[i + 1]
  head[BYTES] = head[BYTES] + #member
  call[#call + 1], call[#call + 2] = '0', member
  -- No call takes more than some thousand arguments.
  if #call > 4000 or i + 1 == #added then
    redis.call(unpack(call))
    call = {'ZADD', WRITES}
  end
end
head[PENDING] = head[PENDING] + written
if #replaced > 0 then head[REPLACED] = head[SERIAL] + 1 end
local reply = {'ok', written, #replaced, kept, commit(head, 'w:' .. place), head.recent}
if head.full or made then
  local full = head.full or {'', ''}
  reply[7], reply[8], reply[9] = full[1], full[2], made and '1' or ''
end
return reply
