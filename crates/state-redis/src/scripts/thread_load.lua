-- Reads one checkpoint with the writes beside it, and what its new values are made from.
-- KEYS: as in thread.lua.
-- ARGV: 1 id, or '' for the latest, 2 namespace, 3 whether one out of sight is read too ('1'), 4 whether writes are read
--       ('1'), 5 to 7 generation, epoch and id of the checkpoint that the caller has at hand, 8 whether the lifetime begins
--       anew ('1'), 9 whether what values and writes are made from is sent along ('1').
-- Returns: {'ok', generation, epoch, id, record or '', writes, descriptions, segments} | {'absent'} | {'corrupt'}.
-- Whoever has another checkpoint of this life at hand is sent what is new alone; others all that it is made from, in turn.
-- Atomic: the whole script.
local head = read_head()
if not head then
  if orphaned() then return {'corrupt'} end
  return {'absent'}
end
if not whole(head) then return {'corrupt'} end
if ARGV[8] == '1' and head.lifetime and not head.pinned then
  head.ends = now_ms() + tonumber(head.lifetime)
  settle(head)
end
local id = ARGV[1]
if id == '' then id = redis.call('HGET', HEAD, 'latest:' .. ARGV[2]) end
if not id then return {'absent'} end
local place = id .. '\0' .. ARGV[2]
local alive = lives(head, ARGV[5], ARGV[6])
local row = ''
if not alive or id ~= ARGV[7] then
  row = redis.call('HGET', RECORDS, 'c' .. place)
  if not row and ARGV[3] == '1' then row = redis.call('HGET', RECORDS, 'k' .. place) end
  if not row then
    if ARGV[1] == '' then return {'corrupt'} end
    return {'absent'}
  end
  local first, count = struct.unpack('<I4I2', row)
  if ARGV[9] ~= '1' then count = 0 end
  for number = first, first + count - 1 do
    if sent.bytes > SENT_BYTES_MAX or #sent.versions > CHAIN_MAX then break end
    if not send_version(number, not alive) then return {'corrupt'} end
  end
end
local writes = {}
if ARGV[4] == '1' then
  writes = writes_of(place)
  -- Who knows the thread has all but the end of its log.
  if ARGV[9] == '1' then send_writes(writes, place, alive and row == '' and head.tail or 0) end
end
return {'ok', head.generation, text(head.epoch), id, row, writes, sent.versions, sent.segments}
