-- What the scripts share that change a thread.

local TAIL_BYTES_MAX = 4096
local RECENT_BYTES_MAX = 512

-- A head for a thread that is made.
local function new_head(generation)
  return {1, generation, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
end

local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

-- What refuses a holder of a lease, if anything does. `fence` is a token and a lease behind a colon, or '' without one.
local function refused(head, fence)
  local split = string.find(fence, ':', 1, true)
  local token, mark = string.sub(fence, 1, split - 1), redis.call('HGET', HISTORY, 'fence' .. string.sub(fence, split))
  -- Both are decimal numbers without sign, too long for numbers of Lua.
  if mark and (#token < #mark or #token == #mark and token < mark) then return {'fenced'} end
  if not mark and head[FENCES] >= 64 then return {'full', 'leases'} end
end

local function raise(head, fence)
  local split = string.find(fence, ':', 1, true)
  local field, token = 'fence' .. string.sub(fence, split), string.sub(fence, 1, split - 1)
  head[FENCES] = head[FENCES] + redis.call('HSET', HISTORY, field, token)
end

-- Fields of the history that are written at the end, each with its value, behind the head.
local fields = {'HSET', HISTORY, 'head', ''}

-- Sets a field of the history, and counts what it takes. `before` is how much its value took, nil where there was none.
local function set(head, field, value, before)
  head[BYTES] = head[BYTES] + #value - (before or -#field)
  local at = #fields
  fields[at + 1], fields[at + 2] = field, value
  -- No call takes more than some thousand arguments.
  if at > 4000 then
    redis.call('HSET', HISTORY, unpack(fields, 5))
    fields = {'HSET', HISTORY, 'head', ''}
  end
end

-- Sets when the thread ends: '' leaves that to the default, of which there is none; otherwise 'k'ept, 'd'efault, 'p'inned, or
-- 'a'fter, and milliseconds: of the default with the first two. A thread has an end exactly when it has a lifetime.
local function live(head, made, lifetime)
  local mode, ms = string.sub(lifetime, 1, 1), tonumber(string.sub(lifetime, 2)) or 0
  if mode == 'k' and not made then
    -- A key that is made now gets the end of the others.
    if head[LIFETIME_MS] > 0 then head.ends = redis.call('PEXPIRETIME', HISTORY) end
    return
  end
  local had = head[LIFETIME_MS] > 0
  if mode == 'p' then
    head[PINNED], head[LIFETIME_MS] = 1, 0
  elseif mode == 'a' then
    head[PINNED], head[LIFETIME_MS] = 0, ms
  elseif head[PINNED] == 0 then
    head[LIFETIME_MS] = ms
  end
  if head[LIFETIME_MS] > 0 then
    head.ends = now_ms() + head[LIFETIME_MS]
  elseif had then
    head.ends = -1
  end
end

-- Writes what is to be written, gives all keys their end, and tells those who follow the thread: nobody can where the user
-- may not publish. The channel is what the names of the keys begin with. Behind the kind of a change that has set the end
-- stand the milliseconds until then, -1 where there is none now. Returns the head as it is stored.
local function commit(head, what)
  head[SERIAL] = head[SERIAL] + 1
  head[WRITTEN_MS] = now_ms()
  local packed = struct.pack(HEAD, unpack(head, 1, PINNED))
  fields[4] = packed
  redis.call(unpack(fields))
  local ends = head.ends
  for i = 1, ends and 3 or 0 do
    if ends == -1 then
      redis.call('PERSIST', KEYS[i])
    else
      redis.call('PEXPIREAT', KEYS[i], text(ends))
    end
  end
  if ends then
    local left = ends == -1 and -1 or math.max(ends - head[WRITTEN_MS], 0)
    what = string.sub(what, 1, 1) .. text(left) .. string.sub(what, 2)
  end
  redis.pcall('PUBLISH', string.sub(HISTORY, 1, -8), head[GENERATION] .. ':' .. text(head[SERIAL]) .. ':' .. what)
  return packed
end
