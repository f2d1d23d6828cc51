-- sheet.lua - many images in one picture, each with a caption under it.

local canvas = require "lunet.canvas"
local core = require "lunet_core"
local options = require "lunet.options"
local tiles = require "lunet.tiles"

local rules = {
  { "images", "a tensor or a list of tensors", required = true,
    example = "images = x (a batch), or a list of images (C,H,W)" },
  { "captions", "a list", default = {} },
  { "marks", "a list", default = {} },
  { "title", "a text", default = "" },
  { "columns", "a whole number", min = 1 },
  { "group", "a whole number", default = 1, min = 1 },
  { "zoom", "a whole number", min = 1, max = 400 },
}

local function check_image(image, number)
  local shape = image:shape()
  if #shape ~= 3 or shape[1] ~= 1 and shape[1] ~= 3 then
    core.raise("picture.sheet: image %d has shape (%s), it must be (1,H,W) "
               .. "or (3,H,W)", number, table.concat(shape, ","))
  end
  if image:numel() == 0 then
    core.raise("picture.sheet: image %d of shape (%s) holds no numbers, there "
               .. "is nothing to draw", number, table.concat(shape, ","))
  end
  local largest = image:abs():max()
  if largest - largest ~= 0 then
    core.raise("picture.sheet: image %d holds numbers that are not finite, "
               .. "which have no colour\n  try show{ values = x }, which "
               .. "counts them", number)
  end
end

-- An image (C,H,W), grey or RGB in 0..1, as rows of colours.
local function rows_of(image, number)
  check_image(image, number)
  local shape = image:shape()
  local planes, rows = image:tolist(), {}
  local red, green, blue = planes[1], planes[2] or planes[1],
                           planes[3] or planes[1]
  for i = 1, shape[2] do
    rows[i] = {}
    for j = 1, shape[3] do
      rows[i][j] = canvas.colour(red[i][j], green[i][j], blue[i][j])
    end
  end
  return rows
end

-- A batch (N,C,H,W) as a list of its images; a list stays what it is.
local function list_of(images)
  if type(images) == "table" then return images end
  if images:dim() ~= 4 then
    core.raise("picture.sheet: images has shape (%s), it must be a batch "
               .. "(N,C,H,W), or a list of images (C,H,W)",
               table.concat(images:shape(), ","))
  end
  local list = {}
  for i = 1, images:shape()[1] do list[i] = images[i] end
  return list
end

-- sheet{ images = batch or list [, captions = {…}, title =, columns =, zoom =,
-- marks =, group =] }. So many images as a group has stay in one row, however
-- narrow the terminal. marks[i] are the rows of characters that stand for the
-- dots of image i where there are no colours; false: its brightness.
return function(given, page)
  local o = options.check("picture.sheet", given, rules)
  local list = {}
  for i, image in ipairs(list_of(o.images)) do
    list[i] = { rows = rows_of(image, i), marks = o.marks[i],
                caption = tostring(o.captions[i] or "") }
  end
  if #list == 0 and o.title == "" then
    core.raise("picture.sheet: there are no images, nothing to draw")
  end
  local first = list[1] and list[1].rows or {}
  local wanted = #list == 1 and page.single or page.tile
  o.zoom = o.zoom and not page.columns and o.zoom or
           tiles.zoom(#first, #(first[1] or {}), wanted, page)
  return (tiles.draw(list, o, page))
end
