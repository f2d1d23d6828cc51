-- histogram.lua - how often numbers of each size occur.

local chart = require "lunet.chart"
local core = require "lunet_core"
local options = require "lunet.options"

local rules = {
  { "values", "a tensor or a list of numbers", required = true,
    example = "values = conv.weight" },
  { "bins", "a whole number", min = 1, max = 200, default = 30 },
  { "title", "a text", default = "" },
  { "x_title", "a text", default = "" },
  { "y_title", "a text", default = "how many" },
  { "width", "a whole number", min = 300, max = 4000 },
  { "height", "a whole number", min = 200, max = 4000 },
}

local bar_colour = 0x1f5fbf

-- The finite numbers, how many there are of the others, least and largest.
local function finite_numbers(values)
  if type(values) == "userdata" then
    values = values:view { values:numel() }:tolist()
  end
  local list, others = {}, 0
  local low, high = math.huge, -math.huge
  for _, value in ipairs(values) do
    if chart.finite(value) then
      list[#list + 1] = value
      low, high = math.min(low, value), math.max(high, value)
    else
      others = others + 1
    end
  end
  if #list == 0 then low, high = 0, 1 end
  if low == high then low, high = chart.room_around(low) end
  return list, others, low, high
end

-- Bin i holds low + (i - 1) * width <= value < low + i * width; the last one
-- also holds the largest value.
local function count(list, low, high, bins)
  local counts = {}
  for i = 1, bins do counts[i] = 0 end
  for _, value in ipairs(list) do
    local i = math.floor((value - low) / (high - low) * bins) + 1
    i = math.min(i, bins)
    counts[i] = counts[i] + 1
  end
  return counts
end

local function draw_bars(picture, counts, x, y, low, high)
  local width = (high - low) / #counts
  for i, number in ipairs(counts) do
    local left, right = x.place(low + (i - 1) * width), x.place(low + i * width)
    local top = y.place(number)
    local room = right - left >= 4 and 1 or 0
    if number > 0 then
      picture:fill(left + room, math.min(top, y.first),
                   math.max(1, right - left - room), y.first - top + 1,
                   bar_colour, "#")
    end
  end
end

-- histogram{ values = tensor or list [, bins =, title =, x_title =, y_title =,
-- width =, height =] }. What is not finite is left out, and the title says so.
return function(given, page)
  local o = options.check("picture.histogram", given, rules)
  local list, others, low, high = finite_numbers(o.values)
  if #list + others == 0 then
    core.raise("picture.histogram: there are no values")
  end
  local bins = math.min(o.bins, page.columns and page.columns // 2 or 200)
  local counts = count(list, low, high, bins)
  if others > 0 then
    local note = ("%d not finite, left out"):format(others)
    o.title = o.title == "" and note or o.title .. " (" .. note .. ")"
  end
  local layout = page.chart
  local x = chart.linear(low, high, layout.x_ticks)
  local y = chart.linear(0, math.max(1, table.unpack(counts)), layout.y_ticks,
                         { low = true })
  local picture = chart.draw(x, y, page, o)
  draw_bars(picture, counts, x, y, low, high)
  return picture
end
