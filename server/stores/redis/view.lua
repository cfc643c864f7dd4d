-- What is stored of a project: when it was created, since when its tokens are valid, the ids of revoked ones in a line
-- each, its revision; its state as fields and values, and the time; false if there is no such project.
local function view()
  local held = redis.call('HMGET', KEYS[1], 'project', 'created_at', 'valid_from', 'revoked', 'revision')
  if not held[1] then return false end
  return { held, redis.call('HGETALL', KEYS[2]), digits(now) }
end

-- Longer than this, it would be in everybody's way: each process gets it.
local TOLD_BYTES = 32 * 1024

local function told()
  local text = cjson.encode(view())
  return #text <= TOLD_BYTES and text or nil
end
