-- Takes tokens of a project back. They stand beside the project, which its owner edits as a whole.
--
-- ARGV[5]  the id of one token; empty for all that were issued until now, which forgets the single ones.
-- ARGV[6]  the caller's clock in milliseconds: tokens were issued by clocks like that, so the later one counts.
-- Returns  whether there is such a project.

local held = meta()
if not held then return false end
if ARGV[5] == '' then
  local valid_from = tonumber(redis.call('HGET', KEYS[1], 'valid_from') or 0)
  redis.call('HSET', KEYS[1], 'valid_from', digits(math.max(now, tonumber(ARGV[6]), valid_from)))
  redis.call('HDEL', KEYS[1], 'revoked')
else
  local revoked = redis.call('HGET', KEYS[1], 'revoked') or ''
  -- Plain find, with line ends around: an id may hold what Lua's patterns take for special, or be the start of another.
  if not string.find('\n' .. revoked, '\n' .. ARGV[5] .. '\n', 1, true) then
    redis.call('HSET', KEYS[1], 'revoked', revoked .. ARGV[5] .. '\n')
  end
end
raise_version(held[2])
wake('edited', NEWS)
return true
