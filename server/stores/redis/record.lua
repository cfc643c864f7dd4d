-- Joins one record into the state of one project, in one atomic step. It knows joins, and nothing of onboarding.
--
-- KEYS[1]  the project's state: a hash of `@epoch`, `@epoch_at`, `@version` and the fields.
-- ARGV     the channel and the wake-up to publish, then (join, field, number, text) for each field of the record.
--          A time is given as its age in milliseconds: only this server's clock counts.
--          A record of nothing but joins `mark` is kept in silence: the version stays, and nobody is woken.
-- Returns  the fields with the join `once` that this record decided; nil if the project is unknown, or has started over
--          since the record was received.
--
-- A number is held as its digits, a pair of time and text as the digits, a space and the text. Doubles hold whole
-- numbers exactly up to 2^53: milliseconds and microseconds since 1970 stay below that until the year 2255.

local function digits(number)
  return string.format('%.0f', number)
end

local function split(held)
  local space = string.find(held, ' ', 1, true)
  return tonumber(string.sub(held, 1, space - 1)), string.sub(held, space + 1)
end

-- By bytes, which for UTF-8 is by code points; the operator < would go by the server's locale.
local function is_above(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- Each takes what is held (nil if nothing), the new number and the new text, and returns what to hold.
local joins = {
  earliest = function(held, number) return digits(held and math.min(tonumber(held), number) or number) end,
  latest = function(held, number) return digits(held and math.max(tonumber(held), number) or number) end,
  mark = function(held, number) return digits(held and math.min(tonumber(held), number) or number) end,
  max = function(held, number) return digits(held and math.max(tonumber(held), number) or number) end,
  sum = function(held, number) return digits((tonumber(held or 0)) + number) end,
  once = function(held, number, text) return held or digits(number) .. ' ' .. text end,
  last = function(held, number, text)
    if held then
      local at, old = split(held)
      if at > number or (at == number and not is_above(text, old)) then return held end
    end
    return digits(number) .. ' ' .. text
  end,
}
local is_time = { earliest = true, mark = true, latest = true, once = true, last = true }

local meta = redis.call('HMGET', KEYS[1], '@epoch_at', '@version')
if not meta[1] then return false end
local clock = redis.call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)

local fields, numbers, newest, is_silent = {}, {}, 0, true
for i = 3, #ARGV, 4 do
  local number = tonumber(ARGV[i + 2])
  if is_time[ARGV[i]] then
    number = now - number
    newest = math.max(newest, number)
  end
  is_silent = is_silent and ARGV[i] == 'mark'
  fields[#fields + 1], numbers[#numbers + 1] = ARGV[i + 1], number
end
if newest < tonumber(meta[1]) then return false end

local held = redis.call('HMGET', KEYS[1], unpack(fields))
local changes, decided = {}, {}
for i, field in ipairs(fields) do
  local join, text = ARGV[4 * i - 1], ARGV[4 * i + 2]
  local value = joins[join](held[i] or nil, numbers[i], text)
  if value ~= held[i] then
    changes[#changes + 1], changes[#changes + 2] = field, value
    if join == 'once' then decided[#decided + 1] = field end
  end
end
if #changes > 0 then redis.call('HSET', KEYS[1], unpack(changes)) end
if #changes > 0 and not is_silent then
  redis.call('HSET', KEYS[1], '@version', digits(math.max(meta[2] + 1, micros)))
  redis.call('PUBLISH', ARGV[1], ARGV[2])
end
return decided
