-- sixel.lua - a picture in sixels, the pictures of DEC's terminals.
--
--   ESC P q "1;1;W;H  #0;2;R;G;B ...  bands  ESC \
--
-- A colour is declared once, its parts in percent. A band is six rows of dots:
-- one colour after the other writes a character a column, whose six bits (plus
-- 63) say which of the six dots are of that colour; "!12?" repeats "?" twelve
-- times, "$" goes back to the left, "-" down to the next band.
--
-- Source: VT330/VT340 Programmer Reference Manual, chapter 14.

local palette = require "lunet.terminal.palette"

local sixel = {}

-- The dots of a picture (3,H,W), row by row, as colours 0xRRGGBB.
local function dots_of(picture)
  local planes = (picture * 255 + 0.5):floor():tolist()
  local rows = {}
  for y, red in ipairs(planes[1]) do
    local green, blue, row = planes[2][y], planes[3][y], {}
    for x = 1, #red do
      row[x] = red[x] // 1 << 16 | green[x] // 1 << 8 | blue[x] // 1
    end
    rows[y] = row
  end
  return rows
end

local function declarations(list)
  local parts = {}
  for i, colour in ipairs(list) do
    local function percent(part)
      return math.floor(part * 100 / 255 + 0.5)
    end
    parts[i] = ("#%d;2;%d;%d;%d"):format(
      i - 1, percent(colour[1]), percent(colour[2]), percent(colour[3]))
  end
  return table.concat(parts)
end

-- bits[colour number][x]: which of the six dots of column x have the colour.
local function bits_of_band(rows, first)
  local bits = {}
  for bit = 0, math.min(5, #rows - first) do
    for x, number in ipairs(rows[first + bit]) do
      local row = bits[number] or {}
      bits[number] = row
      row[x] = (row[x] or 0) | 1 << bit
    end
  end
  return bits
end

local function run(count, value)
  local character = string.char(63 + value)
  if count < 4 then return character:rep(count) end
  return ("!%d%s"):format(count, character)
end

local function line_of_colour(row, width)
  local parts, value, count = {}, row[1] or 0, 0
  for x = 1, width do
    local here = row[x] or 0
    if here ~= value then
      parts[#parts + 1] = run(count, value)
      value, count = here, 0
    end
    count = count + 1
  end
  if value ~= 0 then parts[#parts + 1] = run(count, value) end
  return table.concat(parts)
end

local function band_text(rows, first, n_colours)
  local bits, parts = bits_of_band(rows, first), {}
  for number = 0, n_colours - 1 do
    if bits[number] then
      parts[#parts + 1] = "#" .. number
        .. line_of_colour(bits[number], #rows[first])
    end
  end
  return table.concat(parts, "$") .. "-"
end

-- picture: a tensor (3,H,W) in 0..1.
function sixel.text(picture)
  local rows, list = palette(dots_of(picture))
  local parts = { ("\27Pq\"1;1;%d;%d"):format(#rows[1], #rows),
                  declarations(list) }
  for first = 1, #rows, 6 do
    parts[#parts + 1] = band_text(rows, first, #list)
  end
  return table.concat(parts) .. "\27\\\n"
end

return sixel
