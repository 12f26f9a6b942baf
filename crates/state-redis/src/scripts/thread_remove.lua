-- Removes records of a thread, or takes them out of sight.
-- KEYS: as in thread.lua.
-- ARGV: 1 generation, 2 epoch, 3 fence, 4 how many go with their writes, 5 a random text, the same when this is sent again, then
--       id and namespace of each of these, then of those that go out of sight; at most 1,000 together.
-- Returns: {'ok', how many are gone, how many are out of sight, whether nothing is left (1 or 0)} | {'stale'} | {'fenced'} |
--          {'full', what} | {'corrupt'} | {'later'}.
-- Atomic: the whole script. It raises the epoch, so that what was read before is not relied on; what is sent again because
-- its answer was lost is answered as the first time.
local head, _, bad = see()
if bad then return {bad} end
if not lives(head, ARGV[1], ARGV[2]) then
  local done = head and redis.call('HGET', HISTORY, 'removed')
  if not done or string.sub(done, 1, #ARGV[5]) ~= ARGV[5] then return {'stale'} end
  local gone, hidden = struct.unpack('<I4I4', done, #ARGV[5] + 1)
  return {'ok', gone, hidden, head[CHECKPOINTS] + head[PENDING] == 0 and 1 or 0}
end
if ARGV[3] ~= '' then
  local no = refused(head, ARGV[3])
  if no then return no end
  raise(head, ARGV[3])
end
local gone, hidden, going, namespaces = 0, 0, tonumber(ARGV[4]), {}

local function drop(member)
  local row = redis.call('HGET', HISTORY, member)
  if not row then return nil end
  redis.call('HDEL', HISTORY, member)
  redis.call('ZREM', ORDER, member)
  head[BYTES] = head[BYTES] - #row - 2 * #member
  return row
end

for i = 6, #ARGV do
  local place = ARGV[i]
  local row = drop('c' .. place)
  if row then
    head[CHECKPOINTS] = head[CHECKPOINTS] - 1
    local split = string.find(place, '\0', 1, true)
    namespaces[string.sub(place, split + 1)] = true
  end
  if i - 5 > going then
    if row then
      hidden = hidden + 1
      if redis.call('HSETNX', HISTORY, 'k' .. place, row) == 1 then
        redis.call('ZADD', ORDER, '0', 'k' .. place)
        head[HIDDEN] = head[HIDDEN] + 1
        head[BYTES] = head[BYTES] + #row + 2 * #place + 2
      end
    end
  else
    local unseen = drop('k' .. place)
    if unseen then head[HIDDEN] = head[HIDDEN] - 1 end
    if row or unseen then gone = gone + 1 end
    for _, write in ipairs(writes_of(place)) do head[BYTES] = head[BYTES] - #write end
    local writes = redis.call('ZREMRANGEBYLEX', WRITES, '[w' .. place .. '\0', '(w' .. place .. '\1')
    head[PENDING] = head[PENDING] - writes
  end
end

-- The greatest id of a namespace that is left, found from the newest on.
local function find_latest(namespace)
  local bound = 'c\255'
  while true do
    local found = redis.call('ZREVRANGEBYLEX', ORDER, '(' .. bound, '[c', 'LIMIT', 0, 1000)
    for _, member in ipairs(found) do
      local split = string.find(member, '\0', 1, true)
      if string.sub(member, split + 1) == namespace then return string.sub(member, 2, split - 1) end
    end
    if #found < 1000 then return nil end
    bound = found[1000]
  end
end

for namespace in pairs(namespaces) do
  local field = 'latest:' .. namespace
  local latest = redis.call('HGET', HISTORY, field)
  if latest and not redis.call('ZSCORE', ORDER, 'c' .. latest .. '\0' .. namespace) then
    local now = find_latest(namespace)
    if now then redis.call('HSET', HISTORY, field, now) else redis.call('HDEL', HISTORY, field) end
  end
end
head[EPOCH] = head[EPOCH] + 1
redis.call('HSET', HISTORY, 'removed', ARGV[5] .. struct.pack('<I4I4', gone, hidden))
commit(head, gone + hidden > 0 and 'c:' or '-:')
return {'ok', gone, hidden, head[CHECKPOINTS] + head[PENDING] == 0 and 1 or 0}
