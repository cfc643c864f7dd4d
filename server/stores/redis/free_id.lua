-- Returns an id that no project has.
--
-- KEYS[1]  the ids of all projects, see index.lua.
-- KEYS[2]  the last id that was given out.

local id
-- Ids that a host application chose itself are passed over. The counter never goes back: a token for a deleted project
-- must not open the next one.
repeat id = string.format('%.0f', redis.call('INCR', KEYS[2]))
until not redis.call('ZSCORE', KEYS[1], string.rep('0', 19 - #id) .. id)
return id
