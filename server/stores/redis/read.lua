-- Returns the project, when it was created, its state as fields and values, and the time; nil if there is none.

if not meta() then return false end
local held = redis.call('HMGET', KEYS[1], 'project', 'created_at')
if not held[1] then return false end
return { held[1], held[2], redis.call('HGETALL', KEYS[2]), digits(now) }
