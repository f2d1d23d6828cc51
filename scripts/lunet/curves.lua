-- curves.lua - lines over a pair of axes, such as a learning curve.

local chart = require "lunet.chart"
local core = require "lunet_core"
local legend = require "lunet.legend"
local options = require "lunet.options"

local rules = {
  { "lines", "a list", required = true,
    example = 'lines = { { name = "test", y = run.validation } }' },
  { "title", "a text", default = "" },
  { "x_title", "a text", default = "" },
  { "y_title", "a text", default = "" },
  { "y_min", "a finite number" },
  { "y_max", "a finite number" },
  { "y_scale", "a text", default = "linear" },
  { "width", "a whole number", min = 300, max = 4000 },
  { "height", "a whole number", min = 200, max = 4000 },
}
local line_rules = {
  { "name", "a text", required = true, example = 'name = "test"' },
  { "y", "a tensor or a list of numbers", required = true,
    example = "y = run.validation" },
  { "x", "a tensor or a list of numbers" },
}

local colours = { 0x1f5fbf, 0xd9480f, 0x2b8a3e, 0x9c36b5, 0x0b7285, 0x846000 }
local marks = { "*", "o", "x", "+", "#", "@" }

local function colour_of(i) return colours[(i - 1) % #colours + 1] end
local function mark_of(i) return marks[(i - 1) % #marks + 1] end

-- ---- numbers ---------------------------------------------------------------

local function list_of(numbers)
  if type(numbers) ~= "userdata" then return numbers end
  return numbers:view { numbers:numel() }:tolist()
end

local function check_lengths(xs, ys, number)
  if xs and #xs ~= #ys then
    core.raise("picture.curves, line %d: %d numbers x for %d numbers y; each "
               .. "point needs both", number, #xs, #ys)
  end
end

-- The points (x,y) of a line; what cannot be drawn is false: numbers that are
-- not finite, and those below a logarithm's reach.
local function points_of(line, least, number)
  local points, ys, xs = {}, list_of(line.y), line.x and list_of(line.x)
  check_lengths(xs, ys, number)
  for i, y in ipairs(ys) do
    local x = xs and xs[i] or i
    points[i] = chart.finite(y) and chart.finite(x) and y > least and
                { x = x, y = y }
  end
  return points
end

-- Empty axes would say nothing.
local function refuse_nothing(lines, y_scale)
  local given = 0
  for _, points in ipairs(lines) do
    for _, point in ipairs(points) do
      if point then return end
      given = given + 1
    end
  end
  core.raise("picture.curves: %s, there is nothing to draw%s",
             #lines == 0 and "there are no lines" or given == 0 and
             "the lines have no numbers" or
             ("none of the %d numbers can be drawn"):format(given),
             given == 0 and "" or y_scale == "log" and "\n  a scale of "
             .. "logarithms shows finite numbers > 0" or
             "\n  they are NaN or infinite")
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
  if high - low == math.huge or math.max(-low, high) > 1e300 then
    core.raise("picture.curves: the numbers %s go from %g to %g, which no axis "
               .. "can show", axis, low, high)
  end
  if low == high then return chart.room_around(low) end
  return low, high
end

-- Epochs have no halves: where every x is whole, so are the ticks.
local function x_scale_of(lines, layout)
  local low, high = extent(lines, "x")
  local whole = true
  for _, points in ipairs(lines) do
    for _, point in ipairs(points) do
      whole = whole and (not point or point.x % 1 == 0)
    end
  end
  return chart.linear(low, high, layout.x_ticks, nil, whole and 1 or nil)
end

local function y_scale_of(lines, o, layout)
  local low, high = extent(lines, "y")
  low, high = o.y_min or low, o.y_max or high
  if low >= high then
    core.raise("picture.curves: y goes from %g to %g; y_min must be below "
               .. "y_max, and below the largest number\n  try leaving them out",
               low, high)
  end
  if o.y_scale == "log" then
    return chart.logarithmic(low, high, layout.y_ticks)
  end
  return chart.linear(low, high, layout.y_ticks,
                      { low = o.y_min, high = o.y_max })
end

local function check(given)
  local o = options.check("picture.curves", given, rules)
  if o.y_scale ~= "linear" and o.y_scale ~= "log" then
    core.raise("picture.curves: y_scale is '%s', it must be 'linear' or 'log'",
               o.y_scale)
  end
  if o.y_scale == "log" and (o.y_min and o.y_min <= 0 or
                             o.y_max and o.y_max <= 0) then
    core.raise("picture.curves: y_min and y_max must be > 0 where y_scale is "
               .. "'log'")
  end
  return o
end

-- ---- drawing ---------------------------------------------------------------

-- How the names are laid out, each with a sample of its line in front.
local function legend_of(o, page)
  local layout, names = page.chart, {}
  for i, line in ipairs(o.lines) do names[i] = line.name end
  local how = { width = chart.width(o.width, page), y_title = o.y_title,
                sample = layout.sample + layout.sample_gap,
                between = layout.between }
  local rows, extra = legend.rows(names, how, page)
  return rows, extra, how
end

local function draw_legend(picture, rows, x, y, how, page)
  local layout = page.chart
  local function ink() return page.ink end
  legend.draw(picture, rows, x.last, y.last - layout.above, how, page, ink,
    function(i, left, top)
      picture:line(left, top + layout.sample_down, left + layout.sample - 1,
                   top + layout.sample_down, colour_of(i),
                   layout.sample_thickness, mark_of(i))
    end)
end

local function draw_line(picture, points, x, y, i, layout)
  local before
  for _, point in ipairs(points) do
    local at = point and { x.place(point.x), y.place(point.y) }
    if at and before then
      picture:line(before[1], before[2], at[1], at[2], colour_of(i),
                   layout.thickness, mark_of(i))
    end
    if at and #points <= layout.most_discs then
      picture:disc(at[1], at[2], layout.disc, colour_of(i), mark_of(i))
    end
    before = at
  end
end

-- curves{ lines = { { name =, y = {…} [, x = {…}] }, … } [, title =, x_title =,
-- y_title =, y_min =, y_max =, y_scale = "log", width =, height =] }. y and x
-- are lists or tensors; x is 1, 2, 3 … where it is left out; numbers that are
-- not finite, or not above 0 on a scale of logarithms, leave a gap.
return function(given, page)
  local o = check(given)
  local lines, layout = {}, page.chart
  local least = o.y_scale == "log" and 0 or -math.huge
  for i, line in ipairs(o.lines) do
    line = options.check("picture.curves, line " .. i, line, line_rules)
    lines[i] = points_of(line, least, i)
  end
  refuse_nothing(lines, o.y_scale)
  local x = x_scale_of(lines, layout)
  local y = y_scale_of(lines, o, layout)
  local rows, extra, how = legend_of(o, page)
  local picture = chart.draw(x, y, page, o, extra)
  for i, points in ipairs(lines) do
    draw_line(picture, points, x, y, i, layout)
  end
  draw_legend(picture, rows, x, y, how, page)
  return picture
end
