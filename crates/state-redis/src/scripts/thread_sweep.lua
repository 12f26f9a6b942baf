-- Takes content away that nothing is made from any more.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation, 2 epoch, 3 serial, 4 how many segments go, their numbers, then of each block of descriptions its number
--       and for each description whether it stays ('1' or '0').
-- Returns: {'ok', serial} | {'stale'} | {'corrupt'} | {'later'}.
-- Atomic: the whole script.
local head, _, bad = see()
if bad then return {bad} end
if not lives(head, ARGV[1], ARGV[2]) or ARGV[3] ~= text(head[SERIAL]) then return {'stale'} end
local stop = 4 + tonumber(ARGV[4])
for i = 5, stop do
  local field = 's' .. ARGV[i]
  if ARGV[i] ~= text(head[TAIL]) then
    local len = redis.call('HSTRLEN', HISTORY, field)
    if redis.call('HDEL', HISTORY, field) == 1 then head[BYTES] = head[BYTES] - len - #field end
  end
end
for i = stop + 1, #ARGV, 2 do
  local field, kept = 'd' .. ARGV[i], ARGV[i + 1]
  local row = redis.call('HGET', HISTORY, field)
  local open = (tonumber(ARGV[i]) + 1) * BLOCK > head[VERSIONS]
  if row and not open and not string.find(kept, '1', 1, true) then
    redis.call('HDEL', HISTORY, field)
    head[BYTES] = head[BYTES] - #row - #field
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
    set(head, field, table.concat(out), #row)
  end
end
commit(head, '-:')
return {'ok', head[SERIAL]}
