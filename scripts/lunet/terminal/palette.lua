-- palette.lua - a picture with few colours: each dot gets a number, each number
-- a colour.
--
-- Up to 256 colours stay as they are. Of more, those are put together that
-- agree in the first five bits of each part, and these boxes of colours are
-- split until there are 256: always the box with the most dots times its
-- length, across its longest side, with half of its dots on either side. A box
-- shows as the mean of its dots (median cut).
--
-- Source: Heckbert, "Color image quantization for frame buffer display", 1982.

local most_colours = 256

-- red, green, blue in 0..255, as 15 bits.
local function key_of(red, green, blue)
  return red >> 3 << 10 | green >> 3 << 5 | blue >> 3
end

-- ---- exact -----------------------------------------------------------------

-- Numbers the colours from 0 in order of appearance; nil if they are too many.
local function exact(rows)
  local numbers, list = {}, {}
  for _, row in ipairs(rows) do
    for _, colour in ipairs(row) do
      if not numbers[colour] then
        if #list == most_colours then return nil end
        numbers[colour] = #list
        list[#list + 1] = { colour >> 16, colour >> 8 & 255, colour & 255 }
      end
    end
  end
  return numbers, list
end

-- ---- median cut ------------------------------------------------------------

-- Colours that agree in 15 bits: { count, sums of the parts, key }.
local function cells_of(rows)
  local cells, list = {}, {}
  for _, row in ipairs(rows) do
    for _, colour in ipairs(row) do
      local red, green, blue = colour >> 16, colour >> 8 & 255, colour & 255
      local key = key_of(red, green, blue)
      local cell = cells[key]
      if not cell then
        cell = { 0, 0, 0, count = 0, key = key }
        cells[key], list[#list + 1] = cell, cell
      end
      cell.count = cell.count + 1
      cell[1], cell[2], cell[3] = cell[1] + red, cell[2] + green,
                                  cell[3] + blue
    end
  end
  return list
end

local function part_of(cell, axis) return cell[axis] / cell.count end

-- A box of cells, its longest side and what speaks for splitting it.
local function box_of(cells)
  local box = { cells = cells, count = 0, length = -1 }
  for _, cell in ipairs(cells) do box.count = box.count + cell.count end
  for axis = 1, 3 do
    local low, high = 255, 0
    for _, cell in ipairs(cells) do
      low = math.min(low, part_of(cell, axis))
      high = math.max(high, part_of(cell, axis))
    end
    if high - low > box.length then
      box.length, box.axis = high - low, axis
    end
  end
  box.worth = #cells > 1 and box.count * box.length or 0
  return box
end

local function split(box)
  local axis, cells, seen, place = box.axis, box.cells, 0, 1
  table.sort(cells, function(a, b)
    local left, right = part_of(a, axis), part_of(b, axis)
    if left ~= right then return left < right end
    return a.key < b.key
  end)
  while place < #cells - 1 and seen + cells[place].count < box.count / 2 do
    seen = seen + cells[place].count
    place = place + 1
  end
  return box_of(table.move(cells, 1, place, 1, {})),
         box_of(table.move(cells, place + 1, #cells, 1, {}))
end

local function most_worth(boxes)
  local best = 1
  for i, box in ipairs(boxes) do
    if box.worth > boxes[best].worth then best = i end
  end
  return best
end

local function mean_of(box)
  local mean = { 0, 0, 0 }
  for _, cell in ipairs(box.cells) do
    for k = 1, 3 do mean[k] = mean[k] + cell[k] end
  end
  for k = 1, 3 do mean[k] = math.floor(mean[k] / box.count + 0.5) end
  return mean
end

local function median_cut(rows)
  local boxes = { box_of(cells_of(rows)) }
  while #boxes < most_colours do
    local i = most_worth(boxes)
    if boxes[i].worth == 0 then break end
    boxes[i], boxes[#boxes + 1] = split(boxes[i])
  end
  local numbers, list = {}, {}
  for i, box in ipairs(boxes) do
    list[i] = mean_of(box)
    for _, cell in ipairs(box.cells) do numbers[cell.key] = i - 1 end
  end
  return numbers, list
end

-- rows of colours 0xRRGGBB -> rows of numbers from 0; a list of { red, green,
-- blue } in 0..255.
return function(rows)
  local numbers, list = exact(rows)
  local shift = numbers == nil
  if shift then numbers, list = median_cut(rows) end
  local numbered = {}
  for y, row in ipairs(rows) do
    local line = {}
    for x, colour in ipairs(row) do
      if shift then
        colour = key_of(colour >> 16, colour >> 8 & 255, colour & 255)
      end
      line[x] = numbers[colour]
    end
    numbered[y] = line
  end
  return numbered, list
end
