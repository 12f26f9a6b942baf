-- Takes content away that nothing is made from any more.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation, 2 epoch, 3 serial, 4 channel, 5 how many segments go, their numbers, then of each block of
--       descriptions its number and for each description whether it stays ('1' or '0').
-- Returns: {'ok', serial} | {'stale'} | {'corrupt'}.
-- Atomic: the whole script.
local head = read_head()
if not lives(head, ARGV[1], ARGV[2]) or ARGV[3] ~= text(head.serial) then return {'stale'} end
if not whole(head) then return {'corrupt'} end
local stop = 5 + tonumber(ARGV[5])
for i = 6, stop do
  local field = 's' .. ARGV[i]
  if ARGV[i] ~= text(head.tail) then
    local len = redis.call('HSTRLEN', CONTENT, field)
    if redis.call('HDEL', CONTENT, field) == 1 then head.bytes = head.bytes - len - #field end
  end
end
for i = stop + 1, #ARGV, 2 do
  local field, kept = 'd' .. ARGV[i], ARGV[i + 1]
  local row = redis.call('HGET', CONTENT, field)
  local open = (tonumber(ARGV[i]) + 1) * 64 > head.versions
  if row and not open and not string.find(kept, '1', 1, true) then
    redis.call('HDEL', CONTENT, field)
    head.bytes = head.bytes - #row - #field
  elseif row then
    local out, at, number = {}, 1, 0
    while at <= #row do
      local segment, offset, len, body = struct.unpack('<I4I2I3', row, at)
      number = number + 1
      if string.sub(kept, number, number) == '1' then
        out[number] = string.sub(row, at, body + len - 1)
      else
        out[number] = struct.pack('<I4I2I3', 0, 0, 0)
      end
      at = body + len
    end
    set(head, CONTENT, field, table.concat(out), #row)
  end
end
commit(head, ARGV[4], '-:')
return {'ok', text(head.serial)}
