-- What the scripts of threads share. KEYS 1 to 4 of each: history, order, writes, tombstone of one thread.
-- Replies are arrays whose first item says how it went: 'ok', 'same', 'existed', 'stale', 'absent', 'again', 'unindexed',
-- 'conflict' with a reason, 'fenced', 'full' with what is, 'corrupt', 'later'. Everything is checked before the first write.
-- What a script does not need is not in it: the server makes each function anew for each call.

local HISTORY, ORDER, WRITES, TOMBSTONE = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

-- The head of a thread is one field, a list of these.
local HEAD = '<Bc16I6I6I4I4I4I2I4I4I4I6BI6I6I6B'
local FORMAT, GENERATION, EPOCH, SERIAL, VERSIONS, SEGMENTS, TAIL, TAIL_BYTES = 1, 2, 3, 4, 5, 6, 7, 8
local CHECKPOINTS, HIDDEN, PENDING, REPLACED, FENCES, BYTES, WRITTEN_MS, LIFETIME_MS, PINNED =
  9, 10, 11, 12, 13, 14, 15, 16, 17
-- How many descriptions of versions share a field.
local BLOCK = 16

local function text(number) return string.format('%.0f', number) end

-- The head of the thread, nil when there is none; other fields of the history, in a list that begins with the head; and
-- what refuses the thread as it is: a key is missing or of another generation, or a later version has written it.
local function see(...)
  local found = redis.call('HMGET', HISTORY, 'head', ...)
  local packed = found[1]
  if not packed then
    if redis.call('EXISTS', HISTORY, ORDER, WRITES) > 0 then return nil, found, 'corrupt' end
    return nil, found
  end
  if string.byte(packed) ~= 1 then return nil, found, 'later' end
  local head = {struct.unpack(HEAD, packed)}
  local mark = 'g' .. head[GENERATION]
  if head[CHECKPOINTS] + head[HIDDEN] > 0 and not redis.call('ZSCORE', ORDER, mark) then
    return head, found, 'corrupt'
  end
  if head[PENDING] > 0 and not redis.call('ZSCORE', WRITES, mark) then return head, found, 'corrupt' end
  return head, found
end

-- Whether the thread has this life.
local function lives(head, generation, epoch)
  return head and head[GENERATION] == generation and head[EPOCH] == tonumber(epoch)
end
