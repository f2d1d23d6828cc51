-- tiles.lua - a grid of small images with captions under them and a title on
-- top. Sheets of images and pictures of filters are such grids.

local canvas = require "lunet.canvas"

local tiles = {}

local gap, border, scale = 16, 20, 2
local ink, rim = 0x202020, 0xb0b0b0

-- The zoom that makes an image of this size about `wanted` dots wide.
function tiles.zoom(height, width, wanted)
  return math.max(1, math.floor(wanted / math.max(height, width, 1) + 0.5))
end

-- The widest tile and the highest, with and without the captions.
local function measure(list, zoom)
  local width, image_height, caption_height = 0, 0, 0
  for _, tile in ipairs(list) do
    local text_width, text_height = canvas.text_size(tile.caption, scale)
    width = math.max(width, #(tile.rows[1] or {}) * zoom + 2, text_width)
    image_height = math.max(image_height, #tile.rows * zoom + 2)
    if tile.caption ~= "" then
      caption_height = math.max(caption_height, text_height + 6)
    end
  end
  return width, image_height, image_height + caption_height
end

-- As many columns as make the picture a little wider than high.
local function columns_for(count, width, height)
  local square = math.sqrt(count * (height + gap) / (width + gap))
  return math.max(1, math.min(count, math.ceil(1.2 * square)))
end

local function draw_tile(picture, tile, x, y, width, image_height, zoom)
  local image_width = #(tile.rows[1] or {}) * zoom
  local left = x + (width - image_width) // 2
  picture:frame(left - 1, y, image_width + 2, #tile.rows * zoom + 2, rim)
  picture:image(left, y + 1, tile.rows, zoom)
  picture:text(x + width // 2, y + image_height + 6, tile.caption,
               { scale = scale, colour = ink, align = "center" })
end

-- list: { { rows = colours row by row, caption = text }, … }. `below` dots
-- stay free under the grid, at least `least_width` dots lie between the
-- borders. Returns the canvas and where the free part begins: x, y.
function tiles.draw(list, o)
  local width, image_height, height = measure(list, o.zoom)
  local columns = o.columns or columns_for(#list, width, height)
  local title_width, title_height = canvas.text_size(o.title, scale)
  local top = border + (o.title == "" and 0 or title_height + gap)
  local grid_width = columns * (width + gap) - gap
  local grid_height = math.ceil(#list / columns) * (height + gap) - gap
  local inner = math.max(grid_width, title_width, o.least_width or 0)
  local picture = canvas.new(inner + 2 * border,
                             top + grid_height + border + (o.below or 0))
  picture:text(picture.width // 2, border, o.title,
               { scale = scale, colour = ink, align = "center" })
  local left = (picture.width - grid_width) // 2
  for i, tile in ipairs(list) do
    local column, row = (i - 1) % columns, (i - 1) // columns
    draw_tile(picture, tile, left + column * (width + gap),
              top + row * (height + gap), width, image_height, o.zoom)
  end
  return picture, border, top + grid_height + gap
end

return tiles
