-- What scripts share that read a hash step by step. A cursor means something in one process only: another node, and the same
-- one after a restart, goes through the fields in another order. So the process stands beside the cursor, and a step
-- that another process is asked for begins anew: fields may come again, and none is left out.

-- A step through the hash at a key: where to go on, '0' at the end; fields, each followed by its value.
local function hash_step(key, at, count)
  local process, cursor = string.match(at, '^(%x+):(%d+)$')
  local here
  local function is_here()
    here = here or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
    return here == process
  end
  if not (process and is_here()) then cursor = '0' end
  local step = redis.call('HSCAN', key, cursor, 'COUNT', count)
  if step[1] == '0' then return '0', step[2] end
  is_here()
  return here .. ':' .. step[1], step[2]
end
