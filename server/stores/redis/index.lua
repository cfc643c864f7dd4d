-- Brings the index in step with one project. The index stands apart from the projects, in a slot of its own, and is
-- written after them; what was interrupted in between is found again among the pending ids.
--
-- KEYS[1]  the ids of all projects: a sorted set of zero-padded ids of score 0, in order and exact beyond 2^53.
-- KEYS[2]  the projects of each key: a sorted set of `key:padded id` of score 0.
-- KEYS[3]  the padded ids whose index is not written yet, each with the project as it was.
-- ARGV[1]  the padded id.
-- ARGV[2]  the project as it is, as JSON; empty if it is gone.
-- ARGV[3]  the project as it was, as JSON; empty if there was none.

local function each_key(project, visit)
  for _, key in ipairs(project ~= '' and cjson.decode(project).keys or {}) do visit(key.key .. ':' .. ARGV[1]) end
end

-- Old entries first: a key that stays in the project is taken out and put back.
each_key(ARGV[3], function(entry) redis.call('ZREM', KEYS[2], entry) end)
each_key(ARGV[2], function(entry) redis.call('ZADD', KEYS[2], 0, entry) end)
if ARGV[2] ~= '' then redis.call('ZADD', KEYS[1], 0, ARGV[1]) else redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('HDEL', KEYS[3], ARGV[1])
