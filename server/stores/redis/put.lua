-- Creates or updates a project. Its keys and its id are indexed afterwards, by index.lua.
--
-- KEYS[3]  stands for a while after the project was deleted.
-- ARGV[5]  the project, as JSON.
-- ARGV[6]  "new" if a known project has to stay as it is; "edit" if it was read at the revision ARGV[7].
-- Returns  the project with what stands beside it, as read.lua, and the project as it was; nil if it was left alone.

local old = redis.call('HGET', KEYS[1], 'project')
if old and ARGV[6] == 'new' then return false end
if ARGV[6] == 'edit' and (not old or (redis.call('HGET', KEYS[1], 'revision') or '0') ~= ARGV[7]) then return false end
redis.call('HINCRBY', KEYS[1], 'revision', 1)
-- Fields beside the JSON, which cjson would have to decode and encode: numbers above 2^53 would come out of it spoilt.
redis.call('HSETNX', KEYS[1], 'created_at', digits(now))
redis.call('HSET', KEYS[1], 'project', ARGV[5])
-- Above the version of one that was deleted: only what is known of this one may be restored.
if old then raise_version(meta()[2]) else start_epoch(FRESH, redis.call('GET', KEYS[3])) end
wake('edited', NEWS)
return { redis.call('HMGET', KEYS[1], 'project', 'created_at', 'valid_from', 'revoked', 'revision'), old }
