-- Reads one checkpoint with the writes beside it, and what its new values are made from.
-- KEYS: as in thread.lua.
-- ARGV: 1 id, or '' for the latest, 2 namespace, 3 whether one out of sight is read too ('1'), 4 whether writes are read
--       ('1'), 5 to 7 generation, epoch and id of the checkpoint that the caller has at hand, 8 whether the lifetime begins
--       anew ('1'), 9 whether what values and writes are made from is sent along ('1').
-- Returns: {'same'}: the one at hand, and no writes | {'ok', head, id, record or '', writes, descriptions, segments} |
--          {'absent'} | {'corrupt'} | {'later'}.
-- Whoever has another checkpoint of this life at hand is sent what is new alone; others all that it is made from, in turn.
-- Atomic: the whole script. It goes on in thread_load_sent.lua, so that who has all at hand does not wait for the functions
-- that send the rest.
local id, namespace = ARGV[1], ARGV[2]
local head, found, bad
if id == '' then head, found, bad = see('latest:' .. namespace) else head, found, bad = see() end
if bad then return {bad} end
if not head then return {'absent'} end
if ARGV[8] == '1' and head[LIFETIME_MS] > 0 then
  local now = redis.call('TIME')
  local ends = text(now[1] * 1000 + math.floor(now[2] / 1000) + head[LIFETIME_MS])
  for i = 1, 3 do redis.call('PEXPIREAT', KEYS[i], ends) end
end
if id == '' then id = found[2] end
if not id then return {'absent'} end
local alive = lives(head, ARGV[5], ARGV[6])
local same = alive and id == ARGV[7]
if same and (head[PENDING] == 0 or ARGV[4] ~= '1') then return {'same'} end
