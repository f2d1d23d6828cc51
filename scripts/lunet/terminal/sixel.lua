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

local sixel = {}

local most_colours = 256

-- The dots of a picture (3,H,W) row by row, the parts of each in 0..`levels`.
local function dots_of(picture, levels)
  local planes = (picture * levels + 0.5):floor():tolist()
  local rows = {}
  for y, red in ipairs(planes[1]) do
    local green, blue, row = planes[2][y], planes[3][y], {}
    for x = 1, #red do
      row[x] = red[x] // 1 | 0
      row[x] = row[x] << 16 | (green[x] // 1 | 0) << 8 | (blue[x] // 1 | 0)
    end
    rows[y] = row
  end
  return rows
end

-- Numbers the colours from 0 in order of appearance; nil if they are too many.
local function numbers_of(rows)
  local numbers, list = {}, {}
  for _, row in ipairs(rows) do
    for _, colour in ipairs(row) do
      if not numbers[colour] then
        if #list == most_colours then return nil end
        numbers[colour] = #list
        list[#list + 1] = colour
      end
    end
  end
  return numbers, list
end

-- The finest steps of red, green and blue that need no more than 256 colours.
local function reduced(picture)
  for _, levels in ipairs { 100, 50, 25, 15, 10, 7, 5 } do
    local rows = dots_of(picture, levels)
    local numbers, list = numbers_of(rows)
    if numbers then return rows, numbers, list, levels end
  end
end

local function declarations(list, levels)
  local parts = {}
  for number, colour in ipairs(list) do
    local function percent(shift)
      return math.floor((colour >> shift & 255) * 100 / levels + 0.5)
    end
    parts[number] = ("#%d;2;%d;%d;%d"):format(
      number - 1, percent(16), percent(8), percent(0))
  end
  return table.concat(parts)
end

-- bits[colour number][x]: which of the six dots of column x have the colour.
local function bits_of_band(rows, first, numbers)
  local bits = {}
  for bit = 0, math.min(5, #rows - first) do
    for x, colour in ipairs(rows[first + bit]) do
      local number = numbers[colour]
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

local function band_text(rows, first, numbers, n_colours)
  local bits, parts = bits_of_band(rows, first, numbers), {}
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
  local rows, numbers, list, levels = reduced(picture)
  local parts = { ("\27Pq\"1;1;%d;%d"):format(#rows[1], #rows),
                  declarations(list, levels) }
  for first = 1, #rows, 6 do
    parts[#parts + 1] = band_text(rows, first, numbers, #list)
  end
  return table.concat(parts) .. "\27\\\n"
end

return sixel
