-- tiles.lua - a grid of small images with captions under them and a title on
-- top. Sheets of images and pictures of filters are such grids.

local canvas = require "lunet.canvas"

local tiles = {}

-- The zoom that makes an image of this size about `wanted` dots wide. In a
-- terminal an even one, so that no character holds halves of two dots.
function tiles.zoom(height, width, wanted, page)
  local zoom = math.floor(wanted / math.max(height, width, 1) + 0.5)
  if page.columns and zoom > 1 then zoom = zoom - zoom % 2 end
  return math.max(1, zoom)
end

-- The widest tile and the highest, with and without the captions.
local function measure(list, zoom, page)
  local width, image_height, caption_height = 0, 0, 0
  local rims = 2 * page.rim_width
  for _, tile in ipairs(list) do
    local text_width, text_height = page.text_size(tile.caption, page.scale)
    width = math.max(width, #(tile.rows[1] or {}) * zoom + rims, text_width)
    image_height = math.max(image_height, #tile.rows * zoom + rims)
    if tile.caption ~= "" then
      caption_height = math.max(caption_height, text_height + page.caption)
    end
  end
  if page.columns then image_height = image_height + image_height % 2 end
  return width, image_height, image_height + caption_height
end

local function fitting(width, page)
  return (page.columns + page.gap) // (width + page.gap)
end

-- Smaller, until a group of tiles fits into a row of the terminal.
local function zoom_for_group(list, o, page)
  if not page.columns then return end
  while o.zoom > 1 and fitting(measure(list, o.zoom, page), page) <
                       (o.group or 1) do
    o.zoom = o.zoom - 1
  end
end

-- As many columns as make the picture a little wider than high; in a terminal
-- as many as fit.
local function columns_for(count, width, height, page)
  local fit = page.columns and fitting(width, page) or count
  local square = math.sqrt(count * (height + page.gap) / (width + page.gap))
  local wanted = page.columns and count or math.ceil(1.2 * square)
  return math.max(1, math.min(count, fit, wanted))
end

local function mean_colour(rows, top, left, factor)
  local sums, n = { 0, 0, 0 }, 0
  for i = top, math.min(top + factor - 1, #rows) do
    for j = left, math.min(left + factor - 1, #rows[i]) do
      local parts = { canvas.parts(rows[i][j]) }
      for k = 1, 3 do sums[k] = sums[k] + parts[k] end
      n = n + 1
    end
  end
  return canvas.colour(sums[1] / n / 255, sums[2] / n / 255, sums[3] / n / 255)
end

-- The rows of an image that is too wide for the terminal, smaller by a whole
-- factor: each dot is the mean of a square of dots.
local function shrunk(rows, page)
  local width = #(rows[1] or {})
  if not page.columns or width <= page.columns then return rows end
  local factor, small = math.ceil(width / page.columns), {}
  for i = 1, math.ceil(#rows / factor) do
    small[i] = {}
    for j = 1, math.ceil(width / factor) do
      small[i][j] = mean_colour(rows, (i - 1) * factor + 1,
                                (j - 1) * factor + 1, factor)
    end
  end
  return small
end

local function draw_tile(picture, tile, x, y, width, image_height, zoom, page)
  local image_width, rim = #(tile.rows[1] or {}) * zoom, page.rim_width
  local left = x + (width - image_width) // 2
  picture:frame(left - rim, y, image_width + 2 * rim,
                #tile.rows * zoom + 2 * rim, page.rim)
  picture:image(left, y + rim, tile.rows, zoom, tile.marks)
  picture:text(x + width // 2, y + image_height + page.caption, tile.caption,
               { scale = page.scale, colour = page.ink, align = "center" })
end

-- list: { { rows = colours row by row, caption = text, marks = }, … }. `below`
-- dots stay free under the grid, at least `least_width` dots lie between the
-- borders. Returns the picture and where the free part begins: x, y.
function tiles.draw(list, o, page)
  for _, tile in ipairs(list) do
    local small = shrunk(tile.rows, page)
    if small ~= tile.rows then tile.rows, tile.marks = small, nil end
  end
  zoom_for_group(list, o, page)
  local gap, border = page.gap, page.border
  local width, image_height, height = measure(list, o.zoom, page)
  local columns = columns_for(#list, width, height, page)
  columns = math.min(o.columns or columns, page.columns and columns or #list)
  local group = o.group or 1
  if columns > group then columns = columns - columns % group end
  columns = math.max(1, columns)
  local title_width, title_height = page.text_size(o.title, page.scale)
  local top = border + (o.title == "" and 0 or title_height + gap)
  local grid_width = columns * (width + gap) - gap
  local grid_height = math.ceil(#list / columns) * (height + gap) - gap
  local inner = math.max(grid_width, title_width, o.least_width or 0)
  local picture = page.new(inner + 2 * border,
                           top + grid_height + border + (o.below or 0))
  picture:text(picture.width // 2, border, o.title,
               { scale = page.scale, colour = page.ink, align = "center" })
  local left = page.columns and 0 or (picture.width - grid_width) // 2
  for i, tile in ipairs(list) do
    local column, row = (i - 1) % columns, (i - 1) // columns
    draw_tile(picture, tile, left + column * (width + gap),
              top + row * (height + gap), width, image_height, o.zoom, page)
  end
  return picture, border, top + grid_height + gap
end

return tiles
