-- filters.lua - the weights of a convolution as pictures: blue is negative,
-- white is zero, red is positive, with one scale for all of them.

local colour_map = require "lunet.colour_map"
local core = require "lunet_core"
local options = require "lunet.options"
local tiles = require "lunet.tiles"

local rules = {
  { "weight", "a tensor", required = true, example = "weight = conv.weight" },
  { "title", "a text", default = "" },
  { "columns", "a whole number", min = 1 },
  { "zoom", "a whole number", min = 1, max = 400 },
}

-- One kernel (H,W) as rows of colours; `largest` gets the full colour. And as
-- rows of characters, for where there are no colours.
local function rows_of(kernel, largest)
  local rows, marks = {}, {}
  for i, row in ipairs(kernel) do
    rows[i], marks[i] = {}, {}
    for j, value in ipairs(row) do
      local part = largest > 0 and value / largest or 0
      rows[i][j] = colour_map.diverging(part)
      marks[i][j] = colour_map.diverging_mark(part)
    end
  end
  return rows, marks
end

-- One tile a kernel; with several input channels a row of tiles a filter.
local function tiles_of(weight, channels, largest)
  local list = {}
  for filter, kernels in ipairs(weight:tolist()) do
    for channel, kernel in ipairs(kernels) do
      local caption = tostring(filter)
      if channels > 1 then caption = filter .. "," .. channel end
      local rows, marks = rows_of(kernel, largest)
      list[#list + 1] = { rows = rows, marks = marks, caption = caption }
    end
  end
  return list
end

-- The bar from -largest over 0 to +largest.
local function draw_legend(picture, top, largest, page)
  local bar, middle = page.bar, picture.width // 2
  local left = middle - bar.width // 2
  for x = 0, bar.width - 1 do
    local value = 2 * x / (bar.width - 1) - 1
    picture:fill(left + x, top, 1, bar.height, colour_map.diverging(value),
                 colour_map.diverging_mark(value))
  end
  picture:frame(left - 1, top - 1, bar.width + 2, bar.height + 2, 0x808080)
  local text = { scale = page.scale, colour = page.ink, align = "center" }
  for side = -1, 1 do
    local label = side == 0 and "0" or ("%+.2g"):format(side * largest)
    picture:text(middle + side * bar.width // 2, top + bar.text, label, text)
  end
end

local function check(weight)
  local shape = weight:shape()
  local text = table.concat(shape, ",")
  if #shape ~= 4 then
    core.raise("picture.filters: the weight has shape (%s), it must be "
               .. "(filters, channels, H, W) as conv2d's", text)
  end
  if weight:numel() == 0 then
    core.raise("picture.filters: a weight of shape (%s) holds no numbers, "
               .. "there is nothing to draw", text)
  end
  local largest = weight:abs():max()
  if largest - largest ~= 0 then
    core.raise("picture.filters: the weight holds numbers that are not finite, "
               .. "which have no colour\n  try show{ values = x }, which "
               .. "counts them")
  end
  return largest
end

-- filters{ weight = tensor (filters, channels, H, W) [, title =, columns =,
-- zoom =] }
return function(given, page)
  local o = options.check("picture.filters", given, rules)
  local largest, shape = check(o.weight), o.weight:shape()
  o.zoom = o.zoom and not page.columns and o.zoom or
           tiles.zoom(shape[3], shape[4], page.filter, page)
  if shape[2] > 1 then o.columns = o.columns or shape[2] end
  o.below, o.least_width = page.bar.room, page.bar.least
  local list = tiles_of(o.weight, shape[2], largest)
  local picture, _, top = tiles.draw(list, o, page)
  draw_legend(picture, top, largest, page)
  return picture
end
