-- colour_map.lua - numbers as colours.

local canvas = require "lunet.canvas"
local core = require "lunet_core"

local colour_map = {}

local blue, white, red = 0x1f4fbf, 0xffffff, 0xc92a1f

-- Zero is white, negative numbers are blue, positive ones red: the colour of
-- a value between -1 and 1.
function colour_map.diverging(value)
  return canvas.blend(white, value < 0 and blue or red,
                      math.min(1, math.abs(value)))
end

-- The character that stands for it where there are no colours.
function colour_map.diverging_mark(value)
  if math.abs(value) < 1 / 6 then return "." end
  if value < 0 then return value < -2 / 3 and "=" or "-" end
  return value > 2 / 3 and "#" or "+"
end

local ramp = " .:-=+*#%@"

-- The character for a part of 1, the denser the larger.
function colour_map.density(part)
  local place = math.floor(part * (#ramp - 1) + 0.5) + 1
  return ramp:sub(place, place)
end

-- A map (1,H,W) as rows of characters, the denser the larger.
function colour_map.marks(map)
  local rows, largest = map[1]:tolist(), map:max()
  for _, row in ipairs(rows) do
    for j, value in ipairs(row) do
      row[j] = colour_map.density(largest > 0 and math.max(0, value / largest)
                                  or 0)
    end
  end
  return rows
end

-- A map (1,H,W), from 0 (black) over red and yellow to its largest value
-- (white), as an image (3,H,W).
function colour_map.heat(map)
  local shape = map:shape()
  local largest = map:max()
  local part = largest > 0 and map / largest * 3 or map * 0
  local image = core.zeros { 3, shape[2], shape[3] }
  for i = 1, 3 do
    image[i]:copy((part[1] - (i - 1)):maximum(0):minimum(1))
  end
  return image
end

-- An image (C,H,W) in 0..1, grey, with a map laid over it in red.
function colour_map.overlay(image, map)
  local shape = image:shape()
  local largest = map:max()
  local part = largest > 0 and map[1] / largest or map[1] * 0
  part = part:maximum(0)
  local grey, mixed = image:mean(1), core.zeros { 3, shape[2], shape[3] }
  for i = 1, 3 do
    local colour = i == 1 and 1 or 0
    mixed[i]:copy(grey * (1 - part * 0.75) + part * 0.75 * colour)
  end
  return mixed
end

return colour_map
