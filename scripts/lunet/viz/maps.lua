-- maps.lua - what methods that mark places in images return: map (N,1,H,W),
-- classes, and a picture, each image beside its map.

local colour_map = require "lunet.colour_map"
local core = require "lunet_core"

local maps = {}

local most_shown = 8

-- The image as one that can be drawn: 1 or 3 channels in 0..1.
function maps.drawable(image)
  local shape = image:shape()
  if shape[1] ~= 1 and shape[1] ~= 3 then
    image = image:mean(1):view { 1, shape[2], shape[3] }
  end
  local low, high = image:min(), image:max()
  if low >= 0 and high <= 1 then return image end
  return high > low and (image - low) / (high - low) or image * 0
end

-- look(image, map) gives the picture of a map; left out, map itself in the
-- colours of heat. Where there are no colours, the map alone is seen.
function maps.result(x, map, classes, title, look)
  local images, captions, marks = {}, {}, {}
  for i = 1, math.min(#x, most_shown) do
    local image = maps.drawable(x[i])
    images[2 * i - 1], captions[2 * i - 1] = image, "image " .. i
    images[2 * i] = look and look(image, map[i]) or colour_map.heat(map[i])
    marks[2 * i] = look and colour_map.marks(map[i])
    captions[2 * i] = "class " .. classes[i]
  end
  local columns = 2 * math.ceil(math.sqrt(math.min(#x, most_shown)))
  return { map = map, classes = classes, picture = {
    images = images, captions = captions, title = title, columns = columns,
    marks = marks, group = 2 } }
end

-- The largest |gradient| among the channels: (N,C,H,W) -> (N,1,H,W).
function maps.over_channels(gradient)
  local shape = gradient:shape()
  return gradient:abs():max(2):view { shape[1], 1, shape[3], shape[4] }
end

-- Maps (N,1,h,w) made as large as the images x.
function maps.enlarge(map, x)
  local upsample = require("lunet.nn").upsample {
    size = { x:shape()[3], x:shape()[4] }, mode = "bilinear" }
  return upsample:predict(map)
end

-- An empty map for the images x.
function maps.empty(x)
  local shape = x:shape()
  return core.zeros { shape[1], 1, shape[3], shape[4] }
end

return maps
