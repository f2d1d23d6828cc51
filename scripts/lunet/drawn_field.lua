-- drawn_field.lua - the receptive field of one unit as a picture: the image,
-- red where the unit sees it; what it sees of the padding is blue.

local core = require "lunet_core"
local options = require "lunet.options"
local pass = require "lunet.viz.pass"

-- A layer without maps has one place.
local function check(shape, place)
  for i = 1, 2 do
    local p, size, word = place[i], shape[i + 2] or 1,
                          i == 1 and "row" or "column"
    if math.type(p) ~= "integer" or p < 1 or p > size then
      core.raise("receptive_field: there is no unit in %s %s; the layer has "
                 .. "the %ss 1 to %d", word, options.shown(p), word, size)
    end
  end
end

-- first and last, {row, column} each, of what the unit at `place` sees.
local function box_of(field, place)
  local first, last = {}, {}
  for i = 1, 2 do
    first[i] = field.start[i] + (place[i] - 1) * field.jump[i]
    last[i] = first[i] + field.size[i] - 1
  end
  return first, last
end

-- An image as one plane (H,W) of brightnesses in 0..1; none: grey.
local function plane_of(image, shape)
  if not image then return core.full({ shape[3], shape[4] }, 0.5) end
  options.argument("receptive_field", "the image", image, "a tensor",
                   "test.x[1]")
  local given = image:shape()
  if #given == 4 and given[1] == 1 then image = image[1] end
  if image:dim() == 3 then image = image:mean(1) end
  given = image:shape()
  if #given ~= 2 or given[1] ~= shape[3] or given[2] ~= shape[4] then
    core.raise("receptive_field: the image has shape (%s), the net sees %dx%d",
               table.concat(image:shape(), ","), shape[3], shape[4])
  end
  pass.check_finite("receptive_field", "the image", image)
  local low, high = image:min(), image:max()
  return high > low and (image - low) / (high - low) or image * 0 + 0.5
end

-- The colour of a place, { red, green, blue }: inside the image or not, seen
-- or not.
local function colour_of(bright, seen)
  if not bright then return seen and { 0.2, 0.3, 0.9 } or { 1, 1, 1 } end
  if not seen then return { bright, bright, bright } end
  return { 0.45 + 0.55 * bright, 0.55 * bright, 0.55 * bright }
end

-- The same without colours; what is not seen of the image keeps its brightness.
local function mark_of(bright, seen)
  if not seen then return not bright and " " end
  if not bright then return "o" end
  return bright < 0.5 and "x" or "X"
end

-- The picture, and its marks.
local function drawing(plane, first, last)
  local rows, columns = #plane, #plane[1]
  local top, left = math.min(1, first[1]), math.min(1, first[2])
  local bottom, right = math.max(rows, last[1]), math.max(columns, last[2])
  local planes, marks = { {}, {}, {} }, {}
  for i = top, bottom do
    for k = 1, 3 do planes[k][i - top + 1] = {} end
    marks[i - top + 1] = {}
    for j = left, right do
      local seen = i >= first[1] and i <= last[1] and j >= first[2] and
                   j <= last[2]
      local bright = plane[i] and plane[i][j]
      local colour = colour_of(bright, seen)
      marks[i - top + 1][j - left + 1] = mark_of(bright, seen)
      for k = 1, 3 do planes[k][i - top + 1][j - left + 1] = colour[k] end
    end
  end
  return core.tensor(planes), marks
end

-- field: { size, jump, start } of the layer; adds first, last and the picture.
return function(net, node, field, place, image)
  local core_net, builder = net:core_net()
  local shape = core_net:shape(0)
  if #shape ~= 4 then
    core.raise("receptive_field: only images (N,C,H,W) are drawn, the input "
               .. "has shape (%s)", table.concat(shape, ","))
  end
  check(core_net:shape(builder.nodes[node or #builder.nodes].value), place)
  field.first, field.last = box_of(field, place)
  local picture, marks = drawing(plane_of(image, shape):tolist(), field.first,
                                 field.last)
  local title = ("rows %d to %d, columns %d to %d"):format(
    field.first[1], field.last[1], field.first[2], field.last[2])
  local wanted = math.max(1, 240 // math.max(shape[3], shape[4]))
  field.picture = { images = { picture }, marks = { marks }, title = title,
                    zoom = wanted }
  return field
end
