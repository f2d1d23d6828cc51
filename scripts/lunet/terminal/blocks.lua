-- blocks.lua - cells as text: half blocks in colour, or plain ASCII.
--
-- In colour the upper half block "▀" shows two dots: its own colour is the
-- upper one's, its background the lower one's. In ASCII a stroke shows as its
-- mark, and other dots as a character that is the denser the brighter they are.

local canvas = require "lunet.canvas"
local colour_map = require "lunet.colour_map"

local blocks = {}

-- ---- colours ---------------------------------------------------------------

-- The nearest of the 256 colours that most terminals have: a cube of 6x6x6
-- colours from 16 on, 24 greys from 232 on.
local function nearest_of_256(colour)
  local red, green, blue = canvas.parts(colour)
  local function level(part)
    if part < 48 then return 0 end
    return part < 115 and 1 or (part - 35) // 40
  end
  if math.max(red, green, blue) - math.min(red, green, blue) < 12 then
    local grey = (red + green + blue) // 3
    if grey < 4 then return 16 end
    if grey > 243 then return 231 end
    return 232 + math.min(23, math.max(0, (grey - 3) // 10))
  end
  return 16 + 36 * level(red) + 6 * level(green) + level(blue)
end

-- layer 38 is the character's colour, 48 the background; nil: the terminal's.
local function code_of(colour, layer, depth)
  if not colour then return tostring(layer + 1) end
  if depth == 256 then
    return ("%d;5;%d"):format(layer, nearest_of_256(colour))
  end
  return ("%d;2;%d;%d;%d"):format(layer, canvas.parts(colour))
end

-- The character of a cell, its colour and its background.
local function look_of(upper, lower, text, ink)
  if text then return text, ink, upper == lower and upper or nil end
  if upper == lower then return upper and "█" or " ", upper, nil end
  if not lower then return "▀", upper, nil end
  if not upper then return "▄", lower, nil end
  return "▀", upper, lower
end

local function coloured_line(picture, line, depth)
  local parts, before = {}, code_of(nil, 38) .. ";" .. code_of(nil, 48)
  local plain = before
  for column = 0, picture.width - 1 do
    local character, ink, ground = look_of(picture:cell(line, column))
    local code = code_of(ink, 38, depth) .. ";" .. code_of(ground, 48, depth)
    if code ~= before then parts[#parts + 1] = "\27[" .. code .. "m" end
    parts[#parts + 1], before = character, code
  end
  local text = table.concat(parts)
  if before ~= plain then return text .. "\27[0m" end
  return (text:gsub(" +$", ""))
end

-- depth: 256 colours, or 24 bits of them.
function blocks.coloured(picture, depth)
  local lines = {}
  for line = 0, picture.lines - 1 do
    lines[line + 1] = coloured_line(picture, line, depth)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- ---- ASCII -----------------------------------------------------------------

local plain_strokes = { ["│"] = "|", ["─"] = "-", ["└"] = "+", ["┤"] = "+",
                        ["┬"] = "+", ["·"] = ".", ["…"] = "~" }

local function brightness(colour)
  if not colour then return 0 end
  local red, green, blue = canvas.parts(colour)
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255
end

local function ascii_of(upper, lower, text, _, mark)
  if text then return plain_strokes[text] or #text == 1 and text or "?" end
  if mark then return mark end
  return colour_map.density((brightness(upper) + brightness(lower)) / 2)
end

function blocks.ascii(picture)
  local lines = {}
  for line = 0, picture.lines - 1 do
    local parts = {}
    for column = 0, picture.width - 1 do
      parts[column + 1] = ascii_of(picture:cell(line, column))
    end
    lines[line + 1] = (table.concat(parts):gsub(" +$", ""))
  end
  return table.concat(lines, "\n") .. "\n"
end

return blocks
