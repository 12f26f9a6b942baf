-- What the scripts share that send what values are made from: descriptions of versions, and segments.

local REPLY_BYTES_MAX = 4194304
local SENT_BYTES_MAX = 1048576
local CHAIN_MAX = 1000

-- The writes beside a checkpoint; `place` is its id and namespace.
local function writes_of(place)
  return redis.call('ZRANGEBYLEX', WRITES, '[w' .. place .. '\0', '(w' .. place .. '\1')
end

local blocks = {}
local sent = {versions = {}, segments = {}, seen = {}, bytes = 0}

local function description(number)
  local block = math.floor(number / BLOCK)
  if blocks[block] == nil then
    local row = redis.call('HGET', HISTORY, 'd' .. block)
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
  return list and list[number % BLOCK + 1]
end

-- Sends a segment unless too much has been sent; false when it is not there.
local function send_segment(head, number, most)
  if sent.seen[number] ~= nil then return sent.seen[number] end
  if sent.bytes > (most or SENT_BYTES_MAX) then return true end
  local field, frame = 's' .. number, nil
  if number == head[TAIL] then
    local both = redis.call('HMGET', HISTORY, field, 'recent')
    frame = both[1] and both[1] .. (both[2] or '')
  else
    frame = redis.call('HGET', HISTORY, field)
  end
  sent.seen[number] = frame and true or false
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
local function send_script(head, entry, at, first)
  local segment, body = entry[1], entry[3]
  local last, fresh = 0, 0
  local function pieces(from, len)
    for number = math.floor(from / 65536), math.floor((from + len - 1) / 65536) do
      if segment + number >= first then send_segment(head, segment + number) end
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
      if last >= first then send_segment(head, last) end
    else
      more, at = zigzag(body, at)
      fresh = fresh + more
      pieces(fresh, len)
      fresh = fresh + len
    end
  end
end

-- Sends the description of a version, and with `deep` what it is made from in turn; false when it is not there.
local function send_version(head, number, deep)
  while true do
    local name = 'd' .. number
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
    send_script(head, entry, at, deep and 0 or entry[1])
    if not deep or not base then return true end
    number = base
  end
end

-- Sends what the new versions of a record are made from, as far as it fits; false when something is not there.
local function send_record(head, row, deep)
  local first, count = struct.unpack('<I4I2', row)
  for number = first, first + count - 1 do
    if sent.bytes > SENT_BYTES_MAX or #sent.versions > CHAIN_MAX then break end
    if not send_version(head, number, deep) then return false end
  end
  return true
end

-- Sends the segments from `first` on that writes lie in, as `state-checkpoint` writes them.
local function send_writes(head, members, place, first)
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
        if segment + number >= first then send_segment(head, segment + number) end
      end
    end
  end
end
