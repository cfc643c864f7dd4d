-- How two values of a field become one: what is held (nil if nothing), and a new number and text.
--
-- A number is held as its digits, a pair of time and text as the digits, a space and the text. Rows are held as such a
-- pair: the latest of their times, and a line for each with its numbers, times as ages at that time, and its text.

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

local MAX_ROWS = 20 -- core/state/rows.py

-- Whether a row stands before another: those that come first stay.
local function is_newer(a, b, rows)
  local x, y = rows[a][1], rows[b][1]
  if x ~= y then return x > y end
  return is_above(a, b)
end

local function is_smaller(a, b) return is_above(b, a) end

-- Of two rows of the same text.
local function later(a, b)
  if b[1] > a[1] or (b[1] == a[1] and b[2] > a[2]) then return b end
  return a
end

local function widest(a, b) return { math.max(a[1], b[1]), math.min(a[2], b[2]), math.max(a[3], b[3]) } end

local function add_rows(rows, texts, at, lines, width, merge)
  for line in string.gmatch(lines, '[^\n]+') do
    local row, text = {}, line
    for i = 1, width do
      local number, rest = string.match(text, '^(%d+) (.*)$')
      row[i] = i < width and at - tonumber(number) or tonumber(number)
      text = rest
    end
    if rows[text] then
      rows[text] = merge(rows[text], row)
    else
      rows[text], texts[#texts + 1] = row, text
    end
  end
end

local function join_rows(held, number, lines, width, merge, stands_before)
  local rows, texts, latest, kept = {}, {}, 0, {}
  if held then
    local at, old = split(held)
    add_rows(rows, texts, at, old, width, merge)
  end
  add_rows(rows, texts, number, lines, width, merge)
  table.sort(texts, function(a, b) return stands_before(a, b, rows) end)
  for i = 1, math.min(#texts, MAX_ROWS) do latest = math.max(latest, rows[texts[i]][1]) end
  for i = 1, math.min(#texts, MAX_ROWS) do
    local row = rows[texts[i]]
    for j = 1, width do row[j] = digits(j < width and latest - row[j] or row[j]) end
    kept[i] = table.concat(row, ' ') .. ' ' .. texts[i]
  end
  return digits(latest) .. ' ' .. table.concat(kept, '\n')
end

-- Each takes what is held (nil if nothing), the new number and the new text, and returns what to hold.
local joins = {
  earliest = function(held, number) return digits(held and math.min(tonumber(held), number) or number) end,
  latest = function(held, number) return digits(held and math.max(tonumber(held), number) or number) end,
  max = function(held, number) return digits(held and math.max(tonumber(held), number) or number) end,
  sum = function(held, number) return digits((tonumber(held or 0)) + number) end,
  once = function(held, number, text) return held or digits(number) .. ' ' .. text end,
  -- `once`, for what was answered before it could be stored.
  earlier = function(held, number, text)
    if held then
      local at, old = split(held)
      if old == text or at < number or (at == number and not is_above(old, text)) then return held end
    end
    return digits(number) .. ' ' .. text
  end,
  last = function(held, number, text)
    if held then
      local at, old = split(held)
      if at > number or (at == number and not is_above(text, old)) then return held end
    end
    return digits(number) .. ' ' .. text
  end,
  newest = function(held, number, text) return join_rows(held, number, text, 2, later, is_newer) end,
  named = function(held, number, text) return join_rows(held, number, text, 3, widest, is_smaller) end,
}
