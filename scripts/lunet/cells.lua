-- cells.lua - a picture of characters, for a terminal. It knows the strokes of
-- canvas.lua: a dot is as wide as a character and half as high.
--
-- A dot has a colour 0xRRGGBB, or none, and then the terminal's own background
-- shows. `mark` is the character that stands for a stroke where there are no
-- colours. Places count from 0 at the upper left.

local cells = {}
cells.__index = cells

-- height in dots; an odd one leaves half a line free.
function cells.new(width, height)
  return setmetatable({ width = width, height = height, lines =
                        (height + 1) // 2, dots = {}, marks = {}, texts = {},
                        inks = {} }, cells)
end

function cells.text_size(text)
  local longest, lines = 0, 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    longest = math.max(longest, utf8.len(line) or #line)
    lines = lines + 1
  end
  return longest, 2 * lines
end

-- Of the two marks of a cell the later shows, but a "." hides none.
function cells:dot(x, y, colour, mark)
  if x < 0 or x >= self.width or y < 0 or y >= self.height then return end
  local place = y // 2 * self.width + x
  self.dots[y * self.width + x] = colour
  if mark == "." then mark = self.marks[place] or mark end
  self.marks[place] = mark
end

function cells:fill(x, y, width, height, colour, mark)
  for row = y, y + height - 1 do
    for column = x, x + width - 1 do self:dot(column, row, colour, mark) end
  end
end

-- Rims would cost a whole line of characters.
function cells:frame() end

function cells:line(x1, y1, x2, y2, colour, _, mark)
  local steps = math.max(math.abs(x2 - x1), math.abs(y2 - y1), 1)
  for i = 0, steps do
    local x = x1 + (x2 - x1) * i / steps
    local y = y1 + (y2 - y1) * i / steps
    self:dot(math.floor(x + 0.5), math.floor(y + 0.5), colour, mark)
  end
end

function cells:disc(x, y, _, colour, mark) self:dot(x, y, colour, mark) end

-- Text in the line of characters that holds the dot y.
function cells:text(x, y, text, options)
  for line in (text .. "\n"):gmatch("(.-)\n") do
    local left, width = x, cells.text_size(line)
    if options.align == "center" then left = x - width // 2 end
    if options.align == "right" then left = x - width end
    for _, code in utf8.codes(line, true) do
      if left >= 0 and left < self.width and y >= 0 and y < self.height then
        local place = y // 2 * self.width + left
        self.texts[place] = utf8.char(code)
        self.inks[place] = options.colour
      end
      left = left + 1
    end
    y = y + 2
  end
end

-- An image as rows of colours; `marks` are rows of characters, if any.
function cells:image(x, y, rows, zoom, marks)
  for i, row in ipairs(rows) do
    for j, colour in ipairs(row) do
      self:fill(x + (j - 1) * zoom, y + (i - 1) * zoom, zoom, zoom, colour,
                marks and marks[i][j])
    end
  end
end

-- The cell in this line and column, from 0: its upper and lower colour, its
-- character and that one's colour, its mark; each may be nil.
function cells:cell(line, column)
  local place = line * self.width + column
  local upper = 2 * line * self.width + column
  return self.dots[upper], self.dots[upper + self.width], self.texts[place],
         self.inks[place], self.marks[place]
end

return cells
