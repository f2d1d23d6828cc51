-- canvas.lua - a picture to draw on: rectangles, lines, text, small images.
--
-- Places count from 0 at the upper left, x to the right, y down. A colour is
-- a number 0xRRGGBB. What lies outside the canvas is cut off.

local core = require "lunet_core"
local font = require "lunet.font"

local canvas = {}
canvas.__index = canvas

function canvas.new(width, height, colour)
  local self = setmetatable({ width = width, height = height }, canvas)
  for i = 1, width * height do self[i] = colour or 0xffffff end
  return self
end

-- A grey, or a mix of three parts, from brightnesses 0..1.
function canvas.colour(red, green, blue)
  local function byte(part)
    return math.floor(255 * math.max(0, math.min(1, part)) + 0.5)
  end
  return byte(red) << 16 | byte(green or red) << 8 | byte(blue or red)
end

-- The red, green and blue of a colour, 0..255 each.
function canvas.parts(colour)
  return colour >> 16 & 255, colour >> 8 & 255, colour & 255
end

-- A colour `part` of the way from one colour to another.
function canvas.blend(from, to, part)
  local mixed = 0
  for shift = 0, 16, 8 do
    local a, b = from >> shift & 255, to >> shift & 255
    mixed = mixed | math.floor(a + (b - a) * part + 0.5) << shift
  end
  return mixed
end

function canvas:fill(x, y, width, height, colour)
  local left, right = math.max(x, 0), math.min(x + width, self.width)
  for row = math.max(y, 0), math.min(y + height, self.height) - 1 do
    for i = row * self.width + left + 1, row * self.width + right do
      self[i] = colour
    end
  end
end

-- The outline of a rectangle, one dot wide, inside it.
function canvas:frame(x, y, width, height, colour)
  self:fill(x, y, width, 1, colour)
  self:fill(x, y + height - 1, width, 1, colour)
  self:fill(x, y, 1, height, colour)
  self:fill(x + width - 1, y, 1, height, colour)
end

-- Every dot within half a thickness of the line, softened at the rim.
function canvas:line(x1, y1, x2, y2, colour, thickness)
  local reach = (thickness or 1) / 2 + 1
  local dx, dy = x2 - x1, y2 - y1
  local length2 = dx * dx + dy * dy
  local function cover(x, y)
    local along = 0
    if length2 > 0 then
      along = ((x - x1) * dx + (y - y1) * dy) / length2
      along = math.max(0, math.min(1, along))
    end
    local off_x, off_y = x1 + along * dx - x, y1 + along * dy - y
    return reach - 0.5 - math.sqrt(off_x * off_x + off_y * off_y)
  end
  for y = math.floor(math.min(y1, y2) - reach),
          math.ceil(math.max(y1, y2) + reach) do
    for x = math.floor(math.min(x1, x2) - reach),
            math.ceil(math.max(x1, x2) + reach) do
      self:blend_dot(x, y, colour, math.min(1, cover(x, y)))
    end
  end
end

-- Lays `part` of a colour over one dot.
function canvas:blend_dot(x, y, colour, part)
  if part > 0 and x >= 0 and x < self.width and y >= 0 and y < self.height then
    local i = y * self.width + x + 1
    self[i] = canvas.blend(self[i], colour, part)
  end
end

-- A filled circle.
function canvas:disc(x, y, diameter, colour)
  self:line(x, y, x, y, colour, diameter)
end

-- The width and height of a text; "\n" begins a new line.
function canvas.text_size(text, scale)
  local longest, lines = 0, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    longest, lines = math.max(longest, #line), lines + 1
  end
  local width = math.max(0, longest * (font.width + 1) - 1)
  return width * scale, (lines * (font.height + 1) - 1) * scale
end

-- Text whose upper left corner is (x,y); align "center" or "right" moves each
-- line so that x is its middle or its right end.
function canvas:text(x, y, text, options)
  local scale, colour = options.scale or 1, options.colour or 0x000000
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local width = canvas.text_size(line, scale)
    local left = x
    if options.align == "center" then left = x - width // 2 end
    if options.align == "right" then left = x - width end
    for character in line:gmatch(".") do
      self:glyph(left, y, character, scale, colour)
      left = left + (font.width + 1) * scale
    end
    y = y + (font.height + 1) * scale
  end
end

function canvas:glyph(x, y, character, scale, colour)
  for row, dots in ipairs(font.glyph(character)) do
    for column = 1, #dots do
      if dots:sub(column, column) == "#" then
        self:fill(x + (column - 1) * scale, y + (row - 1) * scale, scale,
                  scale, colour)
      end
    end
  end
end

-- An image as rows of colours, each of its dots `zoom` wide and high.
function canvas:image(x, y, rows, zoom)
  for i, row in ipairs(rows) do
    for j, colour in ipairs(row) do
      self:fill(x + (j - 1) * zoom, y + (i - 1) * zoom, zoom, zoom, colour)
    end
  end
end

-- The picture as a tensor (3,H,W) in 0..1, as lunet.save writes it.
function canvas:tensor()
  local values, dots = {}, self.width * self.height
  for plane = 0, 2 do
    local shift = 16 - 8 * plane
    for i = 1, dots do
      values[plane * dots + i] = (self[i] >> shift & 255) / 255
    end
  end
  return core.tensor(values):view { 3, self.height, self.width }
end

return canvas
