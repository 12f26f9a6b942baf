-- Checks and writes several entries of one partition.
-- KEYS: fencing marks, remembered operation, then one key per check and write, checks first, then for each write index
--       and log where there are.
-- ARGV: lease, token, digest, number of checks, whether there is an index ('1'), the most events of the log ('' without
--       one), nonce, then per check: precondition, wanted version; then per write, its member where there is an index or
--       a log, and:
--       'put', precondition, wanted version, frame header, value, lifetime mode, lifetime;
--       'delete', precondition, wanted version, whether the entry is returned; or
--       'increment', frame header, what is added, lifetime mode, lifetime, when the lifetime is set.
-- Returns: {'ok', result per write} | {'conflict', index} | {'fenced'} | {'invalid', reason, index} |
--          {'corrupt', index} | {'replay', packed results}.
-- Atomic: the whole script; nothing is written before every check has passed, but a fencing mark may rise.
local lease, token, digest, checks, indexed, max, nonce = unpack(ARGV, 1, 7)
checks = tonumber(checks)
local before = remembered(KEYS[2], digest)
if before == nil then return {'invalid', 'operation', '-1'} end
if before then
  local results = cmsgpack.unpack(before)
  table.insert(results, 1, 'ok')
  return results
end
if stale(KEYS[1], lease, token) then return {'fenced'} end
local at = 8
local index = 0
local beside = 0
if indexed == '1' then beside = beside + 1 end
if max ~= '' then beside = beside + 1 end
local count = (#KEYS - 2 - checks) / (1 + beside)
local function noting_of(number, member)
  local place = 2 + checks + count + number * beside
  local index_key, log_key
  if indexed == '1' then index_key = KEYS[place + 1] end
  if max ~= '' then log_key = KEYS[place + beside] end
  return noting(index_key, log_key, max, nonce, member)
end
local writes = {}
local function check(kind, wanted)
  local version = version_at(KEYS[3 + index])
  if version == nil then return {'corrupt', tostring(index)} end
  if not holds(version, kind, wanted) then return {'conflict', tostring(index)} end
end
while index < checks do
  local failed = check(ARGV[at], ARGV[at + 1])
  if failed then raise(KEYS[1], lease, token); return failed end
  at = at + 2
  index = index + 1
end
while at <= #ARGV do
  local noted
  if beside > 0 then
    noted = noting_of(index - checks, ARGV[at])
    at = at + 1
  end
  local what = ARGV[at]
  local write = {what = what, key = KEYS[3 + index], noted = noted}
  local failed
  if what == 'put' then
    failed = check(ARGV[at + 1], ARGV[at + 2])
    write.header, write.value, write.mode, write.ms = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
    if deadline_is_bad(write.mode, write.ms) then failed = {'invalid', 'lifetime', tostring(index)} end
    at = at + 7
  elseif what == 'delete' then
    failed = check(ARGV[at + 1], ARGV[at + 2])
    write.returned = ARGV[at + 3]
    at = at + 4
  else
    write.header, write.mode, write.ms = ARGV[at + 1], ARGV[at + 3], ARGV[at + 4]
    if deadline_is_bad(write.mode, write.ms) then failed = {'invalid', 'lifetime', tostring(index)} end
    local stored = redis.call('GET', write.key)
    local held = '0'
    if stored then
      if #stored < 18 or string.sub(stored, 1, 2) ~= 'S1' then failed = {'corrupt', tostring(index)} end
      held = string.sub(stored, 19)
      if ARGV[at + 5] == 'c' then write.mode = 'k' end
    end
    if not failed then
      write.value = is_number(held) and add(held, ARGV[at + 2])
      if not is_number(held) then failed = {'invalid', 'number', tostring(index)}
      elseif not write.value then failed = {'invalid', 'overflow', tostring(index)} end
    end
    at = at + 6
  end
  if failed then raise(KEYS[1], lease, token); return failed end
  writes[#writes + 1] = write
  index = index + 1
end
raise(KEYS[1], lease, token)
local results = {}
for i, write in ipairs(writes) do
  if write.what == 'delete' then
    local frame = ''
    if write.returned == '1' then frame = redis.call('GET', write.key) or '' end
    local removed = redis.call('UNLINK', write.key)
    note_delete(write.noted, removed == 1)
    results[i] = tostring(removed) .. frame
  else
    store(write.key, write.header .. write.value, write.mode, write.ms)
    note_put(write.noted, write.key, string.sub(write.header, 3))
    results[i] = string.sub(write.header, 3)
    if write.what == 'increment' then results[i] = results[i] .. write.value end
  end
end
remember(KEYS[2], digest, cmsgpack.pack(results))
table.insert(results, 1, 'ok')
return results
