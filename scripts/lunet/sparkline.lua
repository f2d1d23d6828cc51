-- sparkline.lua - a row of numbers as a row of small bars: ▇▅▃▂▁
--
-- Without UTF-8 the bars are made of ASCII.

local bars = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }
local ascii = { "_", ".", "-", "=", "+", "*", "#", "@" }

local function is_utf8()
  for _, name in ipairs { "LC_ALL", "LC_CTYPE", "LANG" } do
    local locale = os.getenv(name)
    if locale and locale ~= "" then
      return locale:lower():find "utf%-?8" ~= nil
    end
  end
  return false
end

local function is_finite(v) return v - v == 0 end

-- Means of equal parts of the list, so that at most `width` are left.
local function thinned(list, width)
  if #list <= width then return list end
  local means = {}
  for i = 1, width do
    local first, last = (i - 1) * #list // width + 1, i * #list // width
    local sum = 0
    for k = first, last do sum = sum + list[k] end
    means[i] = sum / (last - first + 1)
  end
  return means
end

local function range(list)
  local low, high = math.huge, -math.huge
  for _, v in ipairs(list) do
    if is_finite(v) then low, high = math.min(low, v), math.max(high, v) end
  end
  return low, high
end

-- At most `width` bars; a "!" where a number is not finite.
return function(list, width)
  local signs = is_utf8() and bars or ascii
  local values = thinned(list, width)
  local low, high = range(values)
  local row = {}
  for i, v in ipairs(values) do
    local part = high > low and (v - low) / (high - low) or 0
    row[i] = is_finite(v) and signs[math.floor(part * (#signs - 1) + 1.5)]
             or "!"
  end
  return table.concat(row)
end
