-- Forgets a project with all that is known of it.
--
-- Returns  the project as it was; nil if there was none.

local old = redis.call('HGET', KEYS[1], 'project')
redis.call('DEL', KEYS[1], KEYS[2])
wake('edited', NEWS)
return old
