-- Forgets a project with all that is known of it, and keeps in mind that it was deleted: nobody may restore it.
--
-- KEYS[3]  stands for a while after the project was deleted.
-- Returns  the project as it was; nil if there was none.

local old = redis.call('HGET', KEYS[1], 'project')
local version = digits(math.max(micros, tonumber(redis.call('HGET', KEYS[2], '@version') or 0)))
redis.call('DEL', KEYS[1], KEYS[2])
-- Other processes still remember the project, and would take it for lost and give it back.
redis.call('SET', KEYS[3], version, 'PX', digits(30 * 86400 * 1000))
wake('deleted', NEWS, version)
return old
