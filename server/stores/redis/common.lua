-- What every script about one project begins with. Its keys are in the project's own slot, and nothing else is touched:
--
-- KEYS[1]  the project: a hash of `project` (JSON), `created_at`, `revision`, and `valid_from`, `revoked` once tokens were.
-- KEYS[2]  its state: a hash of `@epoch`, `@version`, `@began` (the first version of the epoch), and the fields.
-- ARGV[1]  how and where to wake: PUBLISH or SPUBLISH, a space, and the channel, which is in the same slot in a cluster.
-- ARGV[2]  the project's id.
-- ARGV[3]  a fresh epoch, for a project without a state.
-- ARGV[4]  after how many milliseconds without a change the state is forgotten; 0 keeps it.
--
-- Doubles hold whole numbers exactly up to 2^53: milliseconds and microseconds since 1970 stay below that until 2255.

local PUBLISH, CHANNEL = string.match(ARGV[1], '(%u+) (.+)')
local ID, FRESH, KEEP = ARGV[2], ARGV[3], tonumber(ARGV[4])
local NEWS = 2

-- Redis 5 and newer replicate what a script did and not its text, so a script may look at the clock before it writes.
-- One clock, the server's: those of the processes would disagree about what was first.
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)

local function digits(number)
  -- tostring keeps 14 digits, and a version would become 1.7953e+15.
  return string.format('%.0f', number)
end

local function wake(word, effect, more)
  -- Inside of the script: there is no moment at which the change is visible and its wake-up may still be forgotten.
  redis.call(PUBLISH, CHANNEL, word .. ' ' .. ID .. ' ' .. effect .. (more and ' ' .. more or ''))
end

local function raise_version(version)
  -- The clock and not a counter: a replica that takes over without the last writes must not give a version out twice.
  local higher = digits(math.max((tonumber(version) or 0) + 1, micros))
  redis.call('HSET', KEYS[2], '@version', higher)
  return higher
end

local function start_epoch(epoch, version)
  -- DEL also takes the expiry away.
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], '@epoch', epoch)
  redis.call('HSET', KEYS[2], '@began', raise_version(version))
end

local function keep()
  -- The state alone: a project and its keys belong to their owner, and stay however long nobody sends.
  if KEEP > 0 then redis.call('PEXPIRE', KEYS[2], digits(KEEP)) end
end

-- The epoch and the version; nil where there is no such project. A state that was forgotten starts over.
local function meta()
  local held = redis.call('HMGET', KEYS[2], '@epoch', '@version')
  if held[1] then return held end
  if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
  start_epoch(FRESH)
  return redis.call('HMGET', KEYS[2], '@epoch', '@version')
end
