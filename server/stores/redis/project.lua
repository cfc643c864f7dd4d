-- Everything else that is done to a project, each in one atomic step: ARGV[1] says what.
--
-- KEYS[1], KEYS[2]  the project (a hash of `project` and `created_at`) and its state (see record.lua).
-- KEYS[3]           the ids of all projects: a sorted set of zero-padded ids of score 0, in order and exact beyond 2^53.
-- KEYS[4]           the last id that was given out.
-- KEYS[5]           the projects of each key: a sorted set of `key:padded id` of score 0.
-- ARGV[2], ARGV[3]  the channel and the wake-up to publish.

local function now()
  local clock = redis.call('TIME')
  local micros = clock[1] * 1000000 + clock[2]
  return string.format('%.0f', math.floor(micros / 1000)), micros
end

local function raise_version(version)
  local _, micros = now()
  redis.call('HSET', KEYS[2], '@version', string.format('%.0f', math.max(version + 1, micros)))
  redis.call('PUBLISH', ARGV[2], ARGV[3])
end

-- Forgets the keys of the project as it is stored, and remembers those of the project as it will be.
local function index_keys(member, project)
  local old = redis.call('HGET', KEYS[1], 'project')
  for _, key in ipairs(old and cjson.decode(old).keys or {}) do redis.call('ZREM', KEYS[5], key.key .. ':' .. member) end
  for _, key in ipairs(project and cjson.decode(project).keys or {}) do
    redis.call('ZADD', KEYS[5], 0, key.key .. ':' .. member)
  end
end

local actions = {}

-- Returns an id that no project has.
function actions.free_id()
  local id
  repeat id = string.format('%.0f', redis.call('INCR', KEYS[4]))
  until not redis.call('ZSCORE', KEYS[3], string.rep('0', 19 - #id) .. id)
  return id
end

-- Takes the padded id, the project, an epoch, and "new" if a known project shall stay as it is.
-- Returns when the project was created, or nil if it was left alone.
function actions.put(member, project, epoch, mode)
  local is_new = redis.call('EXISTS', KEYS[1]) == 0
  if not is_new and mode == 'new' then return false end
  redis.call('HSETNX', KEYS[1], 'created_at', (now()))
  index_keys(member, project)
  redis.call('HSET', KEYS[1], 'project', project)
  redis.call('ZADD', KEYS[3], 0, member)
  if is_new then
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[2], '@epoch', epoch, '@epoch_at', (now()))
  end
  raise_version(redis.call('HGET', KEYS[2], '@version') or 0)
  return redis.call('HGET', KEYS[1], 'created_at')
end

-- Takes the padded id. Returns whether there was such a project.
function actions.delete(member)
  index_keys(member)
  local found = redis.call('DEL', KEYS[1], KEYS[2]) > 0
  redis.call('ZREM', KEYS[3], member)
  redis.call('PUBLISH', ARGV[2], ARGV[3])
  return found
end

-- Takes the new epoch. Returns whether there is such a project.
function actions.reset(epoch)
  local version = redis.call('HGET', KEYS[2], '@version')
  if not version then return false end
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], '@epoch', epoch, '@epoch_at', (now()))
  raise_version(version)
  return true
end

-- Takes the epoch and the version that the state should be beyond.
function actions.touch(epoch, version)
  local held = redis.call('HMGET', KEYS[2], '@epoch', '@version')
  if held[1] == epoch and tonumber(held[2]) <= tonumber(version) then raise_version(version) end
end

-- Returns the project, when it was created, the fields of the state with their values, and the time.
function actions.read()
  local held = redis.call('HMGET', KEYS[1], 'project', 'created_at')
  return { held[1], held[2], redis.call('HGETALL', KEYS[2]), (now()) }
end

return actions[ARGV[1]](unpack(ARGV, 4))
