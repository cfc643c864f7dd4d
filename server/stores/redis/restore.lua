-- Joins back what a process knows of a project that the store has lost, or has lost the last of. What is lost with a
-- failover or an empty server is not lost as long as one process lives.
--
-- KEYS[3]     stands for a while after the project was deleted.
-- ARGV[5]     the project, as JSON.
-- ARGV[6 …9]  `created_at`, `revision`, `valid_from`, `revoked`.
-- ARGV[10]    the epoch that is known.
-- ARGV[11]    the version that is known.
-- ARGV[12 …]  (field, join, number, text) for each field; times are this server's.
-- Returns     whether there is such a project now.

-- An edit or a revocation that was lost: a key that was disabled stays disabled, a token that was revoked stays so.
local function give_back_edits()
  local held = redis.call('HMGET', KEYS[1], 'revision', 'valid_from', 'revoked')
  if tonumber(held[1] or 0) < tonumber(ARGV[7]) then
    redis.call('HSET', KEYS[1], 'project', ARGV[5], 'revision', ARGV[7])
  end
  if tonumber(held[2] or 0) > tonumber(ARGV[8]) then return end -- all of that time were revoked since
  local revoked = held[3] or ''
  for token in string.gmatch(ARGV[9], '[^\n]+') do
    if not string.find('\n' .. revoked, '\n' .. token .. '\n', 1, true) then revoked = revoked .. token .. '\n' end
  end
  redis.call('HSET', KEYS[1], 'valid_from', ARGV[8], 'revoked', revoked)
end

if redis.call('EXISTS', KEYS[3]) == 1 then return false end
local is_new = redis.call('EXISTS', KEYS[1]) == 0
if is_new then
  redis.call('HSET', KEYS[1], 'project', ARGV[5], 'created_at', ARGV[6], 'revision', ARGV[7], 'valid_from', ARGV[8])
  if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'revoked', ARGV[9]) end
else
  give_back_edits()
  if KEEP > 0 and redis.call('EXISTS', KEYS[2]) == 0 then
    return true -- its state was not lost, but is forgotten as it should be
  end
end

local held = redis.call('HMGET', KEYS[2], '@epoch', '@version')
if held[1] and held[1] ~= ARGV[10] and tonumber(held[2]) >= tonumber(ARGV[11]) then return true end -- it started over
if held[1] ~= ARGV[10] then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], '@epoch', ARGV[10])
end
for i = 12, #ARGV, 4 do
  local join = ARGV[i + 1]
  -- A count that is joined back would be added to itself; both have counted the same. And processes that hold two first
  -- errors, since one of them came late, all give back the earlier one, in whichever order they come.
  if join == 'sum' then join = 'max' elseif join == 'once' then join = 'earlier' end
  local old = redis.call('HGET', KEYS[2], ARGV[i]) or nil
  redis.call('HSET', KEYS[2], ARGV[i], joins[join](old, tonumber(ARGV[i + 2]), ARGV[i + 3]))
end
raise_version(math.max(tonumber(held[2] or 0), tonumber(ARGV[11])))
keep()
wake('edited', NEWS)
return true
