-- scatter.lua - points of a plane, each in the colour of its class.

local chart = require "lunet.chart"
local core = require "lunet_core"
local legend = require "lunet.legend"
local options = require "lunet.options"

local rules = {
  { "points", "a tensor", required = true,
    example = "points = lunet.viz.embedding(net, test).points" },
  { "labels", "a tensor" },
  { "classes", "a list" },
  { "title", "a text", default = "" },
  { "x_title", "a text", default = "" },
  { "y_title", "a text", default = "" },
  { "width", "a whole number", min = 300, max = 4000 },
  { "height", "a whole number", min = 200, max = 4000 },
}

local colours = { 0x1f5fbf, 0xd9480f, 0x2b8a3e, 0x9c36b5, 0x0b7285, 0x846000,
                  0xe64980, 0x74b816, 0x868e96, 0x4dabf7 }

local function colour_of(class) return colours[class % #colours + 1] end

local function check(o)
  local shape = o.points:shape()
  if #shape ~= 2 or shape[2] ~= 2 then
    core.raise("picture.scatter: the points have shape (%s), they must be "
               .. "(N,2)", table.concat(shape, ","))
  end
  if shape[1] == 0 then
    core.raise("picture.scatter: there are no points, nothing to draw")
  end
  if o.labels and (o.labels:dim() ~= 1 or #o.labels ~= shape[1]) then
    core.raise("picture.scatter: %d labels for %d points", o.labels:numel(),
               shape[1])
  end
  for i, label in ipairs(o.labels and o.labels:tolist() or {}) do
    if not math.tointeger(label) or label < 0 then
      core.raise("picture.scatter: label %d is %s; labels are class ids, whole "
                 .. "numbers >= 0", i, options.shown(label))
    end
  end
end

-- A scale with a little room on both sides.
local function scale_of(points, axis, wanted)
  local low, high = math.huge, -math.huge
  for _, point in ipairs(points) do
    if chart.finite(point[axis]) then
      low = math.min(low, point[axis])
      high = math.max(high, point[axis])
    end
  end
  if low > high then
    core.raise("picture.scatter: none of the points is finite, there is "
               .. "nothing to draw")
  end
  local room = high > low and (high - low) / 20 or 0.5
  return chart.linear(low - room, high + room, wanted)
end

-- The name of a class, and the character that stands for it.
local function name_of(class, o)
  return tostring(o.classes and o.classes[class + 1] or class)
end

local function draw_point(picture, x, y, class, page, o)
  if page.columns then
    local mark = o.labels and name_of(class, o):sub(1, 1) or "o"
    picture:text(x, y, mark, { colour = colour_of(class) })
  else
    picture:disc(x, y, page.chart.disc, colour_of(class))
  end
end

-- The classes that occur, in order.
local function classes_of(labels)
  local seen, list = {}, {}
  for _, label in ipairs(labels) do
    if not seen[label] then
      seen[label] = true
      list[#list + 1] = math.floor(label)
    end
  end
  table.sort(list)
  return list
end

-- The classes' names, each in its colour.
local function legend_of(classes, o, page)
  local names = {}
  for i, class in ipairs(classes) do names[i] = name_of(class, o) end
  local how = { width = chart.width(o.width, page), y_title = o.y_title,
                sample = 0, between = page.chart.sample_gap
                  + page.text_size(" ", page.scale) }
  local rows, extra = legend.rows(names, how, page)
  return rows, extra, how
end

-- scatter{ points = tensor (N,2) [, labels = tensor (N) of class ids, classes =
-- names, title =, x_title =, y_title =, width =, height =] }
return function(given, page)
  local o = options.check("picture.scatter", given, rules)
  check(o)
  local points = o.points:tolist()
  local labels = o.labels and o.labels:tolist() or {}
  local x = scale_of(points, 1, page.chart.x_ticks)
  local y = scale_of(points, 2, page.chart.y_ticks)
  local classes = classes_of(labels)
  local rows, extra, how = legend_of(classes, o, page)
  local picture = chart.draw(x, y, page, o, extra)
  for i, point in ipairs(points) do
    if chart.finite(point[1]) and chart.finite(point[2]) then
      draw_point(picture, x.place(point[1]), y.place(point[2]),
                 math.floor(labels[i] or 0), page, o)
    end
  end
  legend.draw(picture, rows, x.last, y.last - page.chart.above, how, page,
              function(i) return colour_of(classes[i]) end)
  return picture
end
