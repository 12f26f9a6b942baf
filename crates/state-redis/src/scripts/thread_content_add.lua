-- What the scripts share that add content. The last segment of the log, the tail, lies in its field and in `recent`, a field
-- that takes small pieces, so that most of them do not rewrite the whole. Scripts pay for each byte of what they read.

-- What has to be read of the tail to add `raw`: what is recent, and the rest where that has no room. nil where it is not as
-- the head says.
local function read_tail(head, raw, recent)
  local tail = {recent = recent or '', before = recent and #recent}
  head.recent = tail.before or -1
  if raw == '' or head[TAIL_BYTES] == 0 or #tail.recent + #raw <= RECENT_BYTES_MAX
    and head[TAIL_BYTES] + #raw <= TAIL_BYTES_MAX then
    return tail
  end
  tail.whole = redis.call('HGET', HISTORY, 's' .. head[TAIL])
  if tail.whole and #tail.whole + #tail.recent == head[TAIL_BYTES] + 1 then return tail end
end

-- Adds content: `raw`, or frames, segments of their own. Says in which segment it lies and where in it, in `head.full` which
-- tail had no room, to be compressed, and in `head.recent` how long what is recent is, -1 where there is no such field.
local function add_content(head, tail, raw, frames)
  if #frames > 0 then
    local first = head[SEGMENTS]
    for i, frame in ipairs(frames) do set(head, 's' .. (first + i - 1), frame) end
    head[SEGMENTS] = first + #frames
    return first, 0
  end
  local offset = head[TAIL_BYTES]
  if raw == '' then return head[TAIL], offset end
  local recent, whole = tail.recent, tail.whole
  if offset > 0 and not whole then
    set(head, 'recent', recent .. raw, tail.before)
    head.recent = #recent + #raw
    head[TAIL_BYTES] = offset + #raw
    return head[TAIL], offset
  end
  if recent ~= '' then
    set(head, 'recent', '', tail.before)
    head.recent = 0
  end
  if whole and offset + #raw <= TAIL_BYTES_MAX then
    set(head, 's' .. head[TAIL], whole .. recent .. raw, #whole)
    head[TAIL_BYTES] = offset + #raw
    return head[TAIL], offset
  end
  if whole then
    head.full = {text(head[TAIL]), whole .. recent}
    set(head, 's' .. head[TAIL], head.full[2], #whole)
    head[TAIL] = head[SEGMENTS]
    head[SEGMENTS] = head[SEGMENTS] + 1
  end
  set(head, 's' .. head[TAIL], '\0' .. raw)
  head[TAIL_BYTES] = #raw
  return head[TAIL], 0
end

-- Puts a compressed segment in the place of a raw one. `sealed` is a generation, the number of the segment (4 bytes), how long
-- the raw one is (2 bytes), and the frame, which is shorter.
local function seal(head, sealed)
  local number, raw_bytes, at = struct.unpack('<I4I2', sealed, 17)
  if string.sub(sealed, 1, 16) ~= head[GENERATION] or number == head[TAIL] then return end
  if redis.call('HSTRLEN', HISTORY, 's' .. number) == raw_bytes then
    set(head, 's' .. number, string.sub(sealed, at), raw_bytes)
  end
end
