-- The rest of thread_load.lua: sends what the caller does not have at hand.
local place, row = id .. '\0' .. namespace, ''
if not same then
  row = redis.call('HGET', HISTORY, 'c' .. place)
  if not row and ARGV[3] == '1' then row = redis.call('HGET', HISTORY, 'k' .. place) end
  if not row then
    if ARGV[1] == '' then return {'corrupt'} end
    return {'absent'}
  end
  if ARGV[9] == '1' and not send_record(head, row, not alive) then return {'corrupt'} end
end
local writes = {}
if ARGV[4] == '1' and head[PENDING] > 0 then
  writes = writes_of(place)
  -- Who knows the thread has all but the end of its log.
  if ARGV[9] == '1' then send_writes(head, writes, place, same and head[TAIL] or 0) end
end
return {'ok', found[1], id, row, writes, sent.versions, sent.segments}
