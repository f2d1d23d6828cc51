-- filters.lua - the weights of a convolution as pictures: blue is negative,
-- white is zero, red is positive, with one scale for all of them.

local canvas = require "lunet.canvas"
local core = require "lunet_core"
local options = require "lunet.options"
local tiles = require "lunet.tiles"

local rules = {
  { "weight", "a tensor", required = true, example = "weight = conv.weight" },
  { "title", "a text", default = "" },
  { "columns", "a whole number", min = 1 },
  { "zoom", "a whole number", min = 1 },
}

local blue, white, red = 0x1f4fbf, 0xffffff, 0xc92a1f
local ink = 0x202020

-- The colour of a value between -1 and 1.
local function diverging(value)
  return canvas.blend(white, value < 0 and blue or red, math.abs(value))
end

-- One kernel (H,W) as rows of colours; `largest` gets the full colour.
local function rows_of(kernel, largest)
  local rows = {}
  for i, row in ipairs(kernel) do
    rows[i] = {}
    for j, value in ipairs(row) do
      rows[i][j] = diverging(largest > 0 and value / largest or 0)
    end
  end
  return rows
end

-- One tile a kernel; with several input channels a row of tiles a filter.
local function tiles_of(weight, channels, largest)
  local list = {}
  for filter, kernels in ipairs(weight:tolist()) do
    for channel, kernel in ipairs(kernels) do
      local caption = tostring(filter)
      if channels > 1 then caption = filter .. "," .. channel end
      list[#list + 1] = { rows = rows_of(kernel, largest), caption = caption }
    end
  end
  return list
end

-- The bar from -largest over 0 to +largest.
local function draw_legend(picture, top, largest)
  local width, middle = 300, picture.width // 2
  for x = 0, width - 1 do
    local value = 2 * x / (width - 1) - 1
    picture:fill(middle - width // 2 + x, top, 1, 18, diverging(value))
  end
  picture:frame(middle - width // 2 - 1, top - 1, width + 2, 20, 0x808080)
  local text = { scale = 2, colour = ink, align = "center" }
  for side = -1, 1 do
    local label = side == 0 and "0" or ("%+.2g"):format(side * largest)
    picture:text(middle + side * width // 2, top + 26, label, text)
  end
end

-- filters{ weight = tensor (filters, channels, H, W) [, title =, columns =,
-- zoom =] }: a picture (3,H,W).
return function(given)
  local o = options.check("picture.filters", given, rules)
  local shape = o.weight:shape()
  if #shape ~= 4 then
    core.raise("picture.filters: the weight has shape (%s), it must be "
               .. "(filters, channels, H, W) as conv2d's",
               table.concat(shape, ","))
  end
  local largest = o.weight:abs():max()
  o.zoom = o.zoom or tiles.zoom(shape[3], shape[4], 90)
  if shape[2] > 1 then o.columns = o.columns or shape[2] end
  o.below, o.least_width = 64, 380
  local list = tiles_of(o.weight, shape[2], largest)
  local picture, _, top = tiles.draw(list, o)
  draw_legend(picture, top, largest)
  return picture:tensor()
end
