-- What all scripts share. Replies are arrays whose first item says how it went: 'ok', 'conflict', 'fenced',
-- 'invalid' with a reason, 'corrupt', or 'replay' with the remembered result. Everything is checked before
-- the first write.

-- The version of the entry at a key; false when there is none. A key of another type is an error of the server.
local function version_at(key)
  local head = redis.call('GETRANGE', key, 0, 17)
  if head == '' then return false end
  if #head < 18 or string.sub(head, 1, 2) ~= 'S1' then return nil end
  return string.sub(head, 3, 18)
end

-- Whether what is at the key satisfies a precondition: 'a'lways, 'n'othing there, 'p'resent, 'm'atches.
local function holds(version, kind, wanted)
  if kind == 'n' then return not version end
  if kind == 'p' then return version and true end
  if kind == 'm' then return version == wanted end
  return true
end

-- Compares two decimal numbers without sign; numbers of Lua are too short for them.
local function less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

-- Whether a fencing token is stale. An empty lease means no fence.
local function stale(marks, lease, token)
  if lease == '' then return false end
  local mark = redis.call('HGET', marks, lease)
  return mark and less(token, mark)
end

-- Marks live for a week after they were raised last; tokens are server time, so an older one is smaller anyway.
local function raise(marks, lease, token)
  if lease == '' then return end
  redis.call('HSET', marks, lease, token)
  redis.call('PEXPIRE', marks, 604800000)
end

