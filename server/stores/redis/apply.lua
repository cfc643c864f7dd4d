-- Joins one update into the state of a project. It knows joins and effects, and nothing of onboarding.
--
-- KEYS[3]    the numbers of the writer's updates that the project has taken, a sorted set; absent if the number is 0.
-- ARGV[5]    the epoch that the update was received in; empty if it may join into whichever is now.
-- ARGV[6]    the number of the update; 0 if it may be joined more than once.
-- ARGV[7]    the writer's numbers below this one are settled, and need not be remembered.
-- ARGV[8]    1 if the update was answered before it could be stored: it may take the place of what came later.
-- ARGV[9]    what this server's clock showed when the update was sent; 0 where that is not known.
-- ARGV[10]   1 if somebody looks at the project: what is news to them is told with the wake-up, and not asked for.
-- ARGV[11 …] (field, row, number, text) for each field of the update, where the row is "join first later": how values
--            join, what it means that the field is known at all, and what a changed value means.
--            A time is given as its age in milliseconds: only this server's clock counts.
-- Returns    the version, the stage before and after, then each changed field with its effect; nil if there is no such
--            project, or it is in another epoch.
--
local is_time = { earliest = true, latest = true, once = true, earlier = true, last = true, newest = true, named = true }

local held_meta = meta()
if not held_meta or (ARGV[5] ~= '' and ARGV[5] ~= held_meta[1]) then return false end

-- An answer that was lost is asked for again within seconds, or after a restart of its process; an hour is ample.
local NUMBERS_KEPT = 3600 * 1000
local was_taken = false
if ARGV[6] ~= '0' then
  -- Keeps the set as small as what is in flight.
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', '(' .. ARGV[7])
  was_taken = redis.call('ZADD', KEYS[3], 'NX', ARGV[6], ARGV[6]) == 0
  redis.call('PEXPIRE', KEYS[3], NUMBERS_KEPT)
end

-- On its way for longer than this, it was sent by a process whose idea of this clock is wrong: the clock was set.
local UNDER_WAY = 60 * 1000
local sent_at = tonumber(ARGV[9])
if sent_at > now or sent_at < now - UNDER_WAY then sent_at = now end

-- Longer than this, it would be in everybody's way: each process gets it.
local TOLD_BYTES = 32 * 1024
-- What was under way for longer waited for a server that hung, or was answered before it was stored: of two first errors
-- among all that comes now, the earlier one may come next. By the time that somebody asks, it has.
local TOLD_WITHIN = 1000

local function told()
  if ARGV[10] ~= '1' or ARGV[8] == '1' or now - sent_at > TOLD_WITHIN then return nil end
  local text = cjson.encode(view())
  return #text <= TOLD_BYTES and text or nil
end

local fields, rows = { 'stage' }, {}
for i = 11, #ARGV, 4 do
  local join, first, later = string.match(ARGV[i + 1], '(%a+) (%d) (%d)')
  if join == 'once' and ARGV[8] == '1' then join = 'earlier' end
  local number = tonumber(ARGV[i + 2])
  -- The sender's clock never gets in: it may be wrong by minutes, and several servers would disagree on what was first.
  if is_time[join] then number = sent_at - number end
  -- Taken before, and its answer was lost. All but counts may be joined again, and is: whoever sends it again has
  -- answered meanwhile, and of two first errors that the server found queued when it went on, the later may have won.
  if not (was_taken and join == 'sum') then
    fields[#fields + 1] = ARGV[i]
    rows[#rows + 1] = { ARGV[i], join, first, later, number, ARGV[i + 3] }
  end
end

local held = redis.call('HMGET', KEYS[2], unpack(fields))
local before = held[1] or '0'
local after, strongest = before, '0'
local values, changes = {}, {}
for i, row in ipairs(rows) do
  local field, join, first, later, number, text = unpack(row)
  local old = held[i + 1] or nil
  local value = joins[join](old, number, text)
  if value ~= old then
    local effect = old and later or first
    -- Effects are one digit each, so strings compare as numbers do.
    if effect > strongest then strongest = effect end
    if field == 'stage' then after = value end
    values[#values + 1], values[#values + 2] = field, value
    changes[#changes + 1], changes[#changes + 2] = field, effect
  end
end
-- unpack is bounded by Lua's stack, 8,000 values; the table of fields has a few hundred rows.
if #values > 0 then
  redis.call('HSET', KEYS[2], unpack(values))
  keep()
end
local version = held_meta[2]
if strongest > '0' then
  version = raise_version(version)
  wake('changed', strongest, tonumber(strongest) >= NEWS and told() or nil)
end
return { version, before, after, unpack(changes) }
