-- curves.lua - lines over a pair of axes, such as a learning curve.

local canvas = require "lunet.canvas"
local options = require "lunet.options"

local rules = {
  { "lines", "a list", required = true,
    example = 'lines = { { name = "test", y = run.validation } }' },
  { "title", "a text", default = "" },
  { "x_title", "a text", default = "" },
  { "y_title", "a text", default = "" },
  { "y_min", "a number" },
  { "y_max", "a number" },
  { "width", "a whole number", default = 800, min = 300 },
  { "height", "a whole number", default = 500, min = 200 },
}
local line_rules = {
  { "name", "a text", required = true, example = 'name = "test"' },
  { "y", "a list", required = true, example = "y = run.validation" },
  { "x", "a list" },
}

local ink, pale, faint = 0x202020, 0x606060, 0xe4e4e4
local colours = { 0x1f5fbf, 0xd9480f, 0x2b8a3e, 0x9c36b5, 0x0b7285, 0x846000 }
local text_scale = 2

local function colour_of(i) return colours[(i - 1) % #colours + 1] end

local function finite(v) return v == v and v > -math.huge and v < math.huge end

-- The points (x,y) of a line; what is not finite cannot be drawn: false.
local function points_of(line)
  local points = {}
  for i, y in ipairs(line.y) do
    local x = line.x and line.x[i] or i
    points[i] = finite(y) and finite(x) and { x = x, y = y }
  end
  return points
end

-- The smallest and largest coordinate of all points.
local function extent(lines, axis)
  local low, high = math.huge, -math.huge
  for _, points in ipairs(lines) do
    for _, point in ipairs(points) do
      if point then
        low = math.min(low, point[axis])
        high = math.max(high, point[axis])
      end
    end
  end
  if low > high then return 0, 1 end
  if low == high then return low - 0.5, high + 0.5 end
  return low, high
end

-- 1, 2 or 5 times a power of ten, so that about `wanted` steps fill the range.
local function round_step(low, high, wanted)
  local rough = (high - low) / wanted
  local power = 10 ^ math.floor(math.log(rough, 10))
  for _, factor in ipairs { 1, 2, 5 } do
    if rough <= factor * power * 1.0001 then return factor * power end
  end
  return 10 * power
end

-- The round numbers from low to high.
local function ticks(low, high, step)
  local list = {}
  for k = math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) do
    list[#list + 1] = k * step
  end
  return list
end

-- A number with the decimals that its step has.
local function tick_text(value, step)
  local decimals = math.max(0, -math.floor(math.log(step, 10) + 1e-6))
  return string.format("%." .. decimals .. "f", value)
end

-- An axis: from low to high, laid over the dots first .. last.
local function axis(low, high, step, first, last)
  local function place(value)
    local part = (value - low) / (high - low)
    return math.floor(first + part * (last - first) + 0.5)
  end
  return { low = low, high = high, step = step, first = first, last = last,
           place = place, ticks = ticks(low, high, step) }
end

local function widest_tick(low, high, step)
  local widest = 0
  for _, value in ipairs(ticks(low, high, step)) do
    local width = canvas.text_size(tick_text(value, step), text_scale)
    widest = math.max(widest, width)
  end
  return widest
end

-- The y axis ends at round numbers, so its step comes first.
local function axes(lines, o)
  local low, high = extent(lines, "y")
  low, high = o.y_min or low, o.y_max or high
  local step = round_step(low, high, 6)
  low = o.y_min or math.floor(low / step + 1e-6) * step
  high = o.y_max or math.ceil(high / step - 1e-6) * step
  local left = 24 + widest_tick(low, high, step)
  local y = axis(low, high, step, o.height - 72, 84)

  low, high = extent(lines, "x")
  step = math.max(round_step(low, high, 8), 1)
  return axis(low, high, step, left, o.width - 28), y
end

local function draw_axes(picture, x, y)
  for _, value in ipairs(y.ticks) do
    local at = y.place(value)
    picture:fill(x.first, at, x.last - x.first, 1, faint)
    picture:text(x.first - 10, at - 7, tick_text(value, y.step),
                 { scale = text_scale, colour = pale, align = "right" })
  end
  for _, value in ipairs(x.ticks) do
    local at = x.place(value)
    picture:fill(at, y.first, 1, 7, pale)
    picture:text(at, y.first + 14, tick_text(value, x.step),
                 { scale = text_scale, colour = pale, align = "center" })
  end
  picture:fill(x.first, y.last, 2, y.first - y.last, ink)
  picture:fill(x.first, y.first, x.last - x.first, 2, ink)
end

local function draw_titles(picture, x, y, o)
  local middle = (x.first + x.last) // 2
  picture:text(picture.width // 2, 16, o.title,
               { scale = text_scale, colour = ink, align = "center" })
  picture:text(middle, picture.height - 32, o.x_title,
               { scale = text_scale, colour = ink, align = "center" })
  picture:text(10, y.last - 32, o.y_title,
               { scale = text_scale, colour = ink })
end

-- Names with a sample of their lines, in one row above the plot's right end.
local function draw_legend(picture, x, y, lines)
  local right, top = x.last, y.last - 32
  for i = #lines, 1, -1 do
    local width = canvas.text_size(lines[i].name, text_scale)
    picture:text(right, top, lines[i].name,
                 { scale = text_scale, colour = ink, align = "right" })
    local start = right - width - 38
    picture:line(start, top + 7, start + 28, top + 7, colour_of(i), 4)
    right = start - 28
  end
end

local function draw_line(picture, points, x, y, colour)
  local before
  for i = 1, #points do
    local point = points[i]
    local at = point and { x.place(point.x), y.place(point.y) }
    if at and before then
      picture:line(before[1], before[2], at[1], at[2], colour, 3)
    end
    if at and #points <= 40 then picture:disc(at[1], at[2], 8, colour) end
    before = at
  end
end

-- curves{ lines = { { name =, y = {…} [, x = {…}] }, … } [, title =, x_title =,
-- y_title =, y_min =, y_max =, width =, height =] }: a picture (3,H,W). x is
-- 1, 2, 3 … where it is left out; numbers that are not finite leave a gap.
return function(given)
  local o = options.check("picture.curves", given, rules)
  local lines = {}
  for i, line in ipairs(o.lines) do
    line = options.check("picture.curves, line " .. i, line, line_rules)
    lines[i] = points_of(line)
  end
  local picture = canvas.new(o.width, o.height)
  local x, y = axes(lines, o)
  draw_axes(picture, x, y)
  for i, points in ipairs(lines) do
    draw_line(picture, points, x, y, colour_of(i))
  end
  draw_titles(picture, x, y, o)
  draw_legend(picture, x, y, o.lines)
  return picture:tensor()
end
