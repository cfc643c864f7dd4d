-- Returns the project, when it was created, since when its tokens are valid, the ids of revoked ones in a line each, its
-- revision; its state as fields and values, and the time; nil if there is no such project.

-- No read-only script: where the state has expired, reading starts its next epoch, and all readers must agree on it.
if not meta() then return false end
local held = redis.call('HMGET', KEYS[1], 'project', 'created_at', 'valid_from', 'revoked', 'revision')
if not held[1] then return false end
return { held, redis.call('HGETALL', KEYS[2]), digits(now) }
