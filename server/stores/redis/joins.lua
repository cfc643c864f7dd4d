-- How two values of a field become one: what is held (nil if nothing), and a new number and text.
--
-- A number is held as its digits, a pair of time and text as the digits, a space and the text.

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
