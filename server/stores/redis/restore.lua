-- Joins back what a process knows of a project that the store has lost, or has lost the last of. What is lost with a
-- failover or an empty server is not lost as long as one process lives.
--
-- KEYS[3]     for a while after the project was deleted, the version that it had.
-- ARGV[5]     the project, as JSON.
-- ARGV[6 …9]  `created_at`, `revision`, `valid_from`, `revoked`.
-- ARGV[10]    the epoch that is known.
-- ARGV[11]    the version that is known.
-- ARGV[12]    the version that it began with; 0 where that is not known.
-- ARGV[13 …]  (field, join, number, text) for each field; times are this server's.
-- Returns     whether there is such a project now.

-- An edit or a revocation that was lost: a key that was disabled stays disabled, a token that was revoked stays so.
local function give_back_edits(was_made_anew)
  local held = redis.call('HMGET', KEYS[1], 'revision', 'valid_from', 'revoked')
  local is_behind = tonumber(held[1] or 0) < tonumber(ARGV[7])
  if was_made_anew then
    local revision = digits(math.max(tonumber(held[1] or 0), ARGV[7] + 1))
    redis.call('HSET', KEYS[1], 'created_at', ARGV[6], 'revision', revision)
  elseif is_behind then
    redis.call('HSET', KEYS[1], 'project', ARGV[5], 'revision', ARGV[7])
  end
  local valid_from, revoked = tonumber(held[2] or 0), held[3] or ''
  if valid_from > tonumber(ARGV[8]) then return is_behind end -- all of that time were revoked since
  for token in string.gmatch(ARGV[9], '[^\n]+') do
    if not string.find('\n' .. revoked, '\n' .. token .. '\n', 1, true) then revoked = revoked .. token .. '\n' end
  end
  redis.call('HSET', KEYS[1], 'valid_from', ARGV[8], 'revoked', revoked)
  return is_behind or valid_from < tonumber(ARGV[8]) or revoked ~= (held[3] or '')
end

-- Whatever the store has is as good as what is remembered, or newer: only what is missing, or is too small, is given back.
local function give_back(field, join, number, text)
  local old = redis.call('HGET', KEYS[2], field) or nil
  local value = old
  if not old then
    value = joins[join](nil, number, text)
  elseif join == 'max' or join == 'sum' then
    value = joins.max(old, number) -- a count that is joined back would be added to itself
  elseif join == 'once' then
    -- Processes that hold two first errors, since one of them came late, all give back the earlier one.
    value = joins.earlier(old, number, text)
  end
  if value ~= old then redis.call('HSET', KEYS[2], field, value) end
  return value ~= old
end

local known = tonumber(ARGV[11])
local created_at = tonumber(redis.call('HGET', KEYS[1], 'created_at') or nil)
if known <= tonumber(redis.call('GET', KEYS[3]) or 0) then return created_at ~= nil end -- it is of before the deletion

-- Younger than what is remembered: it was not there, and its owner has made it anew meanwhile. What it is now stays.
local was_made_anew = created_at and created_at > tonumber(ARGV[6])
local is_changed = true
if created_at then
  is_changed = give_back_edits(was_made_anew)
  if KEEP > 0 and redis.call('EXISTS', KEYS[2]) == 0 then
    return true -- its state was not lost, but is forgotten as it should be
  end
else
  redis.call('HSET', KEYS[1], 'project', ARGV[5], 'created_at', ARGV[6], 'revision', ARGV[7], 'valid_from', ARGV[8])
  if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'revoked', ARGV[9]) end
end

local held = redis.call('HMGET', KEYS[2], '@epoch', '@version', '@began')
local version, is_other = tonumber(held[2] or 0), held[1] ~= ARGV[10]
local began, known_began = tonumber(held[3] or 0), tonumber(ARGV[12])
-- By when they began, as versions go on: a process that has not heard of the last reset may have been here first.
local is_before = version < known
if began > 0 and known_began > 0 then is_before = began < known_began end
local starts_over = is_other and (is_before or was_made_anew or not held[1])
if starts_over then
  -- What came to a project that its owner had to make anew came to this epoch. Any other state is of an epoch before it.
  if not was_made_anew then redis.call('DEL', KEYS[2]) end
  redis.call('HSET', KEYS[2], '@epoch', ARGV[10], '@began', ARGV[12])
end
if starts_over or not is_other then -- else its owner has reset it since
  is_changed = is_changed or starts_over or version < known
  for i = 13, #ARGV, 4 do
    is_changed = give_back(ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]) or is_changed
  end
end
if is_changed then
  raise_version(math.max(version, known))
  keep()
  wake('edited', NEWS)
end
return true
