-- What the scripts of threads share. KEYS 1 to 6 of each: head, records, order, content, writes, tombstone of one thread.
-- Replies are arrays whose first item says how it went: 'ok', 'existed', 'stale', 'absent', 'again', 'unindexed',
-- 'conflict' with a reason, 'fenced', 'full' with what is, 'corrupt'. Everything is checked before the first write.

local HEAD, RECORDS, ORDER, CONTENT, WRITES, TOMBSTONE = unpack(KEYS, 1, 6)
local COUNTERS = {'epoch', 'serial', 'versions', 'tail', 'tail_bytes', 'segments', 'checkpoints', 'hidden', 'writes',
  'replaced', 'fences', 'bytes'}
local REPLY_BYTES_MAX = 4194304
local SENT_BYTES_MAX = 1048576
local CHAIN_MAX = 1000

local function text(number) return string.format('%.0f', number) end

local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

-- The head of the thread; nil when there is none.
local function read_head()
  local found = redis.call('HMGET', HEAD, 'generation', 'lifetime_ms', 'pinned', unpack(COUNTERS))
  if not found[1] then return nil end
  local head = {generation = found[1], lifetime = found[2], pinned = found[3], was = {}}
  for i, name in ipairs(COUNTERS) do
    head[name] = tonumber(found[i + 3] or '0')
    head.was[name] = head[name]
  end
  head.was.lifetime_ms, head.was.pinned = found[2] or '', found[3] or ''
  return head
end

-- A head for a thread that is made.
local function new_head(generation)
  local head = {generation = generation, new = true, was = {lifetime_ms = '', pinned = ''}}
  for _, name in ipairs(COUNTERS) do head[name] = 0 end
  head.segments = 1
  return head
end

-- Whether something of a thread is there that has no head.
local function orphaned()
  return redis.call('EXISTS', RECORDS, ORDER, CONTENT, WRITES) > 0
end

-- Whether the thread has no content yet, so that nothing says of which generation that is.
local function is_bare(head)
  return head.versions == 0 and head.segments <= 1 and head.tail_bytes == 0
end

-- Whether every key is there that the head tells of, and of its generation.
local function whole(head)
  local mark = head.generation
  if head.checkpoints + head.hidden > 0 then
    if redis.call('HGET', RECORDS, 'generation') ~= mark then return false end
    if not redis.call('ZSCORE', ORDER, 'g' .. mark) then return false end
  end
  if not is_bare(head) then
    if redis.call('HGET', CONTENT, 'generation') ~= mark then return false end
  end
  if head.writes > 0 and not redis.call('ZSCORE', WRITES, 'g' .. mark) then return false end
  return true
end

-- Whether the thread has this life.
local function lives(head, generation, epoch)
  return head and head.generation == generation and head.epoch == tonumber(epoch)
end

-- Compares decimal numbers without sign.
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