-- Looks an operation up: its result, or false; or nil when the id was used for another operation.
local function remembered(key, digest)
  if digest == '' then return false end
  local stored = redis.call('GET', key)
  if not stored then return false end
  if string.sub(stored, 1, #digest) ~= digest then return nil end
  return string.sub(stored, #digest + 1)
end

local function remember(key, digest, result)
  if digest == '' then return end
  redis.call('SET', key, digest .. result, 'PX', 300000)
end

-- The time of the server in microseconds, as text.
local function now_us()
  local now = redis.call('TIME')
  return string.format('%.0f', now[1] * 1000000 + now[2])
end

-- The end of a change log: the last id, its number, the generation and the time of the last event.
local function end_of(stream)
  local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)[1]
  if not last then return {id = '', number = 0, empty = redis.call('EXISTS', stream) == 1} end
  local number = tonumber(string.match(last[1], '^%d+'))
  return {id = last[1], number = number, generation = last[2][2], at = last[2][4]}
end

-- Appends an event to a change log that ends at `tail`, and moves the end. An id is the number of the event, which counts
-- from 1 in each generation, and a nonce; time never goes back. A log that was emptied by hand begins a generation.
local function append(stream, tail, max, nonce, ...)
  if tail.empty then
    redis.call('UNLINK', stream)
    tail.empty = nil
  end
  local at = now_us()
  if tail.at and less(at, tail.at) then at = tail.at end
  tail.number = tail.number + 1
  tail.generation = tail.generation or nonce
  tail.at = at
  tail.id = string.format('%.0f', tail.number) .. '-' .. nonce
  redis.call('XADD', stream, 'MAXLEN', '~', max, tail.id, 'g', tail.generation, 't', at, ...)
end

-- What a namespace with an index or a log notes of a change: `member` stands for the key in both. An index and the end of
-- the log are looked at before anything is written, so that a key of another type is refused in time.
local ends = {}
local function noting(index, stream, max, nonce, member)
  if index then redis.call('ZCARD', index) end
  if stream and not ends[stream] then ends[stream] = end_of(stream) end
  return {index = index, stream = stream, max = max, nonce = nonce, member = member}
end

-- As `noting`, from four arguments at `arg`: whether there is an index ('1'), the most events of the log ('' without one),
-- nonce, member; and from the keys at `key`: index and log, those that there are. Without the arguments nothing is noted.
local function notes(key, arg)
  if not ARGV[arg] then return nil end
  local index, stream
  if ARGV[arg] == '1' then
    index = KEYS[key]
    key = key + 1
  end
  if ARGV[arg + 1] ~= '' then stream = KEYS[key] end
  return noting(index, stream, ARGV[arg + 1], ARGV[arg + 2], ARGV[arg + 3])
end

local function note(what, ...)
  if what and what.stream then append(what.stream, ends[what.stream], what.max, what.nonce, ...) end
end

-- The event that an entry was written, or that its lifetime changed.
local function note_put(what, key, version)
  if not what then return end
  if what.index then redis.call('ZADD', what.index, 0, what.member) end
  note(what, 'e', 'put', 'k', what.member, 'v', version, 'd', string.format('%.0f', redis.call('PEXPIRETIME', key)))
end

local function note_touch(what, key)
  if not what then return end
  note(what, 'e', 'touch', 'k', what.member, 'd', string.format('%.0f', redis.call('PEXPIRETIME', key)))
end

-- Something was removed; if it was not there, a member that outlived it goes.
local function note_delete(what, existed)
  if not what then return end
  if what.index then redis.call('ZREM', what.index, what.member) end
  if existed then note(what, 'e', 'delete', 'k', what.member) end
end

-- The fields or the lifetime of a hash changed.
local function note_hash(what, key, changed)
  if not what then return end
  if what.index then
    if redis.call('EXISTS', key) == 1 then
      redis.call('ZADD', what.index, 0, what.member)
    else
      redis.call('ZREM', what.index, what.member)
    end
  end
  if changed then note(what, 'e', 'hash', 'k', what.member) end
end

-- Stores a frame with a lifetime: 'n'one, 'k'eep, or 'p' and milliseconds, or 'a' and a deadline.
local function store(key, frame, mode, ms)
  if mode == 'k' then
    redis.call('SET', key, frame, 'KEEPTTL')
  elseif mode == 'p' then
    redis.call('SET', key, frame, 'PX', ms)
  elseif mode == 'a' then
    redis.call('SET', key, frame, 'PXAT', ms)
  else
    redis.call('SET', key, frame)
  end
end

-- Changes the lifetime of a key that is there.
local function relive(key, mode, ms)
  if mode == 'p' then
    redis.call('PEXPIRE', key, ms)
  elseif mode == 'a' then
    redis.call('PEXPIREAT', key, ms)
  elseif mode == 'n' then
    redis.call('PERSIST', key)
  end
end

-- Whether a deadline given as a point in time has passed or lies over ten years ahead.
local function deadline_is_bad(mode, ms)
  if mode ~= 'a' then return false end
  local now = redis.call('TIME')
  local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
  return tonumber(ms) <= now_ms or tonumber(ms) - now_ms > 315576000000
end

-- Whether a text is a decimal number in the only form in which counters are stored.
local function is_number(text)
  if text == '0' then return true end
  local digits = string.match(text, '^%-?([1-9][0-9]*)$')
  if not digits or #digits > 19 then return false end
  if #digits < 19 then return true end
  local most = '9223372036854775807'
  if string.sub(text, 1, 1) == '-' then most = '9223372036854775808' end
  return digits <= most
end

local function magnitude(text)
  if string.sub(text, 1, 1) == '-' then return string.sub(text, 2), true end
  return text, false
end

-- Splits digits into limbs of seven, least first.
local function limbs(digits)
  local out = {}
  local stop = #digits
  while stop > 0 do
    local start = math.max(1, stop - 6)
    out[#out + 1] = tonumber(string.sub(digits, start, stop))
    stop = start - 1
  end
  return out
end

local function digits_of(list)
  local text = ''
  for i = 1, #list do text = string.format('%07d', list[i]) .. text end
  text = string.gsub(text, '^0+', '')
  if text == '' then return '0' end
  return text
end

local function add_magnitudes(a, b)
  local x, y, out, carry = limbs(a), limbs(b), {}, 0
  for i = 1, math.max(#x, #y) do
    local sum = (x[i] or 0) + (y[i] or 0) + carry
    out[i] = sum % 10000000
    carry = math.floor(sum / 10000000)
  end
  if carry > 0 then out[#out + 1] = carry end
  return digits_of(out)
end

-- The greater magnitude minus the smaller one.
local function subtract_magnitudes(a, b)
  local x, y, out, borrow = limbs(a), limbs(b), {}, 0
  for i = 1, #x do
    local rest = x[i] - (y[i] or 0) - borrow
    borrow = 0
    if rest < 0 then rest = rest + 10000000; borrow = 1 end
    out[i] = rest
  end
  return digits_of(out)
end

-- The exact sum of two decimal numbers; false when it leaves the range of 64 bits.
local function add(a, b)
  local x, x_negative = magnitude(a)
  local y, y_negative = magnitude(b)
  local sum, negative
  if x_negative == y_negative then
    sum, negative = add_magnitudes(x, y), x_negative
  elseif less(x, y) then
    sum, negative = subtract_magnitudes(y, x), y_negative
  else
    sum, negative = subtract_magnitudes(x, y), x_negative
  end
  if sum == '0' then return '0' end
  if negative then sum = '-' .. sum end
  if not is_number(sum) then return false end
  return sum
end
