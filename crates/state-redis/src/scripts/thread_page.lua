-- Reads records by falling id, those of one id by namespace.
-- KEYS: as in thread.lua.
-- ARGV: 1 'c' for records in sight, 'k' for those out of it, 2 whether one namespace is read alone ('1'), 3 that namespace,
--       4 the only id, or '', 5 where to begin: 'n'ewest, 'b'elow an id, or 'a'fter a checkpoint, 6 that id, 7 its namespace,
--       8 most records, 9 whether writes are read ('1'),
--       10 whether what values and writes are made from is sent along ('1'), or writes alone ('w').
-- Returns: {'ok', generation, epoch, serial, where it goes on or '', descriptions, segments, {id and namespace, record, writes} per record} |
--          {'absent'} | {'corrupt'} | {'later'}.
-- Atomic: the whole script, which looks at 1,000 records at most.
local head, _, bad = see()
if bad then return {bad} end
if not head then return {'absent'} end
local letter, limit = ARGV[1], math.min(tonumber(ARGV[8]), 1000)
local places, looked, last, more = {}, 0, nil, false

-- Takes a checkpoint; false when the page is full.
local function take(place)
  if looked >= 1000 or #places >= limit then
    more = true
    return false
  end
  looked = looked + 1
  last = place
  if ARGV[2] ~= '1' or string.sub(place, string.find(place, '\0', 1, true) + 1) == ARGV[3] then
    places[#places + 1] = place
  end
  return true
end

-- Takes those of one id, from a namespace on.
local function take_id(id, after)
  local from = '[' .. letter .. id .. '\0'
  if after then from = '(' .. letter .. id .. '\0' .. after end
  local found = redis.call('ZRANGEBYLEX', ORDER, from, '(' .. letter .. id .. '\1', 'LIMIT', 0, 1001)
  for _, member in ipairs(found) do
    if not take(string.sub(member, 2)) then return false end
  end
  return true
end

local function take_all()
  local bound = letter .. '\255'
  if ARGV[5] == 'b' then bound = letter .. ARGV[6] end
  if ARGV[5] == 'a' then
    if not take_id(ARGV[6], ARGV[7]) then return end
    bound = letter .. ARGV[6]
  end
  while true do
    local found = redis.call('ZREVRANGEBYLEX', ORDER, '(' .. bound, '[' .. letter, 'LIMIT', 0, 100)
    local i = 1
    while i <= #found do
      local id = string.match(found[i], '^.([^%z]*)')
      local same = string.sub(found[i], 1, #id + 2)
      local stop = i
      while stop < #found and string.sub(found[stop + 1], 1, #id + 2) == same do stop = stop + 1 end
      if stop == i and stop < #found then
        if not take(string.sub(found[i], 2)) then return end
      elseif not take_id(id) then
        return
      end
      bound = letter .. id
      i = stop + 1
    end
    if #found < 100 then return end
  end
end

if ARGV[4] == '' then
  take_all()
elseif ARGV[5] == 'a' and ARGV[6] == ARGV[4] then
  take_id(ARGV[4], ARGV[7])
elseif ARGV[5] == 'n' or below(ARGV[4], ARGV[6]) then
  take_id(ARGV[4])
end
local reply = {'ok', head[GENERATION], head[EPOCH], head[SERIAL], more and last or '', {}, {}}
local bytes, before = 0, nil
for _, place in ipairs(places) do
  if bytes > REPLY_BYTES_MAX then
    reply[5] = before
    break
  end
  local row = redis.call('HGET', HISTORY, letter .. place)
  if not row then return {'corrupt'} end
  local writes = {}
  if ARGV[9] == '1' and head[PENDING] > 0 then writes = writes_of(place) end
  bytes = bytes + #row
  for _, write in ipairs(writes) do bytes = bytes + #write end
  reply[#reply + 1] = {place, row, writes}
  before = place
  if ARGV[10] == '1' and not send_record(head, row, true) then return {'corrupt'} end
  if ARGV[10] ~= '' then send_writes(head, writes, place, 0) end
end
reply[6], reply[7] = sent.versions, sent.segments
return reply