-- Compares texts by their bytes; Lua would follow the locale of the server.
local function below(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- What refuses a holder of a lease, if anything does.
local function refused(head, lease, token)
  if lease == '' then return nil end
  local mark = redis.call('HGET', HEAD, 'fence:' .. lease)
  if mark and less(token, mark) then return {'fenced'} end
  if not mark and head.fences >= 64 then return {'full', 'leases'} end
end

local function raise(head, lease, token)
  if lease == '' then return end
  head.fences = head.fences + redis.call('HSET', HEAD, 'fence:' .. lease, token)
end

-- Says when the thread ends: 'k'ept, 'd'efault, 'p'inned, or 'a'fter so many milliseconds.
local function live(head, mode, ms, default)
  local before = -1
  if not head.new then before = redis.call('PEXPIRETIME', HEAD) end
  if mode == 'k' and head.new then mode = 'd' end
  if mode == 'k' then
    head.ends = before
  elseif mode == 'p' then
    head.pinned, head.lifetime, head.ends = '1', false, -1
  elseif mode == 'a' then
    head.pinned, head.lifetime, head.ends = false, ms, now_ms() + tonumber(ms)
  elseif head.pinned then
    head.ends = -1
  elseif default ~= '' then
    head.lifetime, head.ends = default, now_ms() + tonumber(default)
  else
    head.lifetime, head.ends = false, -1
  end
  head.endless = before == -1 and head.ends == -1
end

-- Gives all keys of the thread its end.
local function settle(head)
  if head.endless then return end
  for i = 1, 5 do
    if head.ends == -1 then
      redis.call('PERSIST', KEYS[i])
    else
      redis.call('PEXPIREAT', KEYS[i], text(head.ends))
    end
  end
end

-- Writes back what has changed of the head, and tells those who follow the thread. Nobody can follow where the user may not publish.
local function commit(head, channel, what)
  head.serial = head.serial + 1
  local fields = {'generation', head.generation, 'written_ms', text(now_ms())}
  for _, name in ipairs(COUNTERS) do
    if head[name] ~= head.was[name] then
      fields[#fields + 1] = name
      fields[#fields + 1] = text(head[name])
    end
  end
  for name, value in pairs({lifetime_ms = head.lifetime or '', pinned = head.pinned or ''}) do
    if value == head.was[name] then
    elseif value == '' then
      redis.call('HDEL', HEAD, name)
    else
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  redis.call('HSET', HEAD, unpack(fields))
  if head.ends then settle(head) end
  redis.pcall('PUBLISH', channel, head.generation .. ':' .. text(head.serial) .. ':' .. what)
end

-- Sets a field of a hash, and counts what it takes.
local function set(head, key, field, value, before)
  redis.call('HSET', key, field, value)
  head.bytes = head.bytes + #value - (before or -#field)
end

local function mark(head, key)
  if key == RECORDS or key == CONTENT then
    redis.call('HSETNX', key, 'generation', head.generation)
  else
    redis.call('ZADD', key, 0, 'g' .. head.generation)
  end
end

-- The end of the log as it is, and whether it is as the head says.
local function read_tail(head, raw)
  if raw == '' or head.tail_bytes == 0 then return nil, true end
  local tail = redis.call('HGET', CONTENT, 's' .. text(head.tail))
  return tail, tail and #tail == head.tail_bytes + 1
end

-- Adds content, and says in which segment and where in it. `full` becomes the tail that had no room, to be compressed.
local function add_content(head, raw, frames, tail, most)
  if #frames > 0 then
    local first = head.segments
    for i, frame in ipairs(frames) do set(head, CONTENT, 's' .. text(first + i - 1), frame) end
    head.segments = first + #frames
    return first, 0
  end
  if raw == '' then return head.tail, head.tail_bytes end
  if tail and head.tail_bytes + #raw <= most then
    local offset = head.tail_bytes
    set(head, CONTENT, 's' .. text(head.tail), tail .. raw, #tail)
    head.tail_bytes = offset + #raw
    return head.tail, offset
  end
  if tail then
    head.full = {text(head.tail), tail}
    head.tail = head.segments
    head.segments = head.segments + 1
  end
  set(head, CONTENT, 's' .. text(head.tail), '\0' .. raw)
  head.tail_bytes = #raw
  return head.tail, 0
end

-- Puts a compressed segment in the place of the raw one, if that is there still.
local function seal(head, generation, number, raw_bytes, frame)
  if generation ~= head.generation or number == text(head.tail) then return end
  local raw = redis.call('HGET', CONTENT, 's' .. number)
  if raw and #raw == tonumber(raw_bytes) and string.byte(raw) == 0 then
    set(head, CONTENT, 's' .. number, frame, #raw)
  end
end

-- Which rows hold versions by place: those of a level are written until there are twice as many versions.
local function level_of(versions)
  local level, rows = 0, math.floor(versions / 64) + 1
  while rows >= 2 do
    level = level + 1
    rows = math.floor(rows / 2)
  end
  return level
end

local function places_row(level, place)
  return 'p' .. level .. ':' .. text(struct.unpack('<I4', place) % 2 ^ level)
end

-- The writes beside a checkpoint; `place` is its id and namespace.
local function writes_of(place)
  return redis.call('ZRANGEBYLEX', WRITES, '[w' .. place .. '\0', '(w' .. place .. '\1')
end

-- What values are made from: descriptions of versions, and segments.
local blocks = {}
local sent = {versions = {}, segments = {}, seen = {}, bytes = 0}

local function description(number)
  local block = math.floor(number / 64)
  if blocks[block] == nil then
    local row = redis.call('HGET', CONTENT, 'd' .. text(block))
    local list = false
    if row then
      list = {}
      local at = 1
      while at <= #row do
        local segment, offset, len
        segment, offset, len, at = struct.unpack('<I4I2I3', row, at)
        list[#list + 1] = {segment, offset, string.sub(row, at, at + len - 1)}
        at = at + len
      end
    end
    blocks[block] = list
  end
  local list = blocks[block]
  return list and list[number % 64 + 1]
end

local function send_segment(number, most)
  local field = 's' .. text(number)
  if sent.seen[field] ~= nil then return sent.seen[field] end
  if sent.bytes > (most or SENT_BYTES_MAX) then return true end
  local frame = redis.call('HGET', CONTENT, field)
  sent.seen[field] = frame and true or false
  if frame then
    sent.bytes = sent.bytes + #frame
    table.insert(sent.segments, text(number))
    table.insert(sent.segments, frame)
  end
  return frame and true
end

local function varint(bytes, at)
  local value, scale = 0, 1
  while true do
    local byte = string.byte(bytes, at) or 0
    at = at + 1
    if byte < 128 then return value + byte * scale, at end
    value = value + (byte - 128) * scale
    scale = scale * 128
  end
end

local function zigzag(bytes, at)
  local value
  value, at = varint(bytes, at)
  if value % 2 == 0 then return value / 2, at end
  return -(value + 1) / 2, at
end

-- Sends the segments from `first` on that a script needs, as `state-checkpoint` writes it.
local function send_script(entry, at, first)
  local segment, offset, body = entry[1], entry[2], entry[3]
  local last, fresh = 0, 0
  local function pieces(from, len)
    for number = math.floor(from / 65536), math.floor((from + len - 1) / 65536) do
      if segment + number >= first then send_segment(segment + number) end
    end
  end
  if math.floor(string.byte(body) / 2) % 2 == 1 then
    local from, len
    from, at = varint(body, at)
    len, at = varint(body, at)
    return pieces(from, len)
  end
  while at <= #body do
    local step, more
    step, at = varint(body, at)
    local kind, len = step % 4, math.floor(step / 4)
    if kind == 0 then
      more, at = zigzag(body, at)
    elseif kind == 1 then
      at = at + len
    elseif kind == 2 then
      more, at = zigzag(body, at)
      last = last + more
      more, at = zigzag(body, at)
      if last >= first then send_segment(last) end
    else
      more, at = zigzag(body, at)
      fresh = fresh + more
      pieces(fresh, len)
      fresh = fresh + len
    end
  end
end

-- Sends the description of a version, and with `deep` what it is made from in turn; false when it is not there.
local function send_version(number, deep)
  while true do
    local name = 'd' .. text(number)
    if sent.seen[name] then return true end
    local entry = description(number)
    if not entry then return false end
    sent.seen[name] = true
    sent.bytes = sent.bytes + #entry[3]
    table.insert(sent.versions, {text(number), text(entry[1]), text(entry[2]), entry[3]})
    local first = string.byte(entry[3])
    if not first or math.floor(first / 4) % 4 ~= 0 then return true end
    if sent.bytes > SENT_BYTES_MAX or #sent.versions > CHAIN_MAX then return true end
    local at, base = 2, nil
    if math.floor(first / 16) == 0 then
      local len
      len, at = varint(entry[3], at)
      at = at + len
    end
    at = at + 4
    if first % 2 == 1 then
      base, at = varint(entry[3], at)
      local _
      _, at = varint(entry[3], at)
    end
    send_script(entry, at, deep and 0 or entry[1])
    if not deep or not base then return true end
    number = base
  end
end

-- Sends the segments from `first` on that writes lie in, as `state-checkpoint` writes them.
local function send_writes(members, place, first)
  for _, member in ipairs(members) do
    local at = #place + 3
    at = string.find(member, '\0', at, true) + 1
    at = string.find(member, '\0', at, true) + 1
    local segment
    segment, at = struct.unpack('<I4', member, at), at + 12
    if string.byte(member, at) == 1 then
      at = at + 1
      for _ = 1, 3 do
        local len
        len, at = varint(member, at)
        at = at + len
      end
      local from, len
      from, at = varint(member, at)
      len, at = varint(member, at)
      for number = math.floor(from / 65536), math.floor((from + len - 1) / 65536) do
        if segment + number >= first then send_segment(segment + number) end
      end
    end
  end
end
